import KeyValue
import Raft

/// Draws requests of every shape that the store knows, the odd ones too: ranges with limits, orders and bounds, transactions inside each
/// other, comparisons of whole ranges, and now and then one that is to be refused.
struct KeyValueDrawer {
  /// Which keys one request may join. A search for an order of all operations takes the keys apart that no request joins; with all in one
  /// piece it finds no end.
  enum Reach {
    case all(UInt64)
    /// `key-0` to `key-9` at most, in pairs.
    case pair(UInt64)
    case one(UInt64)
  }

  /// So deep transactions stand inside each other.
  private static let deepest = 3

  /// Leases that are granted have the numbers from 1 to this.
  private static let leases: UInt64 = 6
  /// Never granted.
  private static let noLease: LeaseID = 77

  /// A quota that no run reaches.
  private static let roomy: Int64 = 1 << 40

  private let reach: Reach
  private let view: KeyValueView
  /// The first value that is put; those that follow are short, and no two of all that are ever put are the same.
  private let value: Value
  private let number: UInt64
  private var values = 0
  /// Keys that the request changes: a second change is an error, which is to be rare.
  private var changed: [Key] = []

  init(_ reach: Reach, number: UInt64, value: Value, seeing view: KeyValueView) {
    self.reach = reach
    self.number = number
    self.value = value
    self.view = view
  }

  static func key(_ number: UInt64) -> Key { Array("key-\(number)".utf8) }

  private var isSearched: Bool { if case .all = reach { false } else { true } }

  // MARK: Keys and values

  private func key(_ random: inout PseudoRandom) -> Key {
    switch reach {
    case .all(let keys): Self.key(random.below(keys))
    case .pair(let place): Self.key(place & ~1 | random.below(2))
    case .one(let place): Self.key(place)
    }
  }

  private func range(_ random: inout PseudoRandom) -> KeyRange {
    switch reach {
    case .all(let keys):
      switch random.below(6) {
      case 0: .all
      case 1: KeyRange(start: key(&random), end: [0])
      case 2: KeyRange(prefix: Array("key-\(random.below(keys) / 10)".utf8))
      // One may end before it starts.
      case 3, 4: KeyRange(start: key(&random), end: key(&random))
      default: KeyRange(key(&random))
      }
    case .pair(let place):
      random.chance(1, in: 2) ? KeyRange(start: Self.key(place & ~1), end: Self.key((place | 1) + 1)) : KeyRange(key(&random))
    case .one: KeyRange(key(&random))
    }
  }

  /// A key that the request does not change yet; `nil` if chance finds none.
  private mutating func unchangedKey(_ random: inout PseudoRandom) -> Key? {
    let key = key(&random)
    if changed.contains(key), !random.chance(1, in: 40) { return nil }
    changed.append(key)
    return key
  }

  private mutating func newValue() -> Value {
    values += 1
    return values == 1 ? value : Array("v\(number)-\(values)".utf8)
  }

  /// About that of the last changes.
  private func recentRevision(_ random: inout PseudoRandom) -> Revision { max(1, view.revision + 1 - Revision(random.below(24))) }

  // MARK: Requests

  /// One that need not be alone in a transaction.
  mutating func change(_ random: inout PseudoRandom) -> Request {
    random.chance(1, in: 3) ? .delete(DeleteRequest(range: range(&random), previous: random.chance(2, in: 3))) : put(key(&random), &random)
  }

  /// One that has to do with what the store remembers: forgets some of it, or leaves little room for more, mostly not for long.
  mutating func upkeep(_ random: inout PseudoRandom) -> Request {
    if view.isOutOfSpace || view.settings.quota < Self.roomy, random.chance(2, in: 3) {
      return .settings(
        StoreSettings(
          quota: Self.roomy, historyAge: random.pick([3600, 3600, 4, 0]), historyBytes: random.pick([128 << 20, 128 << 20, 4000])))
    }
    if random.chance(1, in: 4) { return .settings(StoreSettings(quota: Int64(view.size) + Int64(random.below(4000)))) }
    return .compaction(CompactionRequest(revision: view.revision + 1 - Revision(random.below(200))))
  }

  /// Of leases few, so that requests meet: the one that is named is there as often as not.
  func lease(_ random: inout PseudoRandom) -> LeaseID { LeaseID(random.below(Self.leases)) + 1 }

  /// One that grants a lease, or ends it.
  func leaseChange(_ random: inout PseudoRandom) -> Request {
    guard random.chance(3, in: 4) else { return .leaseRevoke(lease(&random)) }
    let seconds = random.chance(1, in: 40) ? Limits.maximumLeaseSeconds + 1 : Int64(random.below(20))
    return .leaseGrant(LeaseGrantRequest(id: random.chance(1, in: 40) ? 0 : lease(&random), timeToLive: seconds))
  }

  /// One that reads them: mostly one that has a key, if chance finds any.
  func leaseRead(_ random: inout PseudoRandom) -> Request {
    guard !random.chance(1, in: 3) else { return .leases }
    let found = view.get(key(&random))?.lease ?? 0
    return .lease(found == 0 ? lease(&random) : found)
  }

