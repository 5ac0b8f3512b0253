import ByteCoding
import KeyValue
import Raft
import Replica
import Testing

@testable import Simulation

/// The checker is checked: it accepts what may be, and names what may not.
@Suite struct OracleTests {
  typealias Outcome = SimulatedCluster<KeyValueMachine>.Outcome

  static let key: Key = Array("k".utf8)

  static func entry(_ index: LogIndex, request: RequestID, _ value: String) -> Entry {
    let command = Request.put(PutRequest(key: key, value: Array(value.utf8))).encoded()
    let payload = Proposal(origin: NodeID(1), request: request, command: command[...]).encoded()
    return Entry(index: index, term: 1, kind: .command, payload: payload)
  }

  static func outcome(revision: Revision) -> Outcome {
    .applied(.success(Response(revision: revision, result: .put(previous: nil))))
  }

  /// A store in which `values` were put one after the other.
  static func view(_ values: String...) -> KeyValueView {
    var store = KeyValueMachine()
    for (offset, value) in values.enumerated() {
      let command = Request.put(PutRequest(key: key, value: Array(value.utf8))).encoded()
      _ = store.apply([Command(index: LogIndex(offset + 1), term: 1, payload: command[...])])
    }
    return store.view
  }

  static func oracle(committed values: String...) -> Oracle<KeyValueWorkload> {
    var oracle = Oracle<KeyValueWorkload>()
    for (offset, value) in values.enumerated() {
      let number = UInt64(offset + 1)
      oracle.ask(number)
      oracle.commit(entry(number, request: number, value), at: .zero)
      oracle.answer(number, outcome(revision: Revision(offset + 2)), at: .zero)
    }
    return oracle
  }

  @Test func acceptsWhatTheLogSays() {
    var oracle = Self.oracle(committed: "a", "b")
    oracle.ask(9)
    oracle.answer(9, .view(Self.view("a", "b"), index: 2, staleness: nil), at: .zero)
    // A read that began before a change may see the state before it; a stale one may at any time.
    oracle.ask(10)
    oracle.answer(10, .view(Self.view("a"), index: 1, staleness: Nanoseconds(1)), at: .zero)
    #expect(oracle.violations.isEmpty)
  }

  @Test func namesAStaleRead() {
    var oracle = Self.oracle(committed: "a", "b")
    oracle.ask(9)
    oracle.answer(9, .view(Self.view("a"), index: 1, staleness: nil), at: .zero)
    #expect(oracle.violations.contains { $0.checker == .freshness })
  }

  @Test func namesAReadOfWhatWasNeverWritten() {
    var oracle = Self.oracle(committed: "a", "b")
    oracle.ask(9)
    oracle.answer(9, .view(Self.view("a", "x"), index: 2, staleness: nil), at: .zero)
    #expect(oracle.violations.count == 1)
  }

  @Test func namesAnAnswerBeforeTheCommit() {
    var oracle = Oracle<KeyValueWorkload>()
    oracle.ask(1)
    oracle.answer(1, Self.outcome(revision: 2), at: .zero)
    #expect(oracle.violations.contains { $0.checker == .answers })
  }

  @Test func namesAnAnswerThatTheLogDoesNotGive() {
    var oracle = Oracle<KeyValueWorkload>()
    oracle.ask(1)
    oracle.commit(Self.entry(1, request: 1, "a"), at: .zero)
    oracle.answer(1, Self.outcome(revision: 7), at: .zero)
    #expect(oracle.violations.count == 1)
  }

  @Test func namesACommandDoneTwice() {
    var oracle = Self.oracle(committed: "a")
    oracle.commit(Self.entry(2, request: 1, "a"), at: .zero)
    #expect(oracle.violations.contains { $0.checker == .exactlyOnce })
  }

  @Test func namesACommandThatNobodyAskedFor() {
    var oracle = Self.oracle(committed: "a")
    oracle.request = { _ in nil }
    oracle.commit(Self.entry(2, request: 2, "b"), at: .zero)
    #expect(oracle.violations.map(\.checker) == [.exactlyOnce])
  }

  @Test(arguments: [true, false]) func namesALieAboutWhatWasNotDone(isCommittedFirst: Bool) {
    var oracle = Oracle<KeyValueWorkload>()
    oracle.ask(1)
    if isCommittedFirst { oracle.commit(Self.entry(1, request: 1, "a"), at: .zero) }
    oracle.answer(1, .failed(RequestError(.noLeader, outcome: .notDone)), at: .zero)
    if !isCommittedFirst { oracle.commit(Self.entry(1, request: 1, "a"), at: .zero) }
    #expect(oracle.violations.count == 1)
  }

  @Test func acceptsAnUnknownOutcomeEitherWay() {
    var oracle = Oracle<KeyValueWorkload>()
    for id in 1...2 as ClosedRange<RequestID> {
      oracle.ask(id)
      oracle.answer(id, .failed(RequestError(.deadlineExceeded, outcome: .unknown)), at: .zero)
    }
    oracle.commit(Self.entry(1, request: 1, "a"), at: .zero)
    #expect(oracle.violations.isEmpty)
  }

  @Test func namesAnAnswerThatComesTwice() {
    var oracle = Self.oracle(committed: "a")
    oracle.answer(1, Self.outcome(revision: 2), at: .zero)
    #expect(oracle.violations.map(\.checker) == [.exactlyOnce])
  }

  @Test func namesAGapAmongWhatIsCommitted() {
    var oracle = Self.oracle(committed: "a")
    oracle.commit(Self.entry(3, request: 7, "b"), at: .zero)
    #expect(oracle.violations.map(\.checker) == [.stateMachineSafety])
  }

  @Test func namesANodeWithAnotherState() {
    var oracle = Self.oracle(committed: "a", "b")
    oracle.compare(Self.view("a"), 1, "node x", at: .zero)
    #expect(oracle.violations.isEmpty)
    oracle.compare(Self.view("a"), 2, "node x", at: .zero)
    oracle.compare(Self.view("a", "b"), 3, "node x", at: .zero)
    #expect(oracle.violations.map(\.checker) == [.stateMachineSafety, .stateMachineSafety])
  }
}
