import ByteCoding
import Raft
import Testing
import WriteAheadLog

@testable import Replica
@testable import Simulation

/// The checker is checked: each property is broken by hand, and named.
@Suite struct SafetyCheckerTests {
  /// A checker of three nodes, told what a run would tell it.
  struct Bench {
    var checker = SafetyChecker(names: ["a", "b", "c"])
    private var sequences = [0, 0, 0] as [UInt64]
    private var states = [Bench.state(), Bench.state(), Bench.state()]

    var found: [Violation.Checker] { checker.violations.map(\.checker) }

    /// The node hands these to its disk; which confirms them, or not yet.
    mutating func write(_ node: Int, _ entries: [Entry] = [], state: HardState? = nil, isConfirmed: Bool = true) {
      sequences[node] += 1
      let write = LogWrite(sequence: sequences[node], hardState: state, entries: entries)
      _ = checker.check(node, states[node], writes: [write], now: .zero)
      if isConfirmed { checker.wrote(node, through: sequences[node], now: .zero) }
    }

    mutating func turn(_ node: Int, _ state: ConsensusState) {
      states[node] = state
      _ = checker.check(node, state, writes: [], now: .zero)
    }

    /// All vote for it, and it leads.
    mutating func lead(_ node: Int, term: Term, commit: LogIndex = 0) {
      for voter in 0..<3 { write(voter, state: HardState(term: term, vote: NodeID(1))) }
      turn(node, Self.state(.leader, term: term, commit: commit, applied: commit))
    }

    static func state(
      _ role: RaftCore.Role = .follower, term: Term = 0, commit: LogIndex = 0, applied: LogIndex = 0, durable: LogIndex = 0
    ) -> ConsensusState {
      ConsensusState(
        id: NodeID(1), role: role, term: term, commitIndex: commit, appliedIndex: applied, lastIndex: 0, durableIndex: durable, voters: 3)
    }
  }

  static func entries(_ terms: Term..., payload: UInt8 = 0) -> [Entry] {
    terms.enumerated().map { Entry(index: LogIndex($0.offset + 1), term: $0.element, kind: .command, payload: [payload]) }
  }

  @Test func acceptsAnOrdinaryLife() {
    var bench = Bench()
    for node in 0..<3 { bench.write(node, Self.entries(1, 2, 2), state: HardState(term: 2, vote: NodeID(1))) }
    bench.lead(0, term: 2, commit: 3)
    bench.turn(1, Bench.state(term: 2, commit: 2, applied: 1))
    bench.turn(1, Bench.state(term: 3, commit: 3, applied: 3))
    #expect(bench.found.isEmpty)
    #expect(bench.checker.committed.count == 3)
  }

  @Test func namesTwoLeadersOfATerm() {
    var bench = Bench()
    bench.lead(0, term: 5)
    bench.lead(1, term: 5)
    #expect(bench.found == [.electionSafety])
  }

  @Test func namesALeaderWithoutAMajorityOfVotes() {
    var bench = Bench()
    bench.write(0, state: HardState(term: 5, vote: NodeID(1)))
    bench.write(1, state: HardState(term: 5, vote: NodeID(1)), isConfirmed: false)
    bench.turn(0, Bench.state(.leader, term: 5))
    #expect(bench.found == [.electionSafety])
  }

  @Test func namesWhatIsTakenForDurableTooEarly() {
    var bench = Bench()
    bench.write(0, Self.entries(1))
    bench.write(0, Self.entries(1, 1), isConfirmed: false)
    bench.turn(0, Bench.state(durable: 2))
    #expect(bench.found == [.durability])
  }

  @Test func namesASecondVote() {
    var bench = Bench()
    bench.write(0, state: HardState(term: 3, vote: NodeID(1)))
    bench.write(0, state: HardState(term: 3, vote: NodeID(2)))
    #expect(bench.found == [.electionSafety])
  }

  /// A node may vote and go on to a newer term in one turn. Once its disk knows that term, it cannot vote in the older one again.
  @Test func acceptsAVoteOfATermThatTheDiskHasPassedButNotTwo() {
    var bench = Bench()
    bench.write(1, state: HardState(term: 6))
    for (candidate, found) in [(NodeID(1), []), (NodeID(1), []), (NodeID(3), [.durability])] as [(NodeID, [Violation.Checker])] {
      let vote = Message(from: NodeID(2), to: candidate, term: 5, body: .voteResponse(granted: true))
      bench.checker.said(1, Array(Frame(cluster: ClusterID(1), from: NodeID(2), to: candidate, body: .message(vote)).encoded()), now: .zero)
      #expect(bench.found == found)
    }
  }

