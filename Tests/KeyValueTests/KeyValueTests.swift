import Testing

@testable import KeyValue

@Suite struct PutAndDeleteTests {
  @Test func revisionsAndVersionsCountAsInEtcd() throws {
    var machine = KeyValueMachine()
    #expect(machine.view.revision == 1)
    let first = machine.perform(.put("a", "1"))
    #expect(first == .success(Response(revision: 2, result: .put(previous: nil))))
    let second = machine.perform(.put("a", "2", previous: true))
    #expect(second == .success(Response(revision: 3, result: .put(previous: KeyValuePair("a", "1", create: 2, mod: 2, version: 1)))))
    machine.perform(.put("b", "3"))
    #expect(machine.view.get(k("a")) == KeyValuePair("a", "2", create: 2, mod: 3, version: 2))
    machine.perform(.delete("a"))
    #expect(machine.view.get(k("a")) == nil)
    machine.perform(.put("a", "4"))
    #expect(machine.view.get(k("a")) == KeyValuePair("a", "4", create: 6, mod: 6, version: 1))
  }

  @Test func aDeleteOfNothingMakesNoRevision() {
    var machine = KeyValueMachine(.put("a", "1"))
    let output = machine.perform(.delete("b", "z", previous: true))
    #expect(output == .success(Response(revision: 2, result: .delete(count: 0, previous: []))))
  }

  @Test func deletesARangeInOneRevision() {
    var machine = KeyValueMachine(.put("a", "1"), .put("b", "2"), .put("c", "3"))
    let output = machine.perform(.delete("a", "c", previous: true))
    let pairs = [KeyValuePair("a", "1", create: 2, mod: 2, version: 1), KeyValuePair("b", "2", create: 3, mod: 3, version: 1)]
    #expect(output == .success(Response(revision: 5, result: .delete(count: 2, previous: pairs))))
    let rest = machine.perform(.delete("\0", "\0"))
    #expect(rest == .success(Response(revision: 6, result: .delete(count: 1, previous: []))))
    #expect(machine.view.count == 0)
  }

  @Test func keepsTheValueIfAsked() {
    var machine = KeyValueMachine(.put("a", "1"))
    let missing = machine.perform(.put("b", ignoreValue: true))
    #expect(missing == .failure(.keyNotFound))
    #expect(machine.view.revision == 2)
    machine.perform(.put("a", ignoreValue: true))
    #expect(machine.view.get(k("a")) == KeyValuePair("a", "1", create: 2, mod: 3, version: 2))
  }

  @Test func emptyValuesAndOddBytesAreKept() {
    var machine = KeyValueMachine()
    let keys: [Key] = [[0], [0, 0], [255], [255, 255], [UInt8](repeating: 7, count: 5000)]
    for key in keys { machine.perform(.put(PutRequest(key: key, value: []))) }
    #expect(Array(machine.view.pairs()).map(\.key) == [[0], [0, 0], keys[4], [255], [255, 255]])
    #expect(machine.view.pairs().allSatisfy { $0.value.isEmpty })
  }
}

@Suite struct RangeTests {
  /// create, mod, version: a 2 2 1, b 3 8 3, c 4 6 2, d 5 5 1
  let machine = KeyValueMachine(
    .put("a", "4"), .put("b", "x"), .put("c", "x"), .put("d", "1"), .put("c", "2"), .put("b", "x"), .put("b", "3"))

  private func keys(_ request: RangeRequest) throws -> String {
    String(decoding: try machine.view.response(request).pairs.flatMap(\.key), as: UTF8.self)
  }

  static let ranges: [(KeyRange, String)] = [
    (KeyRange("b"), "b"), (KeyRange("bb"), ""), (KeyRange("a", "c"), "ab"), (KeyRange("b", "\0"), "bcd"), (.all, "abcd"),
    (KeyRange("aa", "d"), "bc"), (KeyRange("c", "a"), ""), (KeyRange("c", "c"), ""), (KeyRange("e", "\0"), ""),
    (KeyRange("A", "z"), "abcd"),
  ]

  @Test(arguments: ranges)
  func selects(range: KeyRange, expected: String) throws {
    #expect(try keys(RangeRequest(range: range)) == expected)
    #expect(try machine.view.response(RangeRequest(range: range)).count == Int64(expected.count))
    #expect(machine.view.count(in: range) == expected.count)
    #expect(String(decoding: machine.view.pairs(in: range).flatMap(\.key), as: UTF8.self) == expected)
  }

