import ByteCoding
import Raft
import Replica
import WriteAheadLog

/// The safety properties of Raft and of its log, looked at after every turn of every node.
struct SafetyChecker {
  private(set) var violations: [Violation] = []
  /// Everything that was ever committed; the first has index 1. `nil` for what no node ever showed (it came in a snapshot).
  private(set) var committed: [Entry?] = []
  /// The term in which each of them was first known to be committed.
  private var committedIn: [Term] = []
  private let names: [String]
  private var nodes: [Seen]
  private var leaders: [Term: Int] = [:]
  private var first: (node: Int, cluster: ClusterID)?
  /// Every entry that any log ever had, by index: term, checksum, and the term of the entry before it.
  private var known: [[KnownEntry]] = []

  private struct KnownEntry {
    let term: Term
    let previousTerm: Term
    let record: Bytes
  }

  /// What a node had reached. A class, since it is looked at after every turn, and copying it would cost more than looking.
  private final class Seen {
    @exclusivity(unchecked) var mirror: LogMirror
    @exclusivity(unchecked) var term: Term = 0
    @exclusivity(unchecked) var commit: LogIndex = 0
    @exclusivity(unchecked) var applied: LogIndex = 0
    @exclusivity(unchecked) var leads = false
    /// Its disk was emptied once: what it confirmed before that was true then.
    let lostDisk: Bool

    init(mirror: LogMirror = LogMirror(), lostDisk: Bool = false) {
      self.mirror = mirror
      self.lostDisk = lostDisk
    }
  }

  init(names: [String]) {
    self.names = names
    nodes = names.map { _ in Seen() }
  }

  mutating func report(_ checker: Violation.Checker, _ text: String, at now: Instant) {
    violations.append(Violation(checker, text, at: now))
  }

  /// Bytes of a node's entries, as far as its log has them.
  func bytes(of node: Int, from first: LogIndex, through last: LogIndex) -> Int {
    let mirror = nodes[node].mirror
    var bytes = 0
    var index = max(first, mirror.start.index + 1)
    while index <= min(last, mirror.lastIndex) {
      bytes += mirror.entry(at: index)?.record.count ?? 0
      index += 1
    }
    return bytes
  }

  /// What is known of a node's log, and of what its disk has confirmed.
  func mirror(of node: Int) -> LogMirror { nodes[node].mirror }

  // MARK: Starts and disks

  /// A process that starts must know what was durable; what was not may be forgotten.
  mutating func started(_ node: Int, _ recovered: DurableState?, now: Instant) {
    for text in nodes[node].mirror.restart(from: recovered) { report(.durability, "\(names[node]): \(text)", at: now) }
    nodes[node] = Seen(mirror: nodes[node].mirror, lostDisk: nodes[node].lostDisk)
  }

  /// A disk was emptied: nothing is expected of it any more.
  mutating func lostDisk(of node: Int) { nodes[node] = Seen(lostDisk: true) }

  mutating func wrote(_ node: Int, through sequence: UInt64, now: Instant) {
    nodes[node].mirror.confirm(through: sequence)
    if nodes[node].mirror.hasVotedTwice { report(.electionSafety, "\(names[node]) voted for two in one term", at: now) }
  }

  /// All who form a cluster form the same one.
  mutating func formed(_ node: Int, _ cluster: ClusterID, now: Instant) {
    if let first, first.cluster != cluster {
      report(.electionSafety, "\(names[node]) is of cluster \(cluster), \(names[first.node]) of \(first.cluster)", at: now)
    }
    first = first ?? (node, cluster)
  }

  // MARK: Turns

