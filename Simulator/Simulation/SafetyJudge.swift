import ByteCoding
import Raft

/// The safety properties of the Raft paper's figure 3, looked at after every turn of every node.
struct SafetyJudge {
  private(set) var violations: [String] = []
  private var leaders: [Term: NodeID] = [:]
  /// What was committed at each index, as the first node that committed it has it.
  private var committed: [LogIndex: UInt32] = [:]
  /// What each node had reached.
  private var reached: [NodeID: (term: Term, commit: LogIndex)] = [:]

  /// A process that starts knows what was durable, which may be less than what the last one knew.
  mutating func restarted(_ node: NodeID) { reached[node] = nil }

  mutating func report(_ violation: String) { violations.append(violation) }

  /// Gives the entries that no node had committed before.
  mutating func check(_ raft: Raft) -> [Entry] {
    checkElectionSafety(raft)
    return checkCommitted(raft)
  }

  /// At most one leader in a term.
  private mutating func checkElectionSafety(_ raft: Raft) {
    guard raft.role == .leader else { return }
    if let other = leaders[raft.term], other != raft.id {
      violations.append("election safety: \(other) and \(raft.id) both lead in term \(raft.term)")
    }
    leaders[raft.term] = raft.id
  }

  /// What one node committed, no node ever has otherwise (state machine safety; leader completeness follows for whoever commits again).
  private mutating func checkCommitted(_ raft: Raft) -> [Entry] {
    var news: [Entry] = []
    let before = reached[raft.id] ?? (0, 0)
    if raft.term < before.term { violations.append("term of \(raft.id) went back from \(before.term) to \(raft.term)") }
    var index = before.commit
    while index < raft.commitIndex {
      index += 1
      // What came by snapshot is checked by the state that it leads to.
      guard let entry = raft.committedEntries(from: index, limit: 1).first else { continue }
      let checksum = CRC32C.checksum(entry.record)
      guard let other = committed[index] else {
        committed[index] = checksum
        news.append(entry)
        continue
      }
      if other != checksum { violations.append("state machine safety: \(raft.id) committed another entry at index \(index)") }
    }
    reached[raft.id] = (raft.term, raft.commitIndex)
    return news
  }
}
