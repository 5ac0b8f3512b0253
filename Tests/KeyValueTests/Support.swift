import ByteCoding
import Replica
import Testing

@testable import KeyValue

/// SplitMix64: the same numbers for the same seed, everywhere.
struct Generator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
  mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
  mutating func bytes(upTo count: Int) -> [UInt8] { (0..<below(count + 1)).map { _ in UInt8(truncatingIfNeeded: next()) } }
  mutating func bytes(count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }

  /// From few keys, so that requests meet.
  mutating func key() -> Key { Array("k\(below(30))".utf8) }

  mutating func range() -> KeyRange {
    switch below(5) {
    case 0: .all
    case 1: KeyRange(start: key(), end: [0])
    case 2: KeyRange(start: key(), end: key())
    default: KeyRange(key())
    }
  }

  mutating func number() -> Int64 { Int64(below(12)) - 1 }

  mutating func request(depth: Int = 0) -> Request {
    switch below(depth < 3 ? 10 : 8) {
    case 0...3:
      .put(
        PutRequest(
          key: key(), value: bytes(upTo: 12), previous: chance(30), lease: chance(20) ? Int64(below(9)) - 1 : 0))
    case 4:
      .put(
        PutRequest(
          key: key(), value: chance(30) ? [] : bytes(upTo: 2), previous: chance(30), ignoreValue: chance(60), lease: chance(15) ? 1 : 0,
          ignoreLease: chance(30)))
    case 5: .delete(DeleteRequest(range: range(), previous: chance(50)))
    case 6, 7: .range(rangeRequest())
    default: .transaction(transaction(depth: depth + 1))
    }
  }

  /// Now and then one that touches what the store remembers.
  mutating func command(_ view: KeyValueView) -> Request {
    switch below(46) {
    case 0: return .compaction(CompactionRequest(revision: view.revision + 2 - Int64(below(60))))
    case 1: return .settings(StoreSettings(quota: chance(10) ? 0 : Int64(view.size + below(4000))))
    // So that most requests are done.
    case 2, 3: return .settings(StoreSettings(quota: 1 << 30, historyAge: Int64(below(20)) - 1, historyBytes: Int64(below(20)) - 1))
    case 4: return .transaction(then: [request(), chance(30) ? .leaseRevoke(1) : .range(rangeRequest())])
    case 40...43:
      return .leaseGrant(LeaseGrantRequest(id: Int64(below(9)) - 1, timeToLive: chance(12) ? .max : Int64(below(30)) - 2))
    case 44:
      let id = Int64(below(9)) - 1
      return chance(50) ? .leaseRevoke(id) : .leaseExpiry(id, grant: (view.grant(of: id) ?? 0) + UInt64(below(2)))
    case 45: return chance(50) ? .leases : .lease(Int64(below(9)) - 1)
    default:
      let request = request()
      guard case .range(var range) = request else { return request }
      range.revision = view.revision + 1 - Int64(below(50))
      return .transaction(then: [.range(range)])
    }
  }

  mutating func rangeRequest() -> RangeRequest {
    var request = RangeRequest(range: range())
    if chance(40) { request.limit = Int64(below(6)) }
    if chance(10) { request.revision = number() }
    if chance(40) { request.order = RangeRequest.Order(rawValue: UInt8(below(3)))! }
    if chance(40) { request.target = RangeRequest.Target(rawValue: UInt8(below(5)))! }
    if chance(20) { request.minimumModRevision = number() }
    if chance(20) { request.maximumModRevision = number() }
    if chance(20) { request.minimumCreateRevision = number() }
    if chance(20) { request.maximumCreateRevision = number() }
    request.keysOnly = chance(20)
    request.countOnly = chance(10)
    return request
  }

  mutating func transaction(depth: Int) -> TransactionRequest {
    TransactionRequest(
      comparisons: (0..<below(3)).map { _ in comparison() }, success: (0..<below(4)).map { _ in request(depth: depth) },
      failure: (0..<below(4)).map { _ in request(depth: depth) })
  }

  mutating func comparison() -> Comparison {
    let operand: Comparison.Operand =
      switch below(5) {
      case 0: .version(number())
      case 3: .lease(number())
      case 1: .createRevision(number())
      case 2: .modRevision(number())
      default: .value(bytes(upTo: 2))
      }
    return Comparison(range: range(), relation: Comparison.Relation(rawValue: UInt8(below(4)))!, operand: operand)
  }
}

