import Replica
import Testing

@testable import KeyValue
@testable import Simulation

/// What a request may cost those who apply it.
@Suite struct CostTests {
  /// A store with so many keys `k000000`, each with a value of so many bytes.
  private static func machine(keys: Int, valueBytes: Int = 1) -> KeyValueMachine {
    var builder = OrderedTree.Builder()
    let value = [UInt8](repeating: 7, count: valueBytes)
    for number in 0..<keys {
      let key = Self.key(number)
      _ = builder.append(Item(key: key[...], value: value[...], createRevision: 2, modRevision: 2, version: 1))
    }
    var machine = KeyValueMachine()
    machine.state = KeyValueView(revision: 2, tree: builder.finish())
    return machine
  }

  private static func key(_ number: Int) -> Key { Array("k\(String(1_000_000 + number).dropFirst())".utf8) }

  private static func first(_ count: Int) -> KeyRange { KeyRange(start: key(0), end: key(count)) }

  private func expectRefused(_ request: Request, _ machine: KeyValueMachine, sourceLocation: SourceLocation = #_sourceLocation) {
    var machine = machine
    let (digest, revision) = (machine.view.digest, machine.view.revision)
    #expect(machine.perform(request) == .failure(.tooCostly), sourceLocation: sourceLocation)
    #expect(machine.view.digest == digest, sourceLocation: sourceLocation)
    #expect(machine.view.revision == revision, sourceLocation: sourceLocation)
    #expect(machine.view.answer(request) == .failure(.tooCostly), sourceLocation: sourceLocation)
  }

  private func expectDone(_ request: Request, _ machine: KeyValueMachine, sourceLocation: SourceLocation = #_sourceLocation) {
    var machine = machine
    #expect(throws: Never.self, sourceLocation: sourceLocation) { try machine.perform(request).get() }
  }

  @Test func manyNestedRangesAreRefusedBeforeAnythingIsChanged() {
    let machine = Self.machine(keys: 10_000)
    let everything = Request.range(RangeRequest(range: .all))
    let inner = Request.transaction(then: Array(repeating: everything, count: 80))
    let request = Request.transaction(then: [.put("made first")] + Array(repeating: inner, count: 47))
    expectRefused(request, machine)
    // Of a few keys, so many ranges are harmless.
    expectDone(request, Self.machine(keys: 10))
  }

  @Test func eachKindOfLookingHasTheSameBound() {
    let most = Self.machine(keys: Limits.costItems)
    let tooMany = Self.machine(keys: Limits.costItems + 1)
    let holds = Comparison(range: .all, relation: .greater, operand: .version(0))
    let requests: [Request] = [
      .transaction(then: [.get("\0", "\0")]), .transaction([holds]), .delete("\0", "\0", previous: true),
      .transaction(then: [.delete("\0", "\0", previous: true)]),
      .transaction(then: [.range(RangeRequest(range: .all, limit: 1, target: .value))]),
      .transaction(then: [.range(RangeRequest(range: .all, limit: 1, minimumModRevision: 1))]),
      .transaction([Comparison(range: KeyRange("x"), relation: .greater, operand: .version(0))], else: [.get("\0", "\0")]),
    ]
    for request in requests {
      expectDone(request, most)
      expectRefused(request, tooMany)
    }
  }

  @Test func whatNeedNotBeLookedAtIsFree() {
    let machine = Self.machine(keys: Limits.costItems + 1)
    let fails = Comparison(range: KeyRange("x"), relation: .greater, operand: .version(0))
    let all = Comparison(range: .all, relation: .greater, operand: .version(0))
    let requests: [Request] = [
      .get("\0", "\0"), .delete("\0", "\0"), .transaction(then: [.delete("\0", "\0")]),
      .transaction(then: [.range(RangeRequest(range: .all, countOnly: true))]),
      .transaction(then: [.range(RangeRequest(range: .all, limit: 100, order: .descending))]),
      // Not reached, and not taken.
      .transaction([fails, all], then: [.get("\0", "\0")]),
    ]
    for request in requests { expectDone(request, machine) }
  }