  @Test(arguments: [4, 3] as [Term]) func namesAConfirmationOfWhatTheLeaderHasOtherwise(term: Term) {
    var bench = Bench()
    bench.write(0, Self.entries(1, 4), state: HardState(term: 4, vote: NodeID(1)))
    bench.write(1, Self.entries(1, term))
    bench.lead(0, term: 4, commit: 1)
    let body = Message.Body.appendAccepted(match: 2)
    let frame = Frame(
      cluster: ClusterID(1), from: NodeID(2), to: NodeID(1), body: .message(Message(from: NodeID(2), to: NodeID(1), term: 4, body: body)))
    bench.checker.said(1, Array(frame.encoded()), now: .zero)
    #expect(bench.found == (term == 4 ? [] : [.logMatching]))
  }

  @Test func namesAnotherEntryOfTheSameTerm() {
    var bench = Bench()
    bench.write(0, Self.entries(1, 2))
    bench.write(1, Self.entries(1, 2, payload: 9))
    #expect(bench.found.contains(.logMatching))
  }

  @Test func namesAnotherPastOfTheSameEntry() {
    var bench = Bench()
    bench.write(0, Self.entries(1, 1, 3))
    bench.write(1, Self.entries(1, 2, 3))
    #expect(bench.found == [.logMatching])
  }

  @Test func namesALeaderThatLacksWhatWasCommitted() {
    var bench = Bench()
    for node in 0..<2 { bench.write(node, Self.entries(1, 2)) }
    bench.write(2, Self.entries(1))
    bench.lead(0, term: 2, commit: 2)
    bench.lead(2, term: 3)
    #expect(bench.found == [.leaderCompleteness])
  }

  /// One that was frozen, and learns now that it once won, need not have what was committed since.
  @Test func acceptsALeaderThatWasOvertaken() {
    var bench = Bench()
    for node in 0..<2 { bench.write(node, Self.entries(1, 4)) }
    bench.write(2, Self.entries(1))
    bench.write(2, state: HardState(term: 3, vote: NodeID(1)))
    bench.write(1, state: HardState(term: 3, vote: NodeID(1)))
    bench.lead(0, term: 4, commit: 2)
    bench.turn(2, Bench.state(.leader, term: 3))
    #expect(bench.found.isEmpty)
  }

  /// Figure 8 of the Raft paper: a quorum has the entry, and yet the next leader may be without it.
  @Test func namesALeaderThatCountsCopiesOfAnOlderTermsEntry() {
    for (terms, isFound) in [([1, 2] as [Term], true), ([1, 4], false)] {
      var bench = Bench()
      for node in 0..<2 { bench.write(node, Self.entries(terms[0], terms[1])) }
      bench.lead(0, term: 4, commit: 1)
      bench.turn(0, Bench.state(.leader, term: 4, commit: 2, applied: 1))
      #expect(bench.found == (isFound ? [.leaderCompleteness] : []))
    }
  }

  @Test func namesAnotherEntryThatIsCommitted() {
    var bench = Bench()
    for node in 0..<2 { bench.write(node, Self.entries(1, 2)) }
    bench.write(2, Self.entries(1, 3))
    bench.turn(0, Bench.state(term: 2, commit: 2))
    bench.turn(2, Bench.state(term: 3, commit: 2))
    #expect(bench.found == [.stateMachineSafety])
  }

  @Test func namesACommitBeyondTheLog() {
    var bench = Bench()
    bench.write(0, Self.entries(1))
    bench.turn(0, Bench.state(term: 1, commit: 2))
    #expect(bench.found == [.stateMachineSafety])
  }

  @Test func namesACommitThatIsNotOnAQuorumOfDisks() {
    var bench = Bench()
    bench.write(0, Self.entries(1, 2))
    bench.write(1, Self.entries(1, 2), isConfirmed: false)
    bench.turn(0, Bench.state(term: 2, commit: 2))
    #expect(bench.found == [.durability])
  }