  /// Looks at a node after its turn. Gives the entries that no node had committed before.
  mutating func check(_ node: Int, _ state: ConsensusState, writes: [LogWrite], now: Instant) -> [Entry] {
    for write in writes {
      checkMatching(node, write, now: now)
      nodes[node].mirror.hand(over: write)
    }
    let seen = nodes[node]
    let before = seen.commit
    if state.term < seen.term || state.commitIndex < seen.commit || state.appliedIndex < seen.applied {
      report(
        .monotonicity,
        "\(names[node]) went back from term \(seen.term), commit \(seen.commit), applied \(seen.applied)"
          + " to \(state.term), \(state.commitIndex), \(state.appliedIndex)", at: now)
    }
    if state.durableIndex > max(seen.mirror.durableIndex, seen.mirror.start.index) {
      let confirmed = seen.mirror.durableIndex
      report(.durability, "\(names[node]) takes entries up to \(state.durableIndex) for durable, its disk confirmed \(confirmed)", at: now)
    }
    let leads = state.role == .leader
    let isNew = !seen.leads || state.term != seen.term
    if leads, isNew { checkNewLeader(node, state, now: now) }
    if leads, !isNew, state.commitIndex > before { checkTermOfCommit(node, state, now: now) }
    seen.term = state.term
    seen.applied = state.appliedIndex
    seen.leads = leads
    guard state.commitIndex > before else { return [] }
    seen.commit = state.commitIndex
    return checkCommitted(node, after: before, state, now: now)
  }

  /// One that learns late that it won an election may have been overtaken since: it need not have what newer terms committed.
  private mutating func checkNewLeader(_ node: Int, _ state: ConsensusState, now: Instant) {
    if let other = leaders[state.term], other != node {
      report(.electionSafety, "\(names[other]) and \(names[node]) both lead in term \(state.term)", at: now)
    }
    leaders[state.term] = node
    checkVotes(for: node, state, now: now)
    let seen = nodes[node]
    var index = seen.mirror.start.index + 1
    while index <= UInt64(committed.count) {
      let isEarlier = committedIn[Int(index - 1)] < state.term
      if isEarlier, let entry = committed[Int(index - 1)], seen.mirror.term(at: index) != entry.term {
        report(.leaderCompleteness, "\(names[node]) leads in term \(state.term) without the committed entry \(index)", at: now)
        return
      }
      index += 1
    }
  }

  /// A leader has the votes of a quorum, and they are durable.
  private mutating func checkVotes(for node: Int, _ state: ConsensusState, now: Instant) {
    let voters = nodes.count { $0.lostDisk || $0.mirror.hasVoted(for: state.id, in: state.term) }
    if 2 * voters <= state.voters {
      report(.electionSafety, "\(names[node]) leads in term \(state.term) with \(voters) of \(state.voters) votes", at: now)
    }
  }

  /// A leader counts copies of its own term's entries only (Raft paper, figure 8): an older one may be overwritten though a quorum has it.
  private mutating func checkTermOfCommit(_ node: Int, _ state: ConsensusState, now: Instant) {
    let found = nodes[node].mirror.term(at: state.commitIndex)
    if let found, found != state.term {
      let text = "\(names[node]) leads in term \(state.term) and commits up to entry \(state.commitIndex) of term \(found)"
      report(.leaderCompleteness, text, at: now)
    }
  }

  private mutating func checkMatching(_ node: Int, _ write: LogWrite, now: Instant) {
    guard let first = write.entries.first else { return }
    var previous = write.reset?.index == first.index - 1 ? write.reset?.term : nodes[node].mirror.term(at: first.index - 1)
    for entry in write.entries {
      defer { previous = entry.term }
      guard let previousTerm = previous else {
        report(.logMatching, "\(names[node]) writes entry \(entry.index), and has none before it", at: now)
        return
      }
      while UInt64(known.count) < entry.index { known.append([]) }
      let place = Int(entry.index - 1)
      if let other = known[place].first(where: { $0.term == entry.term }) {
        if other.previousTerm != previousTerm || !other.record.isEqual(to: entry.record) {
          report(.logMatching, "\(names[node]) has another entry \(entry.index) of term \(entry.term) than a node before", at: now)
        }
      } else {
        known[place].append(KnownEntry(term: entry.term, previousTerm: previousTerm, record: entry.record))
      }
    }
  }

