import KeyValue
import Raft
import Testing

@testable import Simulation

/// The cross-check is checked: histories that it must accept, and such that it must reject.
@Suite struct LinearizabilityTests {
  /// Writes a history down. Times are in milliseconds.
  struct Story {
    private var history = KeyValueHistory()
    private var last: UInt64 = 0
    /// Of answers to changes, which the check must not rely on.
    private var revision: Revision = 1

    static func pair(_ key: String, _ value: String, _ revision: Revision = 7) -> KeyValuePair {
      KeyValuePair(key: Array(key.utf8), value: Array(value.utf8), createRevision: 1, modRevision: revision, version: 1)
    }

    static func put(_ key: String, _ value: String) -> Request { .put(PutRequest(key: Array(key.utf8), value: Array(value.utf8))) }
    static func get(_ key: String) -> Request { .range(RangeRequest(range: KeyRange(Array(key.utf8)))) }
    static func delete(_ key: String) -> Request { .delete(DeleteRequest(range: KeyRange(Array(key.utf8)))) }

    static func swap(_ key: String, at revision: Revision, to value: String) -> Request {
      .transaction(
        TransactionRequest(
          comparisons: [Comparison(range: KeyRange(Array(key.utf8)), relation: .equal, operand: .modRevision(revision))],
          success: [put(key, value)]))
    }

    /// `to` is `nil` for an outcome that nobody knows.
    mutating func add(_ request: Request, _ response: OperationResult?, _ from: Int64, _ to: Int64?, revision: Revision? = nil) {
      last += 1
      self.revision += 1
      history.asked(last, request, at: .zero + .milliseconds(from))
      guard let to, let response else { return }
      let answer = Response(revision: revision ?? self.revision, result: response)
      history.answered(last, .done(answer), at: .zero + .milliseconds(to))
    }

    mutating func refuse(_ request: Request, _ from: Int64, _ to: Int64) {
      last += 1
      history.asked(last, request, at: .zero + .milliseconds(from))
      history.answered(last, .refused, at: .zero + .milliseconds(to))
    }

    mutating func put(_ key: String, _ value: String, _ from: Int64, _ to: Int64?, revision: Revision? = nil) {
      add(Self.put(key, value), .put(previous: nil), from, to, revision: revision)
    }

    mutating func get(_ key: String, _ value: String?, _ from: Int64, _ to: Int64) {
      let pairs = value.map { [Self.pair(key, $0)] } ?? []
      add(Self.get(key), .range(RangeResponse(pairs: pairs, count: Int64(pairs.count))), from, to)
    }

    mutating func delete(_ key: String, _ count: Int64, _ from: Int64, _ to: Int64?) {
      add(Self.delete(key), .delete(count: count, previous: []), from, to)
    }

    mutating func swap(_ key: String, at revision: Revision, to value: String, _ succeeded: Bool, _ from: Int64, _ to: Int64?) {
      let responses: [OperationResult] = succeeded ? [.put(previous: nil)] : []
      add(Self.swap(key, at: revision, to: value), .transaction(succeeded: succeeded, responses: responses), from, to)
    }

    mutating func putBoth(_ value: String, _ from: Int64, _ to: Int64?) {
      let request = TransactionRequest(success: [Self.put("a", value), Self.put("b", value)])
      add(.transaction(request), .transaction(succeeded: true, responses: [.put(previous: nil), .put(previous: nil)]), from, to)
    }

    mutating func getAll(_ values: [(key: String, value: String)], _ from: Int64, _ to: Int64) {
      let pairs = values.map { Self.pair($0.key, $0.value) }
      add(.range(RangeRequest(range: .all)), .range(RangeResponse(pairs: pairs, count: Int64(pairs.count))), from, to)
    }

    var verdict: KeyValueHistory.Verdict { history.check() }
  }

  static func verdict(_ tell: (inout Story) -> Void) -> KeyValueHistory.Verdict {
    var story = Story()
    tell(&story)
    return story.verdict
  }

  static func isIllegal(_ tell: (inout Story) -> Void) -> Bool {
    if case .illegal = verdict(tell) { true } else { false }
  }

  // MARK: Accepted