  @Test(arguments: [
    Bench.state(term: 2, commit: 2, applied: 2), Bench.state(term: 3, commit: 1, applied: 2), Bench.state(term: 3, commit: 2, applied: 1),
  ])
  func namesWhatGoesBack(state: ConsensusState) {
    var bench = Bench()
    for node in 0..<3 { bench.write(node, Self.entries(1, 2)) }
    bench.turn(0, Bench.state(term: 3, commit: 2, applied: 2))
    bench.turn(0, state)
    #expect(bench.found == [.monotonicity])
  }

  @Test func namesWhatARestartHasLost() {
    for recovered in [
      nil, DurableState(hardState: HardState(term: 2), start: .zero, entries: Self.entries(1, 2), commit: 0),
      DurableState(hardState: HardState(term: 2, vote: NodeID(1)), start: .zero, entries: Self.entries(1), commit: 0),
      DurableState(hardState: HardState(term: 2, vote: NodeID(1)), start: .zero, entries: Self.entries(1, 1), commit: 0),
    ] {
      var bench = Bench()
      bench.write(0, Self.entries(1, 2), state: HardState(term: 2, vote: NodeID(1)))
      bench.checker.started(0, recovered, now: .zero)
      #expect(bench.found == [.durability], "\(String(describing: recovered))")
    }
  }

  @Test func acceptsARestartThatForgetsWhatWasNeverConfirmed() {
    var bench = Bench()
    bench.write(0, Self.entries(1), state: HardState(term: 1))
    bench.write(0, Self.entries(1, 1, 1), state: HardState(term: 4, vote: NodeID(2)), isConfirmed: false)
    bench.checker.started(0, DurableState(hardState: HardState(term: 1), start: .zero, entries: Self.entries(1), commit: 0), now: .zero)
    #expect(bench.found.isEmpty)
  }

  /// A leader's snapshot is durable, and the process ends before the log that disagrees with it is: a restart goes on from the snapshot.
  @Test func acceptsARestartFromASnapshotThatTheLogDisagreesWith() {
    for (term, checkers) in [(3 as Term, [] as [Violation.Checker]), (1, [.durability])] {
      var bench = Bench()
      bench.write(0, Self.entries(1, 1, 1, 1), state: HardState(term: 3))
      let start = LogPosition(index: 3, term: term)
      bench.checker.started(0, DurableState(hardState: HardState(term: 3), start: start, entries: [], commit: 3), now: .zero)
      #expect(bench.found == checkers, "a snapshot of term \(term)")
    }
  }

  @Test func namesTwoClusters() {
    var bench = Bench()
    bench.checker.formed(0, ClusterID(7), now: .zero)
    bench.checker.formed(1, ClusterID(8), now: .zero)
    #expect(bench.found == [.electionSafety])
  }

  /// A frame as a node sends it, but for its checksum: version at 4, kind at 5, receiver at 22, term at 30.
  private static func frame(kind: UInt8, to receiver: UInt64 = 2, term: Term, granted: Bool = false) -> [UInt8] {
    var writer = ByteWriter(capacity: 64)
    writer.write(UInt32(0))
    writer.write(UInt8(1))
    writer.write(kind)
    writer.write(UInt64(0))
    writer.write(UInt64(1))
    writer.write(receiver)
    writer.write(term)
    writer.write(UInt8(granted ? 1 : 0))
    return Array(writer.slice)
  }

  @Test(arguments: [20, 23, 25, 26, 29] as [UInt8]) func namesWhoSendsALeadersFrame(kind: UInt8) {
    var bench = Bench()
    bench.lead(0, term: 2)
    bench.checker.said(0, Self.frame(kind: kind, term: 2), now: .zero)
    #expect(bench.found.isEmpty)
    bench.checker.said(1, Self.frame(kind: kind, term: 2), now: .zero)
    #expect(bench.found == [.electionSafety])
  }

  /// It led, and what it said then may leave later.
  @Test func acceptsALeadersFrameAfterItsTerm() {
    var bench = Bench()
    bench.lead(0, term: 2)
    for node in 0..<3 { bench.write(node, state: HardState(term: 3)) }
    bench.turn(0, Bench.state(term: 3))
    bench.checker.said(0, Self.frame(kind: 23, term: 2), now: .zero)
    #expect(bench.found.isEmpty)
  }