  private mutating func put(_ key: Key, _ random: inout PseudoRandom) -> Request {
    var request = PutRequest(key: key, value: [], previous: random.chance(1, in: 3), ignoreValue: random.chance(1, in: 4))
    if !request.ignoreValue || random.chance(1, in: 40) { request.value = newValue() }
    // A search for an order knows nothing of leases: where there is one, no key goes with any.
    if random.chance(1, in: isSearched ? 60 : 8) { request.lease = isSearched ? Self.noLease : lease(&random) }
    if random.chance(1, in: request.lease == 0 ? 8 : 3) { request.ignoreLease = true }
    return .put(request)
  }

  mutating func range(_ random: inout PseudoRandom) -> RangeRequest {
    var request = RangeRequest(range: self.range(&random))
    if random.chance(1, in: 2) { request.limit = Int64(random.below(5)) }
    request.order = random.pick([.none, .ascending, .descending])
    if random.chance(1, in: 2) { request.target = random.pick([.version, .createRevision, .modRevision, .value]) }
    if random.chance(1, in: 5) { request.minimumModRevision = recentRevision(&random) }
    if random.chance(1, in: 5) { request.maximumModRevision = recentRevision(&random) }
    if random.chance(1, in: 8) { request.minimumCreateRevision = recentRevision(&random) }
    if random.chance(1, in: 8) { request.maximumCreateRevision = recentRevision(&random) }
    request.keysOnly = random.chance(1, in: 5)
    request.countOnly = random.chance(1, in: 10)
    // The present, the next one, and what was long ago.
    if random.chance(1, in: 6) { request.revision = view.revision + 1 - Revision(random.below(random.chance(1, in: 2) ? 3 : 200)) }
    return request
  }

  mutating func transaction(_ random: inout PseudoRandom) -> TransactionRequest {
    if !isSearched, random.chance(1, in: 40) { return long(&random) }
    // What changes, if anything does, is inside the inner ones.
    return transaction(depth: 1, changes: !random.chance(1, in: 3), &random)
  }

  /// One that only reads.
  mutating func reads(_ random: inout PseudoRandom) -> TransactionRequest {
    TransactionRequest(
      comparisons: comparisons(depth: 1, &random), success: (0...random.below(2)).map { _ in .range(range(&random)) },
      failure: (0...random.below(2)).map { _ in .range(range(&random)) })
  }

  /// About as many operations as are allowed.
  private mutating func long(_ random: inout PseudoRandom) -> TransactionRequest {
    TransactionRequest(
      success: (0..<100 + random.below(40)).map { _ in
        .range(RangeRequest(range: KeyRange(key(&random)), keysOnly: random.chance(1, in: 2)))
      })
  }

  private mutating func transaction(depth: Int, changes: Bool, _ random: inout PseudoRandom) -> TransactionRequest {
    let comparisons = comparisons(depth: depth, &random)
    let before = changed
    let success = (0...random.below(3)).map { _ in operation(depth: depth, changes: changes, &random) }
    // The two branches know nothing of each other.
    let after = changed
    changed = before
    let failure = random.chance(1, in: 2) ? (0...random.below(2)).map { _ in operation(depth: depth, changes: changes, &random) } : []
    changed += after
    return TransactionRequest(comparisons: comparisons, success: success, failure: failure)
  }

  private mutating func operation(depth: Int, changes: Bool, _ random: inout PseudoRandom) -> Request {
    if depth < Self.deepest, random.chance(changes ? 1 : 2, in: 4) {
      return .transaction(transaction(depth: depth + 1, changes: true, &random))
    }
    guard changes else { return .range(range(&random)) }
    switch random.below(8) {
    case 0...3: if let key = unchangedKey(&random) { return put(key, &random) }
    case 4...5:
      let key = unchangedKey(&random)
      // A range may have what is put beside it, which is refused.
      let range = random.chance(1, in: 6) ? self.range(&random) : key.map { KeyRange($0) }
      if let range { return .delete(DeleteRequest(range: range, previous: random.chance(1, in: 2))) }
    default: break
    }
    return .range(range(&random))
  }

  // MARK: Comparisons

  private func comparisons(depth: Int, _ random: inout PseudoRandom) -> [Comparison] {
    // Of a request without an answer the search follows both outcomes of one comparison that says nothing of values, not of several.
    if isSearched, depth > 1 { return random.chance(1, in: 2) ? [existence(&random)] : [] }
    return (0..<random.below(3)).map { _ in comparison(&random) }
  }

  private func existence(_ random: inout PseudoRandom) -> Comparison {
    Comparison(range: KeyRange(key(&random)), relation: random.pick([.equal, .notEqual]), operand: .createRevision(0))
  }

  /// Of one key or of a range, about what is there, so that it holds as often as not.
  private func comparison(_ random: inout PseudoRandom) -> Comparison {
    let found = view.get(key(&random))
    let operand: Comparison.Operand =
      switch random.below(5) {
      case 0: .version(Int64(random.below(4)))
      case 3: .lease(random.chance(1, in: 2) ? found?.lease ?? 0 : Int64(random.below(4)))
      case 1: .createRevision(random.chance(1, in: 2) ? found?.createRevision ?? 0 : recentRevision(&random))
      case 2: .modRevision(random.chance(1, in: 2) ? found?.modRevision ?? 0 : recentRevision(&random))
      default: .value(found?.value ?? [0x76])
      }
    return Comparison(range: range(&random), relation: random.pick([.equal, .notEqual, .greater, .less]), operand: operand)
  }
}
