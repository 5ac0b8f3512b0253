import ByteCoding
import Raft
import Replica

/// What a node does while it leads: it alone counts time, proposes what time brings, and answers how long leases last.
extension KeyValueMachine {
  public mutating func lead(_ term: Term?, now: Instant) -> [LeaderCommand] {
    if term != leaseClock.term { historyClock = HistoryClock() }
    var commands = leaseClock.lead(term, state.leases, now: now)
      .map { LeaderCommand(payload: $0.encoded(), notice: nil) }
    guard term != nil else { return [] }
    if let compaction = historyClock.lead(state, now: now) {
      commands.append(
        LeaderCommand(
          payload: Request.compaction(CompactionRequest(revision: compaction.revision)).encoded(),
          notice: "compacts the history before revision \(compaction.revision): \(compaction.reason)"))
    }
    return commands
  }

  public var leaderDeadline: Instant {
    leaseClock.term == nil ? .never : min(leaseClock.deadline, historyClock.deadline(state.settings))
  }

  /// Answers a `LeaseQuestion` with a `LeaseAnswer`.
  public mutating func answer(_ question: Bytes, askedAt: Instant, now: Instant) -> [UInt8] {
    guard let question = try? LeaseQuestion(decoding: question) else { return LeaseAnswer.malformed.encoded() }
    switch question {
    case .keepAlive(let id): return leaseClock.keepAlive(id, in: state.leases, askedAt: askedAt, now: now).encoded()
    case .remaining(let id): return leaseClock.remaining(id, in: state.leases, now: now).encoded()
    }
  }
}