  private static func vote(for candidate: UInt64, term: Term) -> [UInt8] { frame(kind: 19, to: candidate, term: term, granted: true) }

  /// It voted, and heard of a newer term in the same turn: only that reaches the disk, which rules out another vote as well.
  @Test func acceptsAVoteThatANewerTermOvertookOnItsWayToTheDisk() {
    var bench = Bench()
    bench.write(0, state: HardState(term: 4))
    bench.checker.said(0, Self.vote(for: 1, term: 3), now: .zero)
    bench.checker.said(0, Self.vote(for: 1, term: 3), now: .zero)
    #expect(bench.found.isEmpty)
    bench.checker.said(0, Self.vote(for: 2, term: 3), now: .zero)
    #expect(bench.found == [.durability])
  }

  // MARK: Configurations

  private static func configuration(_ voters: [UInt64], _ outgoing: [UInt64] = []) -> Configuration {
    func members(_ ids: [UInt64]) -> [Member] {
      ids.map { Member(id: NodeID($0), name: "n\($0)", peerAddress: "", clientAddress: "") }
    }
    return Configuration(voters: members(voters), outgoing: members(outgoing))
  }

  private static func state(_ node: UInt64, _ role: RaftCore.Role = .follower, commit: LogIndex = 0, in configuration: Configuration)
    -> ConsensusState
  {
    ConsensusState(
      id: NodeID(node), role: role, term: 2, commitIndex: commit, appliedIndex: 0, lastIndex: 0, durableIndex: 0,
      voters: configuration.voters.count, electorate: configuration.electorate)
  }

  /// Nodes 1 and 2 vote for 1, of the voters 1, 2 and 3.
  private static func led(_ configuration: Configuration) -> Bench {
    var bench = Bench()
    for node in 0..<3 { bench.turn(node, state(UInt64(node + 1), in: configuration)) }
    for node in 0..<2 { bench.write(node, state: HardState(term: 2, vote: NodeID(1))) }
    bench.turn(0, state(1, .leader, in: configuration))
    return bench
  }

  @Test func aJointConfigurationNeedsTheVotesOfBothParts() {
    #expect(Self.led(Self.configuration([1, 2, 3])).found.isEmpty)
    #expect(Self.led(Self.configuration([1, 2, 3], [1, 3, 2])).found.isEmpty)
    #expect(Self.led(Self.configuration([1, 2], [1, 3])).found == [.electionSafety])
    #expect(Self.led(Self.configuration([1, 3], [1, 2])).found == [.electionSafety])
    // Of somebody whose disk was lost nobody knows.
    #expect(Self.led(Self.configuration([1, 2], [1, 9])).found.isEmpty)
  }

  @Test func aJointConfigurationNeedsTheCopiesOfBothParts() {
    for (outgoing, found) in [([1, 2], []), ([1, 3], [.durability])] as [([UInt64], [Violation.Checker])] {
      let configuration = Self.configuration([1, 2], outgoing)
      var bench = Bench()
      for node in 0..<3 {
        bench.turn(node, Self.state(UInt64(node + 1), in: configuration))
        bench.write(node, state: HardState(term: 2, vote: NodeID(1)))
        if node < 2 { bench.write(node, Self.entries(1, 2)) }
      }
      bench.turn(0, Self.state(1, .leader, in: configuration))
      bench.turn(0, Self.state(1, .leader, commit: 2, in: configuration))
      #expect(bench.found == found)
    }
  }

  @Test func namesAConfigurationThatIsNotTheNewestOfTheLog() {
    let (old, new) = (Self.configuration([1, 2, 3]), Self.configuration([1, 2]))
    let log = [old, new].enumerated().map {
      Entry(index: LogIndex($0.offset + 1), term: 1, kind: .configuration, payload: $0.element.encoded()[...])
    }
    var bench = Bench()
    bench.turn(0, Self.state(1, in: new))
    bench.write(0, log)
    #expect(bench.found.isEmpty)
    bench.turn(0, Self.state(1, in: old))
    #expect(bench.found == [.electionSafety])
    var rolledBack = Bench()
    rolledBack.turn(0, Self.state(1, in: new))
    rolledBack.write(0, log)
    rolledBack.write(0, [Entry(index: 2, term: 2, kind: .noop)])
    #expect(rolledBack.found == [.electionSafety], "it went with its entry")
  }

