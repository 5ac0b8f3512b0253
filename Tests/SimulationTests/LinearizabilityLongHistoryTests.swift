import KeyValue
import Raft
import Replica
import Testing

@testable import Simulation

/// Histories as long as those of a swarm's run: the real store is asked by many clients at once, and answers late.
@Suite struct LinearizabilityLongHistoryTests {
  struct Told {
    var request: Request
    /// `nil`: nobody knows.
    var answer: Response?
    var called: Instant
    var returned: Instant
  }

  /// - Parameter delay: milliseconds at most from the call to the effect, and from there to the return; 20 are between the calls.
  static func told(_ count: Int, keys: UInt64, delay: UInt64, seed: UInt64) -> [Told] {
    var random = PseudoRandom(seed: seed)
    var machine = KeyValueMachine()
    var told: [Told] = []
    var effects: [(at: Instant, place: Int)] = []
    func takeEffect(until now: Instant) {
      let due = effects.filter { $0.at <= now }.sorted { ($0.at, $0.place) < ($1.at, $1.place) }
      effects.removeAll { $0.at <= now }
      for (_, place) in due {
        let command = Command(index: 1, term: 1, payload: told[place].request.encoded()[...])
        guard case .success(let answer) = machine.apply([command])[0] else { continue }
        told[place].answer = told[place].returned == .never ? nil : answer
      }
    }
    for place in 0..<count {
      let called = Instant.zero + .milliseconds(Int64(place) * 20)
      takeEffect(until: called)
      let effect = called + .milliseconds(Int64(random.below(delay)))
      let isUnknown = random.below(40) == 0
      let returned = isUnknown ? .never : effect + .milliseconds(Int64(random.below(delay)))
      told.append(Told(request: request(place, machine.view, keys, &random), called: called, returned: returned))
      if !isUnknown || random.below(2) == 0 { effects.append((effect, place)) }
    }
    takeEffect(until: .never)
    return told
  }

  static func request(_ place: Int, _ view: KeyValueView, _ keys: UInt64, _ random: inout PseudoRandom) -> Request {
    let key = Array("key-\(random.below(keys))".utf8)
    let value = Array("v\(place)".utf8)
    switch random.below(20) {
    case 0...6: return .put(PutRequest(key: key, value: value))
    case 7...8: return .delete(DeleteRequest(range: KeyRange(key)))
    case 9...12:
      let comparison = Comparison(range: KeyRange(key), relation: .equal, operand: .modRevision(view.get(key)?.modRevision ?? 0))
      let missed = PutRequest(key: Array("missed".utf8), value: key)
      return .transaction(
        TransactionRequest(comparisons: [comparison], success: [.put(PutRequest(key: key, value: value))], failure: [.put(missed)]))
    default: return .range(RangeRequest(range: KeyRange(key)))
    }
  }

  static func history(_ told: [Told]) -> KeyValueHistory {
    var history = KeyValueHistory()
    for (place, told) in told.enumerated() {
      history.asked(UInt64(place), told.request, at: told.called)
      if let answer = told.answer { history.answered(UInt64(place), .done(answer), at: told.returned) }
    }
    return history
  }

  /// Makes the last read of some key show the value that the first one showed.
  static func corrupted(_ told: [Told]) -> [Told] {
    func pair(_ told: Told) -> KeyValuePair? {
      if case .range(let response) = told.answer?.result { response.pairs.first } else { nil }
    }
    guard let first = told.lazy.compactMap(pair).first,
      let last = told.lastIndex(where: { pair($0).map { $0.key == first.key && $0.value != first.value } ?? false })
    else { return told }
    var told = told
    told[last].answer?.result = .range(RangeResponse(pairs: [first], count: 1))
    return told
  }

  @Test(arguments: [1, 3, 8] as [UInt64], [10, 300] as [UInt64])
  func decidesLongHistories(keys: UInt64, delay: UInt64) {
    let told = Self.told(3000, keys: keys, delay: delay, seed: keys)
    #expect(Self.history(told).check(limit: 10_000) == .linearizable)
    guard case .illegal = Self.history(Self.corrupted(told)).check(limit: 100_000) else {
      Issue.record("a read of an old value was not found")
      return
    }
  }
}
