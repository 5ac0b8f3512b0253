import Replica
import Testing

@testable import KeyValue
@testable import Simulation

/// The store against a model of it that shares nothing with it: thousands of requests, each answer read out in both ways.
@Suite struct NaiveStoreTests {
  /// One more request for both.
  private static func compare(
    _ request: Request, at index: UInt64 = 1, _ machine: inout KeyValueMachine, _ model: inout NaiveStore
  ) -> String? {
    let command = Command(index: index, term: 1, payload: request.encoded()[...])
    return model.apply(command, answered: machine.apply([command])[0])
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func agreesOnRandomRequests(seed: UInt64) {
    var generator = Generator(seed: seed)
    var machine = KeyValueMachine()
    var model = NaiveStore()
    var errors: [String: Int] = [:]
    for number in 0..<1500 {
      let request = generator.command(machine.view)
      if case .failure(let error) = machine.view.answer(request) { errors["\(error)", default: 0] += 1 }
      if let text = Self.compare(request, at: UInt64(number), &machine, &model) {
        Issue.record("request \(number): \(text)")
        return
      }
      var range = generator.rangeRequest()
      if generator.chance(50) { range.revision = machine.view.revision + 1 - Int64(generator.below(100)) }
      #expect(model.difference(in: machine.view, lookingFor: Request.range(range).encoded()) == nil)
      if case .failure(let error) = machine.view.answer(range) { errors["\(error)", default: 0] += 1 }
      if number % 50 == 0 { #expect(model.difference(in: machine.view) == nil) }
    }
    #expect(model.difference(in: machine.view) == nil)
    #expect(machine.view.revision > 400)
    let expected = ["keyNotFound", "duplicateKey", "futureRevision", "compacted", "noSpace", "leaseProvided", "notInTransaction"]
    for error in expected + ["leaseNotFound", "leaseExists", "leaseTTLTooLarge"] {
      #expect(errors[error] ?? 0 > 0, "\(error)")
    }
  }

  /// Around the place where it is cut, in every order.
  @Test func agreesOnEveryLimit() throws {
    var generator = Generator(seed: 51)
    var machine = KeyValueMachine()
    var model = NaiveStore()
    for _ in 0..<300 { _ = Self.compare(generator.request(), &machine, &model) }
    let count = Int64(machine.view.count)
    try #require(count > 4)
    for limit in [Int64.min, -1, 0, 1, 2, count - 1, count, count + 1, .max] {
      for target in [RangeRequest.Target.key, .version, .createRevision, .modRevision, .value] {
        for order in [RangeRequest.Order.none, .ascending, .descending] {
          for bound in [0, machine.view.revision / 2] as [Revision] {
            let request = RangeRequest(range: .all, limit: limit, order: order, target: target, maximumModRevision: bound)
            let difference = model.difference(in: machine.view, lookingFor: Request.range(request).encoded())
            #expect(difference == nil)
          }
        }
      }
    }
  }

  static let nested: [Request] = [
    // Only what is inside changes keys; what is inside that; after a read; twice in one revision.
    .transaction(then: [.transaction(then: [.put("a")])]),
    .transaction(then: [.get("a"), .transaction(then: [.transaction(then: [.put("b"), .put("c")])]), .get("a", "\0")]),
    .transaction(then: [.transaction(then: [.delete("a", previous: true)]), .transaction(then: [.put("a"), .put("b")])]),
    .transaction(then: [.transaction(then: [.delete("x")]), .transaction(then: [.get("a", "\0")])]),
    .transaction(then: [.transaction(then: [.delete("a", "\0", previous: true)]), .put("0")]),
  ]

  @Test(arguments: nested) func innerTransactionsAlone(request: Request) {
    var machine = KeyValueMachine()
    var model = NaiveStore()
    for request in [.put("a", "1"), .put("b", "2"), request, .put("a", "3"), request] {
      #expect(Self.compare(request, &machine, &model) == nil)
      #expect(model.difference(in: machine.view) == nil)
    }
  }

  @Test(arguments: RequestValidationTests.refused) func refusesTheSame(request: Request, error: KeyValueError) {
    var model = NaiveStore()
    let refused = model.perform(request, size: request.encodedCount)
    #expect(refused == .failure(error))
  }

  @Test(arguments: RequestValidationTests.allowed) func allowsTheSame(request: Request) {
    var machine = KeyValueMachine(.put("a", "1"), .put("b", "2"))
    var model = NaiveStore(revision: machine.view.revision, pairs: machine.view.pairs())
    #expect(Self.compare(request, &machine, &model) == nil)
  }

  @Test func boundsOfARequestAreTheSame() {
    let inner = Request.transaction(then: [Request](repeating: .get("a"), count: 64))
    func puts(_ count: Int) -> Request { .transaction(then: (0..<count).map { .put("k\($0)") }) }
    let comparison = Comparison(range: .all, relation: .equal, operand: .version(0))
    var deep = Request.transaction()
    for _ in 0..<Limits.nesting - 1 { deep = .transaction(then: [deep]) }
    let large = [Limits.requestBytes - 20, Limits.requestBytes - 10, Limits.requestBytes].map {
      Request.put(PutRequest(key: [1], value: [UInt8](repeating: 0, count: $0)))
    }
    let requests =
      [
        puts(128), puts(129), .transaction(then: [puts(27)] + (0..<100).map { .put("x\($0)") }),
        .transaction(then: [puts(28)] + (0..<100).map { .put("x\($0)") }), .transaction([Comparison](repeating: comparison, count: 129)),
        .transaction(then: [Request](repeating: inner, count: 62)), .transaction(then: [Request](repeating: inner, count: 64)), deep,
      ] + large
    var machine = KeyValueMachine()
    var model = NaiveStore()
    for request in requests { #expect(Self.compare(request, &machine, &model) == nil) }
  }

  /// The limits of what is looked at are reached by comparisons, which answer nothing.
  @Test(arguments: [(keys: 2400, valueBytes: 1), (keys: 60, valueBytes: 20_000)])
  func refusesWhatCostsTooMuch(keys: Int, valueBytes: Int) {
    var generator = Generator(seed: UInt64(keys))
    var machine = KeyValueMachine()
    for number in 0..<keys { machine.perform(.put(PutRequest(key: k("k\(number)"), value: generator.bytes(count: valueBytes)))) }
    var model = NaiveStore(revision: machine.view.revision, pairs: machine.view.pairs())
    var refused = 0
    for _ in 0..<30 {
      let comparisons = (0..<generator.below(128)).map { _ in
        let operand: Comparison.Operand = generator.chance(50) ? .version(0) : .value([])
        return Comparison(range: generator.chance(80) ? .all : KeyRange(generator.key()), relation: .greater, operand: operand)
      }
      let success = [
        Request.put("new", "1"), .range(RangeRequest(range: generator.range(), limit: Int64(generator.below(9)), keysOnly: true)),
      ]
      let request = Request.transaction(TransactionRequest(comparisons: comparisons, success: success))
      #expect(Self.compare(request, &machine, &model) == nil)
      if machine.view.answer(request) == .failure(.tooCostly) { refused += 1 }
    }
    #expect(refused > 3 && refused < 27)
  }

  @Test func namesAnotherState() {
    var machine = KeyValueMachine(.put("a", "1"), .put("a", "2"), .put("b", "3"))
    machine.state = KeyValueView(revision: 4, tree: machine.view.tree)
    let view = machine.view
    let right = Array(machine.view.pairs())
    func difference(_ revision: Revision, _ change: (inout [KeyValuePair]) -> Void) -> String? {
      var pairs = right
      change(&pairs)
      return NaiveStore(revision: revision, pairs: pairs).difference(in: view)
    }
    #expect(difference(4) { _ in } == nil)
    #expect(difference(5) { _ in } != nil)
    #expect(difference(4) { $0.removeLast() } != nil)
    #expect(difference(4) { $0[0].version = 1 } != nil)
    #expect(difference(4) { $0[0].createRevision = 3 } != nil)
    #expect(difference(4) { $0[0].modRevision = 2 } != nil)
    #expect(difference(4) { $0[1].value = [] } != nil)
    #expect(difference(4) { $0[1].key = k("c") } != nil)
  }

  /// A store that is the same now, and was another: each way in which its past can differ is named.
  @Test func namesAnotherPast() throws {
    let requests = Self.past
    func difference(_ change: (inout KeyValueMachine) -> Void, _ requests: [Request], like: [Request]? = nil) -> String? {
      var machine = KeyValueMachine()
      for request in requests { machine.perform(request) }
      var model = NaiveStore()
      for request in like ?? Self.past { _ = model.perform(request, size: request.encodedCount, at: 1) }
      change(&machine)
      return model.difference(in: machine.view)
    }
    #expect(difference({ _ in }, requests) == nil)
    let others: [[Request]] = [
      [.put("a", "0"), .put("b", "x"), .delete("a"), .put("a", "2"), .put("b", "y")],
      [.put("a", "1"), .put("b", "z"), .delete("a"), .put("a", "2"), .put("b", "y")],
    ]
    for other in others { #expect(difference({ _ in }, other)?.contains("the change of") == true) }
    #expect(difference({ _ = $0.compact(at: 3) }, requests)?.contains("compacted at 3") == true)
    #expect(difference({ $0.perform(.settings(StoreSettings(quota: 1 << 20))) }, requests)?.contains("quota") == true)
    #expect(difference({ $0.perform(.grant(1)) }, requests)?.contains("bytes") == true)
    let leased = requests + [.grant(1), .grant(2), .put("a", lease: 1)]
    #expect(difference({ _ in }, leased, like: leased) == nil)
    #expect(difference({ $0.state.leases.grant(2, timeToLive: 11, grant: 1) }, leased, like: leased)?.contains("lease 2") == true)
    #expect(difference({ $0.state.leases.grant(2, timeToLive: 10, grant: 9) }, leased, like: leased)?.contains("another grant") == true)
    let moved: (inout KeyValueMachine) -> Void = {
      $0.state.leases.detach(k("a"), from: 1)
      $0.state.leases.attach(k("a"), to: 2)
    }
    #expect(difference(moved, leased, like: leased)?.contains("lease 1") == true)
    #expect(difference({ $0.state.compactedSize += 1 }, requests)?.contains("bytes") == true)
    #expect(difference({ $0.state.firstChange += 1 }, requests) != nil)
    #expect(difference({ $0.state.changes = ChangeLog() }, requests) != nil)
    // Without the tombstones the past lacks the keys that are gone.
    let deleted = requests + [.delete("a"), .delete("b")]
    #expect(difference({ $0.state.deleted = OrderedTree() }, deleted, like: deleted)?.contains("at 2") == true)
  }

  private static let past: [Request] = [.put("a", "1"), .put("b", "x"), .delete("a"), .put("a", "2"), .put("b", "y")]

  static let wrongAnswers: [(Request, Response)] = [
    (.put("a", "2", previous: true), Response(revision: 4, result: .put(previous: KeyValuePair("a", "1", create: 2, mod: 2, version: 2)))),
    (.put("a", "2"), Response(revision: 3, result: .put(previous: nil))),
    (.delete("a", "\0"), Response(revision: 4, result: .delete(count: 1, previous: []))),
    (.get("a"), Response(revision: 3, result: .range(RangeResponse()))),
    (
      .transaction(then: [.transaction(then: [.put("c")])]),
      Response(
        revision: 3, result: .transaction(succeeded: true, responses: [.transaction(succeeded: true, responses: [.put(previous: nil)])]))
    ),
    (.transaction(then: [.put("c")]), Response(revision: 4, result: .transaction(succeeded: false, responses: [.put(previous: nil)]))),
    (
      .range(RangeRequest(range: .all, limit: 2, countOnly: true)),
      Response(revision: 3, result: .range(RangeResponse(pairs: [], more: true, count: 2)))
    ),
    (.put("c", ignoreValue: true), Response(revision: 4, result: .put(previous: nil))),
  ]

  @Test(arguments: wrongAnswers) func namesAWrongAnswer(request: Request, answer: Response) {
    let machine = KeyValueMachine(.put("a", "1"), .put("b", "3"))
    let model = NaiveStore(revision: 3, pairs: machine.view.pairs())
    let command = Command(index: 1, term: 1, payload: request.encoded()[...])
    for (output, isRight) in [(.success(answer), false), (.failure(.emptyKey), false), (machine.view.answer(request), true)]
      as [(KeyValueMachine.Output, Bool)]
    {
      var copy = model
      #expect((copy.apply(command, answered: output) == nil) == isRight)
    }
  }

  @Test func whatIsNoRequestIsMalformed() {
    var model = NaiveStore()
    let command = Command(index: 1, term: 1, payload: [9, 9])
    #expect(model.apply(command, answered: .failure(.malformed("request"))) == nil)
    #expect(model.apply(command, answered: .failure(.tooLarge)) != nil)
    let large = Command(index: 1, term: 1, payload: [UInt8](repeating: 9, count: Limits.requestBytes + 1)[...])
    #expect(model.apply(large, answered: .failure(.tooLarge)) == nil)
  }
}