/// A key from text.
func k(_ text: String) -> Key { Array(text.utf8) }

extension KeyRange {
  init(_ start: String, _ end: String? = nil) { self.init(start: k(start), end: end.map { k($0) }) }
}

extension Request {
  static func put(
    _ key: String, _ value: String = "", previous: Bool = false, ignoreValue: Bool = false, lease: Int64 = 0
  ) -> Request {
    .put(PutRequest(key: k(key), value: k(value), previous: previous, ignoreValue: ignoreValue, lease: lease))
  }

  static func grant(_ id: LeaseID, seconds: Int64 = 10) -> Request { .leaseGrant(LeaseGrantRequest(id: id, timeToLive: seconds)) }

  static func delete(_ start: String, _ end: String? = nil, previous: Bool = false) -> Request {
    .delete(DeleteRequest(range: KeyRange(start, end), previous: previous))
  }

  static func get(_ start: String, _ end: String? = nil, revision: Revision = 0) -> Request {
    .range(RangeRequest(range: KeyRange(start, end), revision: revision))
  }

  static func transaction(
    _ comparisons: [Comparison] = [], then success: [Request] = [], else failure: [Request] = []
  ) -> Request {
    .transaction(TransactionRequest(comparisons: comparisons, success: success, failure: failure))
  }
}

extension KeyValueMachine {
  mutating func compact(at revision: Revision) -> Output { perform(.compaction(CompactionRequest(revision: revision))) }
}

extension KeyValuePair {
  init(_ key: String, _ value: String, create: Revision, mod: Revision, version: Int64) {
    self.init(key: k(key), value: k(value), createRevision: create, modRevision: mod, version: version)
  }
}

extension KeyValueMachine {
  /// By the way a command takes: encoded, and as part of a batch.
  @discardableResult
  mutating func perform(_ request: Request, at index: UInt64 = 1) -> Output { apply(bytes: request.encoded(), at: index) }

  mutating func apply(bytes: [UInt8], at index: UInt64 = 1) -> Output {
    apply([Command(index: index, term: 1, payload: bytes[...])])[0]
  }

  /// In as many turns as it takes.
  mutating func applyAll(_ commands: [Command]) -> [Output] {
    var outputs: [Output] = []
    while outputs.count < commands.count { outputs += apply(Array(commands[outputs.count...])) }
    return outputs
  }

  /// With these changes made, one after the other.
  init(_ requests: Request...) {
    self.init()
    for request in requests { perform(request) }
  }
}

extension OrderedTree {
  var depth: Int {
    var node = root
    var depth = 1
    while !node.isLeaf {
      node = node.children[0]
      depth += 1
    }
    return depth
  }
}

extension KeyValueView {
  /// As restored from a snapshot of the first format.
  var withoutPast: KeyValueView {
    var builder = OrderedTree.Builder()
    for pair in pairs() {
      _ = builder.append(
        Item(
          key: pair.key[...], value: pair.value[...], createRevision: pair.createRevision, modRevision: pair.modRevision,
          version: pair.version))
    }
    return KeyValueView(revision: revision, tree: builder.finish())
  }

  var blocks: [[UInt8]] { Array(IteratorSequence(makeBlocks())) }

  func response(_ request: RangeRequest) throws -> RangeResponse {
    guard case .range(let response) = try answer(request).get().result else { throw MalformedBytes("answer") }
    return response
  }
}