  @Test func bytesHaveABoundToo() {
    // 7 bytes of a key and the rest of a mebibyte.
    let machine = Self.machine(keys: 33, valueBytes: (1 << 20) - 7)
    func range(_ count: Int, keysOnly: Bool = false) -> Request { .range(RangeRequest(range: Self.first(count), keysOnly: keysOnly)) }
    let values = Comparison(range: .all, relation: .greater, operand: .value([0]))
    let versions = Comparison(range: .all, relation: .greater, operand: .version(0))
    expectDone(.transaction(then: [range(32)]), machine)
    expectRefused(.transaction(then: [range(33)]), machine)
    expectRefused(.transaction(then: [range(17), range(16)]), machine)
    expectDone(.transaction(then: [range(33, keysOnly: true)]), machine)
    expectRefused(.transaction([values]), machine)
    expectDone(.transaction([versions]), machine)
    expectRefused(.delete(DeleteRequest(range: .all, previous: true)), machine)
    let kept = (0..<33).map { Request.put(PutRequest(key: Self.key($0), value: [], ignoreValue: true)) }
    expectRefused(.transaction(then: kept), machine)
    let previous = (0..<33).map { Request.put(PutRequest(key: Self.key($0), value: [1], previous: true)) }
    expectRefused(.transaction(then: previous), machine)
  }

  /// A range after a put may return it.
  @Test func whatIsPutCounts() {
    let machine = Self.machine(keys: Limits.costItems)
    let all = Request.get("\0", "\0")
    expectRefused(.transaction(then: [.put("new"), all]), machine)
    expectDone(.transaction(then: [all, .put("new")]), machine)
    expectDone(.transaction(then: [.put("new"), .get("\0", "\0", revision: 2)]), machine)
    expectDone(.transaction(then: [.put("new"), .range(RangeRequest(range: .all, limit: Int64(Limits.costItems)))]), machine)
  }

  @Test func nodesRefuseTheSameInWhateverBatches() {
    var one = Self.machine(keys: 60_000)
    var other = one
    let requests: [Request] = [
      .put("a", "1"), .transaction(then: [.put("b"), .get("\0", "\0")]),
      .transaction(then: [.put("c"), .get("\0", "\0"), .get("\0", "\0")]),
      .delete("k02", "k03", previous: true), .transaction(then: [.get("\0", "\0"), .get("\0", "\0")]), .put("d"),
    ]
    let commands = requests.enumerated().map { Command(index: UInt64($0 + 1), term: 1, payload: $1.encoded()[...]) }
    let together = one.applyAll(commands)
    let apart = commands.flatMap { other.applyAll([$0]) }
    #expect(together == apart)
    #expect(together.map { $0 == .failure(.tooCostly) } == [false, false, true, false, true, false])
    #expect(one.view.digest == other.view.digest)
  }
}

/// What is counted against what a plain model counts.
@Suite struct CountedWorkTests {
  @Test(arguments: [UInt64(1), 2, 3, 4])
  func countedIsWhatIsLookedAt(seed: UInt64) throws {
    var generator = Generator(seed: seed)
    var machine = KeyValueMachine()
    var model = NaiveStore()
    var counted = 0
    for _ in 0..<1500 {
      var request = generator.request()
      if case .transaction(var transaction) = request, generator.chance(30) {
        // One that looks back.
        var range = generator.rangeRequest()
        range.revision = max(1, machine.view.revision - Int64(generator.below(40)))
        transaction.success.append(.range(range))
        request = .transaction(transaction)
      }
      var cost = Cost()
      guard case .success = machine.state.perform(request, at: 1, &cost) else { continue }
      var expected = NaiveCost()
      try model.allow(request, &expected)
      _ = model.perform(request, size: request.encodedCount)
      #expect(cost.items == expected.pairs, "\(request)")
      #expect(cost.bytes == expected.bytes, "\(request)")
      if cost != Cost() { counted += 1 }
    }
    #expect(counted > 300)
  }
}
