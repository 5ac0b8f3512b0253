import ByteCoding
import Raft

/// The core alone: it leads three members, and the answers of the two others are made by hand.
enum CoreBenchmarks {
  static let all = [1, 10, 100, 1000, 10_000].map { batch in
    Benchmark(name: "Raft core, leader, batches of \(batch)", operation: "entry", operations: 200_000) { entries in
      try replicate(batch: batch, batches: max(1, entries / batch))
    }
  }

  static let nodes = [NodeID(1), NodeID(2), NodeID(3)]

  static let configuration = Configuration(
    voters: nodes.map { Member(id: $0, name: "n\($0.rawValue)", peerAddress: "\($0.rawValue)", clientAddress: "c") })

  /// A command, its bytes as an entry's payload.
  static let payload = Bytes(repeating: 5, count: 100)

  private static func replicate(batch: Int, batches: Int) throws -> Benchmark.Round {
    var (core, effects) = (try leader(), Effects())
    let payloads = [Bytes](repeating: payload, count: batch)
    let now = core.deadline
    var committed = 0
    let duration = ContinuousClock().measure {
      for _ in 0..<batches {
        effects.removeAll()
        let next = core.commitIndex + 1
        core.step(.propose(payloads), now: now, into: &effects)
        core.endTurn(now: now, into: &effects)
        acknowledge(&core, now: now, into: &effects)
        committed += core.committedEntries(from: next, limit: .max).count
        if core.logBytes > 32 << 20 { core.step(.compact(through: core.commitIndex - 1), now: now, into: &effects) }
      }
    }
    try WrongResult.check(committed == batch * batches, "\(committed) of \(batch * batches) entries are committed")
    return Benchmark.Round(operations: committed, duration: duration)
  }

  /// Its writes are durable, and both others have its log.
  private static func acknowledge(_ core: inout RaftCore, now: Instant, into effects: inout Effects) {
    if let write = effects.writes.last { core.step(.written(through: write.sequence), now: now, into: &effects) }
    for peer in nodes[1...] {
      let answer = Message(from: peer, to: nodes[0], term: core.term, body: .appendAccepted(match: core.lastIndex))
      core.step(.message(answer), now: now, into: &effects)
    }
    core.endTurn(now: now, into: &effects)
  }

  private static func leader() throws -> RaftCore {
    var core = RaftCore(bootstrapping: configuration, id: nodes[0], settings: Settings(), seed: 1, now: .zero)
    var effects = Effects()
    let now = core.deadline
    core.step(.tick, now: now, into: &effects)
    for body in [Message.Body.preVoteResponse(granted: true), .voteResponse(granted: true)] {
      let term = body == .preVoteResponse(granted: true) ? core.term + 1 : core.term
      core.step(.message(Message(from: nodes[1], to: nodes[0], term: term, body: body)), now: now, into: &effects)
      core.endTurn(now: now, into: &effects)
      if let write = effects.writes.last { core.step(.written(through: write.sequence), now: now, into: &effects) }
    }
    acknowledge(&core, now: now, into: &effects)
    try WrongResult.check(core.role == .leader && core.commitIndex == core.lastIndex, "the core does not lead")
    return core
  }
}
