import Testing

@testable import KeyValue

@Suite struct TransactionTests {
  @Test func changesShareOneRevisionAndLaterOnesSeeEarlierOnes() throws {
    var machine = KeyValueMachine(.put("a", "1"))
    let output = machine.perform(
      .transaction(then: [.get("b"), .put("b", "2"), .get("b"), .delete("a"), .get("a", "\0"), .transaction(then: [.put("c", "3")])]))
    let b = KeyValuePair("b", "2", create: 3, mod: 3, version: 1)
    let expected: [OperationResult] = [
      .range(RangeResponse()), .put(previous: nil), .range(RangeResponse(pairs: [b], count: 1)), .delete(count: 1, previous: []),
      .range(RangeResponse(pairs: [b], count: 1)), .transaction(succeeded: true, responses: [.put(previous: nil)]),
    ]
    #expect(output == .success(Response(revision: 3, result: .transaction(succeeded: true, responses: expected))))
    #expect(machine.view.pairs().map(\.modRevision) == [3, 3])
    #expect(expected.map(\.isChange) == [false, true, false, true, false, true])
  }

  @Test func oneThatChangesNothingMakesNoRevision() {
    var machine = KeyValueMachine(.put("a", "1"))
    machine.perform(.transaction(then: [.get("a"), .delete("b"), .transaction(then: [.get("a")], else: [.put("z")])]))
    #expect(machine.view.revision == 2)
    machine.perform(.transaction())
    #expect(machine.view.revision == 2)
  }

  @Test func innerComparisonsSeeTheStateBefore() {
    var machine = KeyValueMachine(.put("a", "1"))
    let isOne = Comparison(range: KeyRange("a"), relation: .equal, operand: .value(k("1")))
    let output = machine.perform(
      .transaction([isOne], then: [.put("a", "2"), .transaction([isOne], then: [.put("b")], else: [.put("c")])]))
    let inner = OperationResult.transaction(succeeded: true, responses: [.put(previous: nil)])
    #expect(output == .success(Response(revision: 3, result: .transaction(succeeded: true, responses: [.put(previous: nil), inner]))))
    #expect(machine.view.pairs().map(\.key) == [k("a"), k("b")])
  }

  @Test func takesTheOtherBranch() {
    var machine = KeyValueMachine()
    let exists = Comparison(range: KeyRange("a"), relation: .greater, operand: .version(0))
    for expected in ["made", "found"] {
      machine.perform(.transaction([exists], then: [.put("a", "found")], else: [.put("a", "made")]))
      #expect(machine.view.get(k("a"))?.value == k(expected))
    }
  }

  /// On a: value "m", created 2, changed 3, version 2; b: value "m", created 4, changed 4, version 1; no c.
  static let comparisons: [(KeyRange, Comparison.Relation, Comparison.Operand, Bool)] = [
    (KeyRange("a"), .equal, .value(k("m")), true), (KeyRange("a"), .equal, .value(k("n")), false),
    (KeyRange("a"), .notEqual, .value(k("n")), true), (KeyRange("a"), .notEqual, .value(k("m")), false),
    (KeyRange("a"), .greater, .value(k("l")), true), (KeyRange("a"), .greater, .value(k("m")), false),
    (KeyRange("a"), .less, .value(k("mm")), true), (KeyRange("a"), .less, .value(k("m")), false),
    (KeyRange("a"), .equal, .version(2), true), (KeyRange("a"), .less, .version(2), false), (KeyRange("a"), .less, .version(3), true),
    (KeyRange("a"), .equal, .createRevision(2), true), (KeyRange("a"), .greater, .createRevision(2), false),
    (KeyRange("a"), .equal, .modRevision(3), true), (KeyRange("a"), .greater, .modRevision(2), true),
    // A missing key: no value holds, the numbers are 0.
    (KeyRange("c"), .equal, .value([]), false), (KeyRange("c"), .notEqual, .value(k("x")), false),
    (KeyRange("c"), .less, .value(k("x")), false),
    (KeyRange("c"), .equal, .version(0), true), (KeyRange("c"), .equal, .createRevision(0), true),
    (KeyRange("c"), .equal, .modRevision(0), true),
    (KeyRange("c"), .greater, .version(0), false), (KeyRange("c"), .less, .modRevision(1), true),
    (KeyRange("c"), .greater, .version(-1), true),
    // A range: for every key; an empty one is as a missing key.
    (.all, .equal, .value(k("m")), true), (.all, .equal, .version(2), false), (.all, .greater, .version(0), true),
    (KeyRange("b", "\0"), .equal, .version(1), true), (KeyRange("x", "\0"), .equal, .version(0), true),
    (KeyRange("x", "z"), .equal, .value([]), false),
  ]