  static let sorted: [(RangeRequest.Target, RangeRequest.Order, String)] = [
    (.key, .none, "abcd"), (.key, .ascending, "abcd"), (.key, .descending, "dcba"),
    (.version, .none, "adcb"), (.version, .ascending, "adcb"), (.version, .descending, "bcad"),
    (.createRevision, .none, "abcd"), (.createRevision, .descending, "dcba"),
    (.modRevision, .none, "adcb"), (.modRevision, .ascending, "adcb"), (.modRevision, .descending, "bcda"),
    (.value, .none, "dcba"), (.value, .ascending, "dcba"), (.value, .descending, "abcd"),
  ]

  @Test(arguments: sorted)
  func sorts(target: RangeRequest.Target, order: RangeRequest.Order, expected: String) throws {
    #expect(try keys(RangeRequest(range: .all, order: order, target: target)) == expected)
    for limit in 1...5 {
      let request = RangeRequest(range: .all, limit: Int64(limit), order: order, target: target)
      #expect(try keys(request) == String(expected.prefix(limit)))
      let response = try machine.view.response(request)
      #expect(response.more == (limit < 4))
      #expect(response.count == 4)
    }
  }

  static let bounded: [(RangeRequest, String, Bool)] = [
    (RangeRequest(range: .all, minimumModRevision: 6), "bc", false),
    (RangeRequest(range: .all, maximumModRevision: 5), "ad", false),
    (RangeRequest(range: .all, minimumCreateRevision: 3, maximumCreateRevision: 4), "bc", false),
    (RangeRequest(range: .all, limit: 1, minimumModRevision: 6), "b", true),
    (RangeRequest(range: .all, limit: 2, minimumModRevision: 6), "bc", false),
    (RangeRequest(range: .all, limit: 1, order: .descending, minimumModRevision: 6), "c", true),
    (RangeRequest(range: .all, limit: 1, target: .modRevision, minimumModRevision: 5), "d", true),
    (RangeRequest(range: .all, minimumModRevision: 99), "", false),
  ]

  @Test(arguments: bounded)
  func filtersThenSortsThenCuts(request: RangeRequest, expected: String, more: Bool) throws {
    #expect(try keys(request) == expected)
    let response = try machine.view.response(request)
    #expect(response.more == more)
    // Whatever the bounds and the limit.
    #expect(response.count == 4)
  }

  @Test func boundsHoldForASingleKeyToo() throws {
    let response = try machine.view.response(RangeRequest(range: KeyRange("a"), minimumModRevision: 3))
    #expect(response == RangeResponse(pairs: [], more: false, count: 1))
  }

  @Test func keysOnlyAndCountOnly() throws {
    let keysOnly = try machine.view.response(RangeRequest(range: .all, target: .value, keysOnly: true))
    #expect(keysOnly.pairs.map(\.key) == ["d", "c", "b", "a"].map { k($0) })
    #expect(keysOnly.pairs.allSatisfy { $0.value.isEmpty })
    #expect(try machine.view.response(RangeRequest(range: .all, limit: 1, countOnly: true)) == RangeResponse(count: 4))
    #expect(try machine.view.response(RangeRequest(range: KeyRange("a"), countOnly: true)) == RangeResponse(count: 1))
  }

  @Test func knowsEveryRevisionThatIsKept() throws {
    for revision: Revision in [-5, 0, 1, 7, 8] {
      let answer = try machine.view.answer(RangeRequest(range: KeyRange("a"), revision: revision)).get()
      // The header has the newest revision, whatever is read.
      #expect(answer.revision == 8)
    }
    #expect(machine.view.answer(RangeRequest(range: .all, revision: 9)) == .failure(.futureRevision))
    #expect(machine.view.answer(RangeRequest(range: KeyRange("", "x"))) == .failure(.emptyKey))
  }

  @Test func limitsOfAnySizeAreSafe() throws {
    for limit in [Int64.min, -1, 0, Int64.max] {
      #expect(try keys(RangeRequest(range: .all, limit: limit)) == "abcd")
      #expect(try keys(RangeRequest(range: .all, limit: limit, target: .value)) == "dcba")
    }
  }
}