  @Test func acceptsOneAfterTheOther() {
    let verdict = Self.verdict {
      $0.get("k", nil, 0, 1)
      $0.put("k", "a", 2, 3)
      $0.get("k", "a", 4, 5)
      $0.delete("k", 1, 6, 7)
      $0.get("k", nil, 8, 9)
      $0.delete("k", 0, 10, 11)
    }
    #expect(verdict == .linearizable)
  }

  @Test func concurrentOperationsMayComeInAnyOrder() {
    let verdict = Self.verdict {
      $0.put("k", "a", 0, 10)
      $0.put("k", "b", 0, 10)
      $0.put("k", "c", 0, 10)
      $0.get("k", "b", 1, 9)
      $0.get("k", "a", 11, 12)
    }
    #expect(verdict == .linearizable)
  }

  @Test func whatTouchesIsConcurrent() {
    let verdict = Self.verdict {
      $0.put("k", "a", 0, 5)
      $0.get("k", nil, 5, 6)
    }
    #expect(verdict == .linearizable)
  }

  @Test func aPutWithoutAnAnswerMayTakeEffectLate() {
    let verdict = Self.verdict {
      $0.put("k", "late", 0, nil)
      $0.put("k", "a", 1, 2)
      $0.get("k", "a", 3, 4)
      $0.get("k", "late", 5, 6)
      $0.put("k", "never", 7, nil)
      $0.get("k", "late", 8, 9)
    }
    #expect(verdict == .linearizable)
  }

  @Test func oneOfTwoSwapsFromTheSameValueSucceeds() {
    let verdict = Self.verdict {
      $0.put("k", "a", 0, 1, revision: 2)
      $0.swap("k", at: 2, to: "b", true, 2, 9)
      $0.swap("k", at: 2, to: "c", false, 2, 9)
      $0.get("k", "b", 10, 11)
    }
    #expect(verdict == .linearizable)
  }

  @Test func aSwapWithoutAnAnswerDependsOnWhatItMeets() {
    let verdict = Self.verdict {
      $0.put("k", "a", 0, 1, revision: 2)
      $0.swap("k", at: 2, to: "b", true, 2, nil)
      $0.put("k", "c", 3, 4)
      $0.put("j", "x", 3, 4)
      $0.get("k", "c", 5, 6)
    }
    #expect(verdict == .linearizable)
  }

  @Test func aRevisionNobodySawIsBelieved() {
    let verdict = Self.verdict {
      $0.put("k", "a", 0, 1, revision: 2)
      $0.swap("k", at: 99, to: "b", true, 2, 3)
      $0.swap("k", at: 98, to: "c", false, 4, 5)
      $0.swap("k", at: 97, to: "d", true, 6, nil)
      $0.get("k", "d", 8, 9)
    }
    #expect(verdict == .linearizable)
  }

  @Test func changesOfSeveralKeysAreSeenTogether() {
    let verdict = Self.verdict {
      $0.putBoth("1", 0, 1)
      $0.putBoth("2", 2, 8)
      $0.getAll([("a", "1"), ("b", "1")], 3, 4)
      $0.getAll([("a", "2"), ("b", "2")], 5, 6)
      $0.get("b", "2", 7, 9)
    }
    #expect(verdict == .linearizable)
  }

  // MARK: Rejected

  @Test func rejectsAStaleRead() {
    let isIllegal = Self.isIllegal {
      $0.put("k", "a", 0, 1)
      $0.put("k", "b", 2, 3)
      $0.get("k", "a", 4, 5)
    }
    #expect(isIllegal)
  }

  @Test func rejectsALostUpdate() {
    let isIllegal = Self.isIllegal {
      $0.put("k", "a", 0, 1)
      $0.get("k", nil, 2, 3)
    }
    #expect(isIllegal)
  }

  @Test func rejectsAValueNeverWritten() {
    let isIllegal = Self.isIllegal { $0.get("k", "a", 0, 1) }
    #expect(isIllegal)
  }

  @Test func rejectsAValueFromTheFuture() {
    let isIllegal = Self.isIllegal {
      $0.get("k", "a", 0, 1)
      $0.put("k", "a", 2, 3)
    }
    #expect(isIllegal)
  }

