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
  /// Identities that left, and the term in which that was first known to be committed.
  private var left: [(id: NodeID, term: Term)] = []
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
    /// Who it said that it is.
    @exclusivity(unchecked) var id: NodeID?
    /// The voters of the configuration that it acted on, and those of the newest one in its log.
    @exclusivity(unchecked) var electorate: [[NodeID]] = []
    @exclusivity(unchecked) var inLog: (position: LogPosition, electorate: [[NodeID]]) = (.zero, [])
    /// It knew after its last turn that it is no member any more.
    @exclusivity(unchecked) var isRemoved = false
    /// Its disk was emptied, and it has not started since: what it confirmed before that was true then.
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
    nodes[node] = Seen(mirror: nodes[node].mirror)
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
    seen.id = state.id
    checkConfiguration(node, state, now: now)
    checkRemoved(node, state, writes, now: now)
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
    let former = seen.electorate
    seen.electorate = state.electorate
    guard state.commitIndex > before else { return [] }
    seen.commit = state.commitIndex
    return checkCommitted(node, after: before, state, former: former, now: now)
  }

  /// One that learns late that it won an election may have been overtaken since: it need not have what newer terms committed.
  private mutating func checkNewLeader(_ node: Int, _ state: ConsensusState, now: Instant) {
    if let other = leaders[state.term], other != node {
      report(.electionSafety, "\(names[other]) and \(names[node]) both lead in term \(state.term)", at: now)
    }
    leaders[state.term] = node
    if left.contains(where: { $0.id == state.id && $0.term < state.term }) {
      report(.electionSafety, "\(names[node]) leads in term \(state.term), though it left the cluster before", at: now)
    }
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
    let votes = nodes.map { $0.lostDisk || $0.mirror.hasVoted(for: state.id, in: state.term) }
    if !isQuorum(votes, of: state.electorate, state) {
      let voters = votes.count { $0 }
      report(.electionSafety, "\(names[node]) leads in term \(state.term) with \(voters) of \(state.voters) votes", at: now)
    }
  }

  /// Whether these nodes are a majority of each part of the electorate. Of a voter whose disk was lost nobody knows any more: it counts.
  private func isQuorum(_ holds: [Bool], of electorate: [[NodeID]], _ state: ConsensusState) -> Bool {
    guard !electorate.isEmpty else { return 2 * holds.count { $0 } > state.voters }
    return electorate.allSatisfy { part in
      2 * part.count { id in nodes.firstIndex { $0.id == id }.map { holds[$0] } ?? true } > part.count
    }
  }

  /// A node acts on the newest configuration of its log, committed or not, and on none that was taken back.
  private mutating func checkConfiguration(_ node: Int, _ state: ConsensusState, now: Instant) {
    let seen = nodes[node]
    let index = seen.mirror.configurationIndex
    guard !state.electorate.isEmpty, let entry = seen.mirror.entry(at: index), entry.kind == .configuration else { return }
    if seen.inLog.position != entry.position {
      let electorate = (try? Configuration(decoding: entry.payload))?.electorate ?? []
      if state.role == .leader, entry.term == state.term { checkChange(node, to: entry, electorate, state, now: now) }
      seen.inLog = (entry.position, electorate)
    }
    if seen.inLog.electorate != state.electorate {
      let text =
        "\(names[node]) acts on a configuration of \(state.electorate.count) parts that is not the newest of its log, entry \(index)"
      report(.electionSafety, text, at: now)
    }
  }

  /// A leader begins a change when the one before, and an entry of its own term, are committed; and any quorum before meets any after.
  private mutating func checkChange(_ node: Int, to entry: Entry, _ electorate: [[NodeID]], _ state: ConsensusState, now: Instant) {
    let (seen, before) = (nodes[node], nodes[node].inLog)
    if before.position.index > state.commitIndex {
      let text =
        "\(names[node]) changes the members, entry \(entry.index), before the change in entry \(before.position.index) is committed"
      report(.electionSafety, text, at: now)
    }
    if let term = seen.mirror.term(at: state.commitIndex), term != state.term {
      let text = "\(names[node]) changes the members, entry \(entry.index), before an entry of its term \(state.term) is committed"
      report(.electionSafety, text, at: now)
    }
    let meets = before.electorate.contains { old in electorate.contains { Set(old).symmetricDifference($0).count <= 1 } }
    if !before.electorate.isEmpty, !meets {
      report(.electionSafety, "a quorum before entry \(entry.index) of \(names[node]) need not meet one after it", at: now)
    }
  }

  /// Whoever knows that it left votes for nobody.
  private mutating func checkRemoved(_ node: Int, _ state: ConsensusState, _ writes: [LogWrite], now: Instant) {
    let seen = nodes[node]
    if seen.isRemoved, let vote = writes.compactMap({ $0.hardState?.vote }).last {
      report(.electionSafety, "\(names[node]) votes for node \(vote), though it knows that it is no member any more", at: now)
    }
    seen.isRemoved = state.isRemoved
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
  private mutating func checkCommitted(_ node: Int, after before: LogIndex, _ state: ConsensusState, former: [[NodeID]], now: Instant)
    -> [Entry]
  {
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
        noteRemoved(entry, in: state.term)
        news.append(entry)
        checkQuorum(has: entry, state, former: former, now: now)
      }
    }
    return news
  }

  private mutating func noteRemoved(_ entry: Entry, in term: Term) {
    guard entry.kind == .configuration, let configuration = try? Configuration(decoding: entry.payload) else { return }
    for id in configuration.removed where !left.contains(where: { $0.id == id }) { left.append((id, term)) }
  }

  /// Every member's log begins with the first entry, by agreement: it needs no quorum.
  private mutating func checkQuorum(has entry: Entry, _ state: ConsensusState, former: [[NodeID]], now: Instant) {
    guard entry.index > 1 else { return }
    let copies = nodes.map { seen in
      seen.lostDisk || seen.mirror.start.index >= entry.index
        || (seen.mirror.durableIndex >= entry.index && seen.mirror.term(at: entry.index) == entry.term)
    }
    // A turn may commit something, and go on to the next configuration.
    if !isQuorum(copies, of: state.electorate, state), former.isEmpty || !isQuorum(copies, of: former, state) {
      let holders = copies.count { $0 }
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
