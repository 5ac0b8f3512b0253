import Raft

/// What one node may do, whatever the others do.
enum NodeChecker {
  /// A term never falls, and a vote stays what it is while its term lasts: in memory as on the disk.
  static func flaw(of new: HardState, after old: HardState) -> Exploration.Flaw? {
    guard new.term < old.term || (new.term == old.term && old.vote != nil && new.vote != old.vote) else { return nil }
    return Exploration.Flaw(checker: .monotonicity, text: "a term or a vote is forgotten")
  }

  /// Whoever names a term, or grants a vote, has it on its disk. Pre-votes promise nothing.
  static func flaw(ofClaim message: Message, durable: HardState) -> Exploration.Flaw? {
    switch message.body {
    case .preVoteRequest, .preVoteResponse(granted: true): return nil
    case .voteRequest where message.term == durable.term && durable.vote != message.from,
      .transferVoteRequest where message.term == durable.term && durable.vote != message.from,
      .voteResponse(granted: true) where message.term == durable.term && durable.vote != message.to:
      return Exploration.Flaw(checker: .durability, text: "a vote is told before it is durable")
    default:
      guard message.term > durable.term else { return nil }
      return Exploration.Flaw(checker: .durability, text: "a term is told before it is durable")
    }
  }

  /// What is confirmed to a leader is on the disk, as it is in the log.
  static func flaw(ofClaim message: Message, log: [Entry], disk: [Entry]) -> Exploration.Flaw? {
    let match: LogIndex
    switch message.body {
    case .appendAccepted(let index): match = index
    case .heartbeatResponse(_, _, _, let index): match = index
    default: return nil
    }
    let isDurable = match <= UInt64(min(log.count, disk.count)) && (match == 0 || log[Int(match) - 1] == disk[Int(match) - 1])
    return isDurable ? nil : Exploration.Flaw(checker: .durability, text: "entries are confirmed that are not durable")
  }
}
