import ByteCoding
import Raft
import WriteAheadLog

/// What one node has handed to its disk, and how much of that its disk has confirmed: kept beside the node, and held against what a restart
/// finds.
struct LogMirror {
  /// The position before the first entry.
  private(set) var start: LogPosition = .zero
  private(set) var entries: [Entry] = []
  /// Entries up to here are confirmed.
  private(set) var durableIndex: LogIndex = 0
  /// The newest hard state that is confirmed.
  private(set) var durableState = HardState(term: 0)
  /// Where the newest configuration of the log stands; 0 if a snapshot holds it.
  private(set) var configurationIndex: LogIndex = 0
  /// Every vote that was ever confirmed.
  private var votes: [Term: NodeID] = [:]
  /// It voted for two in one term.
  private(set) var hasVotedTwice = false
  /// Writes that wait: how far the log reached, and the hard state then, if it changed.
  private var underWay: [(sequence: UInt64, through: LogIndex, state: HardState?)] = []

  var lastIndex: LogIndex { start.index + UInt64(entries.count) }

  func term(at index: LogIndex) -> Term? {
    if index == start.index { return start.term }
    return entry(at: index)?.term
  }

  func entry(at index: LogIndex) -> Entry? {
    guard index > start.index, index <= lastIndex else { return nil }
    return entries[Int(index - start.index - 1)]
  }

  mutating func hand(over write: LogWrite) {
    if let reset = write.reset {
      start = reset
      entries = []
      configurationIndex = 0
      durableIndex = min(durableIndex, reset.index)
      for i in underWay.indices { underWay[i].through = min(underWay[i].through, reset.index) }
    }
    if let first = write.entries.first { replaceSuffix(from: first.index, with: write.entries) }
    underWay.append((write.sequence, lastIndex, write.hardState))
  }

  private mutating func replaceSuffix(from index: LogIndex, with news: [Entry]) {
    if index <= lastIndex, index > start.index {
      entries.removeLast(Int(lastIndex - index + 1))
      durableIndex = min(durableIndex, index - 1)
      for i in underWay.indices { underWay[i].through = min(underWay[i].through, index - 1) }
    }
    entries += news
    if configurationIndex >= index { findConfiguration() }
    for entry in news where entry.kind == .configuration { configurationIndex = entry.index }
  }

  private mutating func findConfiguration() { configurationIndex = entries.last { $0.kind == .configuration }?.index ?? 0 }

  mutating func confirm(through sequence: UInt64) {
    while let write = underWay.first, write.sequence <= sequence {
      durableIndex = max(durableIndex, write.through)
      if let state = write.state { confirm(state) }
      underWay.removeFirst()
    }
  }

  private mutating func confirm(_ state: HardState) {
    durableState = state
    guard let vote = state.vote else { return }
    hasVotedTwice = hasVotedTwice || votes[state.term].map { $0 != vote } ?? false
    votes[state.term] = vote
  }

  func hasVoted(for candidate: NodeID, in term: Term) -> Bool { votes[term] == candidate }

  /// Whether the disk keeps the node from voting for another in this term: it knows of the vote, or of a newer term already, so that the
  /// vote was one of a turn that went further. Then the vote is known from here on.
  mutating func keeps(voteFor candidate: NodeID, in term: Term) -> Bool {
    if votes[term] == nil, durableState.term > term { votes[term] = candidate }
    return hasVoted(for: candidate, in: term)
  }

  /// Goes on from what a start found. Says what is missing of what had been confirmed.
  mutating func restart(from recovered: DurableState?) -> [String] {
    let violations = missing(in: recovered)
    start = recovered?.start ?? .zero
    entries = recovered?.entries ?? []
    durableIndex = lastIndex
    findConfiguration()
    confirm(recovered?.hardState ?? HardState(term: 0))
    underWay = []
    return violations
  }

  /// What had been confirmed, and a start does not find.
  func missing(in recovered: DurableState?) -> [String] {
    guard let recovered else {
      let isEmpty = durableIndex == 0 && durableState.term == 0
      return isEmpty ? [] : ["the log is gone, entries up to \(durableIndex) had been confirmed"]
    }
    var violations: [String] = []
    let state = recovered.hardState
    if state.term < durableState.term || (state.term == durableState.term && durableState.vote != nil && state.vote != durableState.vote) {
      violations.append("the vote was \(durableState), a restart found \(state)")
    }
    // The process may have ended between a leader's snapshot and the end of the log that it disagrees with: nothing of that was committed.
    if let own = term(at: recovered.start.index), own != recovered.start.term { return violations }
    if recovered.last.index < durableIndex {
      violations.append("entries up to \(durableIndex) had been confirmed, a restart found \(recovered.last.index)")
    }
    var index = max(start.index, recovered.start.index) + 1
    while index <= min(durableIndex, recovered.last.index) {
      let found = recovered.entries[Int(index - recovered.start.index - 1)]
      if entry(at: index).map({ !$0.record.isEqual(to: found.record) }) ?? true {
        violations.append("a restart found another entry at index \(index) than had been confirmed")
        break
      }
      index += 1
    }
    return violations
  }
}