  @Test(arguments: comparisons)
  func compares(range: KeyRange, relation: Comparison.Relation, operand: Comparison.Operand, expected: Bool) throws {
    let machine = KeyValueMachine(.put("a", "x"), .put("a", "m"), .put("b", "m"))
    let answer = try machine.view.answer(.transaction([Comparison(range: range, relation: relation, operand: operand)])).get()
    #expect(answer == Response(revision: 4, result: .transaction(succeeded: expected, responses: [])))
  }

  @Test func aFailingOneChangesNothing() {
    var machine = KeyValueMachine(.put("a", "1"), .compaction(CompactionRequest(revision: 2)))
    let digest = machine.view.digest
    let failing: [(Request, KeyValueError)] = [
      (.transaction(then: [.put("b", "2"), .delete("a"), .put("c", ignoreValue: true)]), .keyNotFound),
      // A key made by the transaction itself does not exist before it.
      (.transaction(then: [.put("b", "2"), .transaction(then: [.put("c", ignoreValue: true)])]), .keyNotFound),
      (.transaction(then: [.put("b", "2"), .get("a", revision: 3)]), .futureRevision),
      (.transaction(then: [.put("b", "2"), .get("a", revision: 1)]), .compacted),
      (.transaction(then: [.put("b", "2"), .put("c", lease: 5)]), .leaseNotFound),
      (.transaction(then: [.transaction(then: [.put("c", lease: 5)])]), .leaseNotFound),
      (.transaction(then: [.put("c", ignoreValue: true, lease: 5)]), .keyNotFound),
    ]
    for (request, error) in failing {
      let output = machine.perform(request)
      #expect(output == .failure(error))
      #expect(machine.view.digest == digest)
    }
    // What stands in the branch not taken does not matter.
    let other: [Request] = [.get("a", revision: 99), .put("c", ignoreValue: true), .put("d", lease: 5)]
    let output = machine.perform(.transaction(then: [.put("b")], else: other))
    #expect(output == .success(Response(revision: 3, result: .transaction(succeeded: true, responses: [.put(previous: nil)]))))
  }

  @Test func aReadThatNamesTheRevisionSeesTheStateBefore() {
    var machine = KeyValueMachine(.put("a", "1"))
    let output = machine.perform(.transaction(then: [.put("a", "2"), .get("a", revision: 2), .get("a")]))
    let before = KeyValuePair("a", "1", create: 2, mod: 2, version: 1)
    let after = KeyValuePair("a", "2", create: 2, mod: 3, version: 2)
    let responses: [OperationResult] = [
      .put(previous: nil), .range(RangeResponse(pairs: [before], count: 1)), .range(RangeResponse(pairs: [after], count: 1)),
    ]
    #expect(output == .success(Response(revision: 3, result: .transaction(succeeded: true, responses: responses))))
  }

  @Test func aViewAnswersWithoutChanging() throws {
    let machine = KeyValueMachine(.put("a", "1"))
    let view = machine.view
    let answer = try view.answer(.transaction(then: [.put("a", "2"), .get("a")])).get()
    #expect(answer.revision == 3)
    #expect(view.get(k("a"))?.value == k("1"))
    #expect(view.digest == machine.view.digest)
  }
}