  @Test func rejectsAValueThatReappears() {
    let isIllegal = Self.isIllegal {
      $0.put("k", "a", 0, 10)
      $0.put("k", "b", 0, 10)
      $0.get("k", "a", 11, 12)
      $0.get("k", "b", 13, 14)
      $0.get("k", "a", 15, 16)
    }
    #expect(isIllegal)
  }

  @Test func rejectsTwoSwapsFromTheSameValue() {
    let isIllegal = Self.isIllegal {
      $0.put("k", "a", 0, 1, revision: 2)
      $0.swap("k", at: 2, to: "b", true, 2, 9)
      $0.swap("k", at: 2, to: "c", true, 2, 9)
    }
    #expect(isIllegal)
  }

  @Test func rejectsAReadThatGoesBack() {
    let isIllegal = Self.isIllegal {
      $0.put("k", "a", 0, 1)
      $0.put("k", "b", 2, 20)
      $0.get("k", "b", 3, 5)
      $0.get("k", "a", 6, 8)
    }
    #expect(isIllegal)
  }

  @Test func rejectsARefusedPutThatIsSeen() {
    let isIllegal = Self.isIllegal {
      $0.refuse(Story.put("k", "a"), 0, 1)
      $0.get("k", "a", 2, 3)
    }
    #expect(isIllegal)
  }

  @Test func rejectsHalfATransaction() {
    let isIllegal = Self.isIllegal {
      $0.putBoth("1", 0, 1)
      $0.putBoth("2", 2, 8)
      $0.getAll([("a", "2"), ("b", "1")], 3, 4)
    }
    #expect(isIllegal)
  }

  @Test func rejectsHalfATransactionWhoseOutcomeIsNotKnown() {
    let isIllegal = Self.isIllegal {
      $0.putBoth("1", 0, 1)
      $0.putBoth("2", 2, nil)
      $0.get("a", "2", 9, 10)
      $0.get("b", "1", 11, 12)
    }
    #expect(isIllegal)
  }

  @Test func rejectsAPutDoneTwice() {
    let isIllegal = Self.isIllegal {
      $0.put("k", "a", 0, nil)
      $0.get("k", "a", 1, 2)
      $0.put("k", "b", 3, 4)
      $0.get("k", "b", 5, 6)
      $0.get("k", "a", 7, 8)
    }
    #expect(isIllegal)
  }

  @Test func rejectsADeleteThatFoundWhatWasNotThere() {
    let isIllegal = Self.isIllegal {
      $0.put("k", "a", 0, 1)
      $0.delete("k", 1, 2, 9)
      $0.delete("k", 1, 2, 9)
    }
    #expect(isIllegal)
  }

  @Test func rejectsAnAnswerToAnotherQuestion() {
    let isIllegal = Self.isIllegal { $0.add(Story.get("k"), .put(previous: nil), 0, 1) }
    #expect(isIllegal)
  }

  // MARK: What it says

  @Test func namesWhatCannotBePlaced() {
    let verdict = Self.verdict {
      $0.put("other", "x", 0, 1)
      $0.get("other", "x", 2, 3)
      $0.put("k", "a", 0, 1)
      $0.put("k", "b", 2, 3)
      $0.get("k", "a", 4, 5)
    }
    guard case .illegal(let text) = verdict else {
      Issue.record("accepted")
      return
    }
    #expect(
      text == """
        no order of the 3 answered operations on "k" explains their answers; the longest beginning of one has 1. Its end:
          #3 put "k" = "a": done, 0.000 to 1.000 ms
        then none of these can come, and the first of them must:
          #4 put "k" = "b": done, 2.000 to 3.000 ms
        """)
  }

  @Test func givesUpAtTheLimit() {
    var history = KeyValueHistory()
    for number: UInt64 in 1...8 {
      history.asked(number, Story.put("k", "v\(number)"), at: .zero)
      history.answered(number, .done(Response(revision: 1, result: .put(previous: nil))), at: Instant(nanoseconds: 9))
    }
    history.asked(9, Story.get("k"), at: Instant(nanoseconds: 10))
    let pairs = [Story.pair("k", "v1")]
    history.answered(9, .done(Response(revision: 1, result: .range(RangeResponse(pairs: pairs, count: 1)))), at: Instant(nanoseconds: 11))
    #expect(history.check(limit: 3) == .undecided(visited: 4))
    #expect(history.check() == .linearizable)
  }
}
