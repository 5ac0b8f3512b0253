import KeyValue
import Raft
import Testing

@testable import Simulation

/// The search says what trying every order says.
@Suite struct LinearizabilityEquivalenceTests {
  /// Every order that keeps to real time, one after the other, with every choice of the operations whose outcome is not known.
  static func isLinearizable<State, Operation>(
    _ history: [TimedOperation<Operation>], from state: State, _ step: (State, Operation) -> State?
  ) -> Bool {
    guard history.contains(where: { $0.returned != nil }) else { return true }
    let firstReturn = history.compactMap(\.returned).min() ?? .never
    return history.indices.contains { index in
      guard history[index].called <= firstReturn, let next = step(state, history[index].operation) else { return false }
      var rest = history
      rest.remove(at: index)
      return isLinearizable(rest, from: next, step)
    }
  }

  /// Spans of time with instants in common.
  static func span(_ random: inout PseudoRandom, from bound: UInt64) -> (called: Instant, effect: Instant, returned: Instant) {
    let called = Int64(random.below(bound))
    let effect = called + Int64(random.below(6))
    let returned = effect + Int64(random.below(6))
    return (Instant(nanoseconds: called), Instant(nanoseconds: effect), Instant(nanoseconds: returned))
  }

  // MARK: A model of one's own

  /// First in, first out; says no more of itself than it must.
  struct Queue: SequentialModel {
    enum Operation: Hashable {
      case enqueue(Int)
      /// `nil` inside: it was empty. Without an answer: whatever was there.
      case dequeue(Int??)
    }

    var initial: [Int] { [] }

    func step(_ state: [Int], _ operation: Operation) -> [Int]? {
      switch operation {
      case .enqueue(let element): state + [element]
      case .dequeue(.some(let expected)): state.first == expected ? Array(state.dropFirst()) : nil
      case .dequeue(.none): Array(state.dropFirst())
      }
    }
  }

  static func queueHistory(_ random: inout PseudoRandom) -> [TimedOperation<Queue.Operation>] {
    let spans = (0..<(3 + random.below(5))).map { _ in span(&random, from: 16) }.sorted { $0.effect < $1.effect }
    var state: [Int] = []
    return spans.map { span in
      let isUnknown = random.below(5) == 0
      let takesEffect = !isUnknown || random.below(2) == 0
      var operation = Queue.Operation.enqueue(Int(random.below(3)))
      if random.below(2) == 0 {
        // Some answers are wrong.
        let shown = random.below(2) == 0 ? Int(random.below(3)) : state.first
        operation = .dequeue(isUnknown ? .none : .some(shown))
        if takesEffect { state = Array(state.dropFirst()) }
      } else if takesEffect, case .enqueue(let element) = operation {
        state.append(element)
      }
      let guess: Int64? = random.below(2) == 0 ? Int64(random.below(8)) : nil
      return TimedOperation(operation, called: span.called, returned: isUnknown ? nil : span.returned, guess: guess)
    }
  }

  @Test func agreesOnQueues() {
    var random = PseudoRandom(seed: 1)
    var accepted = 0
    let count = 2000
    for number in 0..<count {
      let history = Self.queueHistory(&random)
      let expected = Self.isLinearizable(history, from: [], Queue().step)
      var search = LinearizabilitySearch(Queue(), history)
      let verdict = search.run(limit: 100_000)
      if case .linearizable = verdict {
        #expect(expected, "history \(number): \(history)")
      } else {
        #expect(!expected, "history \(number): \(history)")
      }
      if expected { accepted += 1 }
    }
    #expect((count / 4...3 * count / 4).contains(accepted), "\(accepted) of \(count)")
  }

  // MARK: The key-value model

  /// The store's meaning once more, in the simplest words.
  typealias Store = [Key: Value]

  static let keys: [Key] = [[1], [2]]