  /// What one node committed, no node ever has otherwise, and a quorum has it on disk by then.
  private mutating func checkCommitted(_ node: Int, after before: LogIndex, _ state: ConsensusState, now: Instant) -> [Entry] {
    var news: [Entry] = []
    var index = before
    let seen = nodes[node]
    let last = seen.mirror.lastIndex
    if state.commitIndex > last {
      report(.stateMachineSafety, "\(names[node]) committed \(state.commitIndex), its log ends at \(last)", at: now)
    }
    while index < state.commitIndex {
      index += 1
      while UInt64(committed.count) < index {
        committed.append(nil)
        committedIn.append(state.term)
      }
      // What came by snapshot is checked by the state that it leads to.
      guard let entry = seen.mirror.entry(at: index) else { continue }
      if let other = committed[Int(index - 1)] {
        if !other.record.isEqual(to: entry.record) {
          report(.stateMachineSafety, "\(names[node]) committed another entry at index \(index) than a node before", at: now)
        }
      } else {
        committed[Int(index - 1)] = entry
        committedIn[Int(index - 1)] = state.term
        news.append(entry)
        checkQuorum(has: entry, state, now: now)
      }
    }
    return news
  }

  /// Every member's log begins with the first entry, by agreement: it needs no quorum.
  private mutating func checkQuorum(has entry: Entry, _ state: ConsensusState, now: Instant) {
    guard entry.index > 1 else { return }
    let holders = nodes.count { seen in
      seen.lostDisk || seen.mirror.start.index >= entry.index
        || (seen.mirror.durableIndex >= entry.index && seen.mirror.term(at: entry.index) == entry.term)
    }
    if 2 * holders <= state.voters {
      report(.durability, "entry \(entry.index) was committed when it was durable on \(holders) of \(state.voters) nodes", at: now)
    }
  }

  // MARK: Frames

  /// What a node tells others must be durable, and what a leader says, said by a leader.
  mutating func said(_ node: Int, _ frame: [UInt8], now: Instant) {
    guard let spoken = FrameClaim(frame) else { return }
    let seen = nodes[node]
    if spoken.term > seen.mirror.durableState.term {
      report(.durability, "\(names[node]) speaks of term \(spoken.term), its disk knows \(seen.mirror.durableState.term)", at: now)
    }
    if spoken.isLeaders, leaders[spoken.term] != node {
      report(.electionSafety, "\(names[node]) sends a leader's frame in term \(spoken.term), which it does not lead", at: now)
    }
    switch spoken.claim {
    case .term: break
    case .vote(let candidate):
      if !nodes[node].mirror.keeps(voteFor: candidate, in: spoken.term) {
        report(.durability, "\(names[node]) votes in term \(spoken.term), its disk knows \(seen.mirror.durableState)", at: now)
      }
    case .durable(let index):
      if index > seen.mirror.durableIndex, index > seen.mirror.start.index {
        report(.durability, "\(names[node]) confirms entries up to \(index), its disk has \(seen.mirror.durableIndex)", at: now)
      }
      checkAgreement(node, through: index, term: spoken.term, now: now)
    }
  }

  /// What a node confirms in a term, that term's leader has in its log.
  private mutating func checkAgreement(_ node: Int, through index: LogIndex, term: Term, now: Instant) {
    guard let leader = leaders[term], nodes[leader].leads, nodes[leader].term == term else { return }
    let (seen, leading) = (nodes[node], nodes[leader])
    guard index > seen.mirror.start.index, index >= leading.mirror.start.index else { return }
    let (own, right) = (seen.mirror.term(at: index), leading.mirror.term(at: index))
    if own != right {
      let text = "\(names[node]) confirms entry \(index) of term \(own ?? 0), its leader \(names[leader]) has it of term \(right ?? 0)"
      report(.logMatching, text, at: now)
    }
  }
}
