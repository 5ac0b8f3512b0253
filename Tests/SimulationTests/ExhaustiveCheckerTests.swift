import Raft
import Testing

@testable import Simulation

/// The checkers of an exploration are checked: they accept what may be, and name what may not.
@Suite struct ExhaustiveCheckerTests {
  static func marks(_ terms: [Term]) -> [EntryMark] {
    terms.enumerated().map { EntryMark(term: $1, content: $0 == 0 ? 255 : 0) }
  }

  static func entries(_ terms: [Term]) -> [Entry] {
    terms.enumerated().map { Entry(index: LogIndex($0 + 1), term: $1, kind: $0 == 0 ? .configuration : .noop) }
  }

  /// A node whose log is durable up to `durable`, all of it if that is not given.
  static func node(_ terms: [Term], durable: Int? = nil, commit: LogIndex = 1, term: Term? = nil, leads: Bool = false) -> NodeSummary {
    var summary = NodeSummary()
    summary.role = leads ? .leader : .follower
    summary.term = term ?? terms.last ?? 1
    summary.commit = commit
    summary.log = marks(terms)
    summary.durable = Array(summary.log.prefix(durable ?? terms.count))
    return summary
  }

  static func checker(_ nodes: NodeSummary..., committed terms: [Term] = [1]) -> Violation.Checker? {
    WorldChecker.flaw(of: nodes, committed: marks(terms))?.checker
  }

  // MARK: Worlds

  @Test func acceptsLogsThatMayBe() {
    #expect(Self.checker(Self.node([1, 2, 2]), Self.node([1, 3]), Self.node([1, 3], leads: true), committed: [1, 3]) == nil)
    #expect(Self.checker(Self.node([1, 2]), Self.node([1]), Self.node([1, 3])) == nil)
    // The leader itself need not have it on its disk, if two others do.
    #expect(Self.checker(Self.node([1, 2], durable: 1, leads: true), Self.node([1, 2]), Self.node([1, 2]), committed: [1, 2]) == nil)
  }

  @Test func namesLogsThatDoNotMatch() {
    #expect(Self.checker(Self.node([1, 2, 4]), Self.node([1, 3, 4]), Self.node([1])) == .logMatching)
    var other = Self.node([1, 2])
    other.log[1] = EntryMark(term: 2, content: 1)
    #expect(Self.checker(Self.node([1, 2]), other, Self.node([1])) == .logMatching)
    #expect(Self.checker(Self.node([1, 3, 2]), Self.node([1]), Self.node([1])) == .logMatching)
  }

  @Test func namesACommittedEntryThatAQuorumLacks() {
    #expect(Self.checker(Self.node([1, 2]), Self.node([1, 2], durable: 1), Self.node([1]), committed: [1, 2]) == .durability)
    #expect(Self.checker(Self.node([1, 2]), Self.node([1]), committed: [1, 2]) == .durability)
  }

  /// Figure 8: on a majority, but of an older term than what one log holds.
  @Test func namesACommittedEntryThatANewLeaderMayLack() {
    #expect(Self.checker(Self.node([1, 2]), Self.node([1, 2]), Self.node([1, 3]), committed: [1, 2]) == .leaderCompleteness)
    #expect(Self.checker(Self.node([1, 2, 4]), Self.node([1, 2, 4]), Self.node([1, 3]), committed: [1, 2]) == nil)
  }

  // MARK: Chronicles

  static func vote(_ voter: UInt64, for candidate: UInt64, in term: Term) -> Message {
    Message(from: NodeID(voter), to: NodeID(candidate), term: term, body: .voteResponse(granted: true))
  }

  static func candidacy(_ candidate: UInt64, in term: Term) -> Message {
    Message(from: NodeID(candidate), to: NodeID(candidate % 3 + 1), term: term, body: .voteRequest(last: .zero))
  }

  /// What three nodes went through: a state of one of them, and what it sent, one after the other.
  static func checkers(_ turns: (node: Int, terms: [Term], summary: NodeSummary, sent: [Message])...) -> [Violation.Checker] {
    var ghostState = GhostState(nodes: 3)
    return turns.flatMap {
      ghostState.record($0.node, from: node([1]), to: $0.summary, log: entries($0.terms), sent: $0.sent).map(\.checker)
    }
  }

  static let elected: (node: Int, terms: [Term], summary: NodeSummary, sent: [Message]) = (
    0, [1, 2], node([1, 2], leads: true), [candidacy(1, in: 2)]
  )