  /// Comparisons see the store as it was before the request.
  static func perform(_ request: Request, on store: inout Store, before: Store? = nil) -> OperationResult {
    let before = before ?? store
    func pair(_ key: Key) -> KeyValuePair? {
      store[key].map { KeyValuePair(key: key, value: $0, createRevision: 1, modRevision: 1, version: 1) }
    }
    func found(_ range: KeyRange) -> [Key] { keys.filter { store[$0] != nil && (range == .all || range.start == $0) } }
    switch request {
    case .range(let request):
      let pairs = found(request.range).compactMap(pair)
      return .range(RangeResponse(pairs: request.countOnly ? [] : pairs, count: Int64(pairs.count)))
    case .put(let request):
      let previous = request.previous ? pair(request.key) : nil
      store[request.key] = request.value
      return .put(previous: previous)
    case .delete(let request):
      let pairs = found(request.range).compactMap(pair)
      for pair in pairs { store[pair.key] = nil }
      return .delete(count: Int64(pairs.count), previous: request.previous ? pairs : [])
    case .transaction(let request):
      let succeeded = request.comparisons.allSatisfy { comparison in
        let value = before[comparison.range.start]
        return switch (comparison.operand, comparison.relation) {
        case (.value(let expected), .equal): value == expected
        case (.value(let expected), _): value != nil && value != expected
        default: (value == nil) == (comparison.relation == .equal)
        }
      }
      let branch = succeeded ? request.success : request.failure
      return .transaction(succeeded: succeeded, responses: branch.map { perform($0, on: &store, before: before) })
    case .compaction, .settings, .leaseGrant, .leaseRevoke, .leaseExpiry, .leases, .lease, .access, .record, .onBehalf: return .done
    }
  }

  static func request(_ random: inout PseudoRandom, depth: Int = 0) -> Request {
    let key = keys[Int(random.below(2))]
    let range = random.below(4) == 0 ? KeyRange.all : KeyRange(key)
    let value: Value = [UInt8(random.below(3))]
    switch random.below(depth < 2 ? 8 : 6) {
    case 0...1: return .range(RangeRequest(range: range, countOnly: random.below(3) == 0))
    case 2...4: return .put(PutRequest(key: key, value: value, previous: random.below(3) == 0))
    case 5: return .delete(DeleteRequest(range: range, previous: random.below(2) == 0))
    default:
      let operands: [Comparison.Operand] = [.value(value), .value([0]), .modRevision(0), .version(0)]
      let comparisons = (0..<(1 + random.below(2))).map { _ in
        Comparison(
          range: KeyRange(keys[Int(random.below(2))]), relation: random.below(2) == 0 ? .equal : .notEqual,
          operand: operands[Int(random.below(4))])
      }
      return .transaction(
        TransactionRequest(
          comparisons: comparisons, success: (0..<(1 + random.below(2))).map { _ in Self.request(&random, depth: depth + 1) },
          failure: random.below(2) == 0 ? [] : [Self.request(&random, depth: depth + 1)]))
    }
  }

  /// What a client was told, now and then of another store.
  static func history(_ random: inout PseudoRandom) -> [(request: Request, response: OperationResult?, called: Instant, returned: Instant)]
  {
    let spans = (0..<(3 + random.below(5))).map { _ in span(&random, from: 16) }.sorted { $0.effect < $1.effect }
    var store: Store = [:]
    return spans.map { span in
      let request = request(&random)
      if random.below(4) == 0 {
        if random.below(2) == 0 { _ = perform(request, on: &store) }
        return (request, nil, span.called, span.returned)
      }
      var other: Store = random.below(2) == 0 ? [:] : [[1]: [UInt8(random.below(3))]]
      let isWrong = random.below(2) == 0
      let response = perform(request, on: &store)
      return (request, isWrong ? perform(request, on: &other) : response, span.called, span.returned)
    }
  }

  struct Told: Hashable {
    let request: Request
    let response: OperationResult?
  }

  @Test func agreesOnKeysAndValues() {
    var random = PseudoRandom(seed: 2)
    var accepted = 0
    let count = 3000
    for number in 0..<count {
      let history = Self.history(&random)
      let timed = history.map {
        TimedOperation(
          Told(request: $0.request, response: $0.response), called: $0.called, returned: $0.response == nil ? nil : $0.returned)
      }
      let expected = Self.isLinearizable(timed, from: Store()) { store, told in
        var store = store
        let response = Self.perform(told.request, on: &store)
        return told.response == nil || told.response == response ? store : nil
      }
      var checked = KeyValueHistory()
      for (number, told) in history.enumerated() {
        checked.asked(UInt64(number), told.request, at: told.called)
        guard let response = told.response else { continue }
        // Revisions that mislead.
        let answer = Response(revision: Revision(random.below(8)), result: response)
        checked.answered(UInt64(number), .done(answer), at: told.returned)
      }
      let verdict = checked.check()
      #expect((verdict == .linearizable) == expected, "history \(number): \(verdict), \(history)")
      if expected { accepted += 1 }
    }
    #expect((count / 4...3 * count / 4).contains(accepted), "\(accepted) of \(count)")
  }
}