  // MARK: Changes of the members

  /// Node 1 leads in term 2, and its log gets these configurations, one turn after the other; before each it has committed so far.
  private static func changes(_ steps: [(Configuration, commit: LogIndex)]) -> [Violation.Checker] {
    let first = configuration([1, 2, 3])
    var bench = Bench()
    for node in 0..<3 {
      bench.turn(node, state(UInt64(node + 1), in: first))
      bench.write(node, state: HardState(term: 2, vote: NodeID(1)))
      bench.write(node, [entry(1, 1, first), Entry(index: 2, term: 2, kind: .noop)])
    }
    bench.turn(0, state(1, .leader, in: first))
    for (place, step) in steps.enumerated() {
      let new = entry(LogIndex(place + 3), 2, step.0)
      let write = LogWrite(sequence: UInt64(place + 3), entries: [new])
      for node in [1, 2, 0] {
        let state = node == 0 ? state(1, .leader, commit: step.commit, in: step.0) : state(UInt64(node + 1), in: step.0)
        _ = bench.checker.check(node, state, writes: [write], now: .zero)
        bench.checker.wrote(node, through: UInt64(place + 3), now: .zero)
      }
    }
    return bench.found
  }

  private static func entry(_ index: LogIndex, _ term: Term, _ configuration: Configuration) -> Entry {
    Entry(index: index, term: term, kind: .configuration, payload: configuration.encoded()[...])
  }

  @Test func namesAChangeBeforeTheOneBeforeIsCommitted() {
    let (one, two) = (Self.configuration([1, 2]), Self.configuration([1, 2, 4]))
    #expect(Self.changes([(one, commit: 2), (two, commit: 3)]).isEmpty)
    #expect(Self.changes([(one, commit: 2), (two, commit: 2)]).contains(.electionSafety))
  }

  @Test func namesAChangeBeforeAnEntryOfTheTermIsCommitted() {
    #expect(Self.changes([(Self.configuration([1, 2]), commit: 1)]) == [.electionSafety, .leaderCompleteness])
  }

  @Test func namesAChangeWhoseQuorumsNeedNotMeet() {
    #expect(Self.changes([(Self.configuration([1, 2, 4], [1, 2, 3]), commit: 2)]).isEmpty)
    #expect(Self.changes([(Self.configuration([1, 4, 5]), commit: 2)]) == [.electionSafety])
  }

  @Test func namesWhoVotesThoughItLeft() {
    var bench = Bench()
    func left(_ isRemoved: Bool) -> ConsensusState {
      ConsensusState(
        id: NodeID(2), role: .follower, term: 2, commitIndex: 0, appliedIndex: 0, lastIndex: 0, durableIndex: 0, voters: 2,
        isRemoved: isRemoved)
    }
    bench.turn(1, left(false))
    bench.write(1, state: HardState(term: 2, vote: NodeID(1)))
    bench.turn(1, left(true))
    bench.write(1, state: HardState(term: 3))
    #expect(bench.found.isEmpty)
    bench.write(1, state: HardState(term: 4, vote: NodeID(1)))
    #expect(bench.found == [.electionSafety])
  }

  @Test func namesWhoLeadsThoughItLeft() {
    let next = Configuration(voters: Self.configuration([2, 3]).voters, removed: [NodeID(1)])
    var bench = Bench()
    for node in 0..<3 {
      bench.write(node, [Self.entry(1, 2, next)], state: HardState(term: 2, vote: NodeID(1)))
      bench.turn(node, Self.state(UInt64(node + 1), in: next))
    }
    bench.turn(0, Self.state(1, .leader, commit: 1, in: next))
    #expect(bench.found.isEmpty, "it led when it was removed")
    for node in 0..<3 { bench.write(node, state: HardState(term: 3, vote: NodeID(1))) }
    let state = ConsensusState(
      id: NodeID(1), role: .leader, term: 3, commitIndex: 1, appliedIndex: 0, lastIndex: 0, durableIndex: 0, voters: 2,
      electorate: next.electorate)
    bench.turn(0, state)
    #expect(bench.found.contains(.electionSafety))
  }
}