  @Test func acceptsAnElection() {
    let votes = [Self.vote(2, for: 1, in: 2), Self.vote(2, for: 1, in: 2)]
    #expect(Self.checkers((1, [1], Self.node([1], term: 2), votes), Self.elected) == [])
  }

  @Test func namesASecondVoteInOneTerm() {
    let checkers = Self.checkers((1, [1], Self.node([1], term: 2), [Self.vote(2, for: 1, in: 2), Self.vote(2, for: 3, in: 2)]))
    #expect(checkers == [.electionSafety])
    #expect(Self.checkers((1, [1], Self.node([1]), [Self.candidacy(2, in: 2), Self.vote(2, for: 1, in: 2)])) == [.electionSafety])
    #expect(Self.checkers((1, [1], Self.node([1]), [Self.candidacy(2, in: 2), Self.vote(2, for: 1, in: 3)])) == [])
  }

  @Test func namesALeaderWithoutVotesAndASecondOne() {
    #expect(Self.checkers(Self.elected) == [.electionSafety])
    let support: (node: Int, terms: [Term], summary: NodeSummary, sent: [Message]) = (
      1, [1], Self.node([1], term: 2), [Self.vote(2, for: 1, in: 2)]
    )
    let usurper: (node: Int, terms: [Term], summary: NodeSummary, sent: [Message]) = (2, [1, 2], Self.node([1, 2], leads: true), [])
    // Once for the second leader, once for the votes that it lacks.
    #expect(Self.checkers(support, Self.elected, usurper) == [.electionSafety, .electionSafety])
  }

  @Test func namesALeaderWithoutWhatWasCommitted() {
    let checkers = Self.checkers(
      (1, [1, 2], Self.node([1, 2], commit: 2), [Self.vote(2, for: 3, in: 3)]),
      (2, [1, 3], Self.node([1, 3], leads: true), [Self.candidacy(3, in: 3)]))
    #expect(checkers == [.leaderCompleteness])
  }

  @Test func namesAnotherEntryInTheSamePlace() {
    let checkers = Self.checkers((0, [1, 2], Self.node([1, 2], commit: 2), []), (1, [1, 3], Self.node([1, 3], commit: 2), []))
    #expect(checkers == [.stateMachineSafety])
    #expect(Self.checkers((0, [1, 2], Self.node([1, 2], commit: 3), [])) == [.stateMachineSafety])
  }

  // MARK: Single nodes

  @Test func namesAVoteThatIsForgotten() {
    let a = NodeID(1)
    let b = NodeID(2)
    #expect(NodeChecker.flaw(of: HardState(term: 2, vote: a), after: HardState(term: 2)) == nil)
    #expect(NodeChecker.flaw(of: HardState(term: 3, vote: b), after: HardState(term: 2, vote: a)) == nil)
    for state in [HardState(term: 2), HardState(term: 2, vote: b), HardState(term: 1, vote: a)] {
      #expect(NodeChecker.flaw(of: state, after: HardState(term: 2, vote: a))?.checker == .monotonicity)
    }
  }

  @Test func namesAPromiseThatIsNotDurable() {
    let message = Self.vote(2, for: 1, in: 2)
    #expect(NodeChecker.flaw(ofClaim: message, durable: HardState(term: 2, vote: NodeID(1))) == nil)
    #expect(NodeChecker.flaw(ofClaim: message, durable: HardState(term: 3)) == nil)
    for state in [HardState(term: 1), HardState(term: 2), HardState(term: 2, vote: NodeID(3))] {
      #expect(NodeChecker.flaw(ofClaim: message, durable: state)?.checker == .durability)
    }
    #expect(NodeChecker.flaw(ofClaim: Self.candidacy(1, in: 2), durable: HardState(term: 2))?.checker == .durability)
    let question = Message(from: NodeID(1), to: NodeID(2), term: 2, body: .preVoteRequest(last: .zero))
    #expect(NodeChecker.flaw(ofClaim: question, durable: HardState(term: 1)) == nil)
  }

  @Test func namesAConfirmationOfWhatIsNotDurable() {
    func flaw(_ match: LogIndex, log: [Term], disk: [Term]) -> Exploration.Flaw? {
      let message = Message(from: NodeID(2), to: NodeID(1), term: 3, body: .appendAccepted(match: match))
      return NodeChecker.flaw(ofClaim: message, log: Self.entries(log), disk: Self.entries(disk))
    }
    #expect(flaw(2, log: [1, 2, 2], disk: [1, 2]) == nil)
    #expect(flaw(3, log: [1, 2, 2], disk: [1, 2])?.checker == .durability)
    #expect(flaw(2, log: [1, 3], disk: [1, 2, 2])?.checker == .durability)
  }
}
