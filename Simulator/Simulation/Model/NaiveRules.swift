import KeyValue

/// What can be said against a request without knowing the store, in the order in which etcd says it. The numbers are those of
/// `Docs/ClientInterface.md`, written down once more on purpose.
enum NaiveRules {
  static let requestBytes = 1_572_864
  static let operations = 128
  static let totalOperations = 4096

  static func check(_ request: Request, size: Int) throws(KeyValueError) {
    if case .onBehalf(_, let inner) = request {
      if case .onBehalf = inner { throw .notInTransaction }
      if size > requestBytes { throw .tooLarge }
      return try check(inner, size: size)
    }
    if depth(of: request) > operations || total(of: request) > totalOperations { throw .tooManyOperations }
    if size > requestBytes { throw .tooLarge }
    try checkFields(request)
    if case .transaction(let transaction) = request, isContradictory(transaction.success) || isContradictory(transaction.failure) {
      throw .duplicateKey
    }
    if case .settings(let settings) = request, settings.quota <= 0 || settings.historyAge < 0 || settings.historyBytes < 0 {
      throw .invalidSettings
    }
    if case .access(let change) = request {
      do throws(AccessError) { try NaiveAccess.check(change) } catch { throw .access(error) }
    }
    guard case .leaseGrant(let grant) = request else { return }
    if grant.id == 0 { throw .leaseNotFound }
    if grant.timeToLive > NaiveStore.mostSeconds { throw .leaseTTLTooLarge }
  }

  /// The longest of a transaction's lists, and the most of what is in those inside it.
  private static func depth(of request: Request) -> Int {
    guard case .transaction(let transaction) = request else { return 0 }
    var inside = 0
    for operation in transaction.success { inside = max(inside, depth(of: operation)) }
    for operation in transaction.failure { inside = max(inside, depth(of: operation)) }
    return max(transaction.comparisons.count, transaction.success.count, transaction.failure.count) + inside
  }

  private static func total(of request: Request) -> Int {
    guard case .transaction(let transaction) = request else { return 0 }
    var sum = transaction.comparisons.count + transaction.success.count + transaction.failure.count
    for operation in transaction.success { sum += total(of: operation) }
    for operation in transaction.failure { sum += total(of: operation) }
    return sum
  }

  private static func checkFields(_ request: Request) throws(KeyValueError) {
    switch request {
    case .range(let range):
      if range.range.start.isEmpty { throw .emptyKey }
    case .delete(let delete):
      if delete.range.start.isEmpty { throw .emptyKey }
    case .put(let put):
      if put.key.isEmpty { throw .emptyKey }
      if put.ignoreValue, !put.value.isEmpty { throw .valueProvided }
      if put.ignoreLease, put.lease != 0 { throw .leaseProvided }
    case .compaction, .settings, .leaseGrant, .leaseRevoke, .leaseExpiry, .leases, .lease, .access, .record, .onBehalf: break
    case .transaction(let transaction):
      for comparison in transaction.comparisons where comparison.range.start.isEmpty { throw .emptyKey }
      for operation in transaction.success + transaction.failure {
        switch operation {
        case .range, .put, .delete, .transaction: try checkFields(operation)
        case .compaction, .settings, .leaseGrant, .leaseRevoke, .leaseExpiry, .leases, .lease, .access, .record, .onBehalf:
          throw .notInTransaction
        }
      }
    }
  }

  // MARK: Changed twice

  private enum Change {
    case put(Key)
    case delete(KeyRange)

    /// Two deletes may overlap.
    func contradicts(_ other: Change) -> Bool {
      switch (self, other) {
      case (.put(let a), .put(let b)): a == b
      case (.put(let key), .delete(let range)), (.delete(let range), .put(let key)): Self.is(key, in: range)
      case (.delete, .delete): false
      }
    }

    private static func `is`(_ key: Key, in range: KeyRange) -> Bool {
      guard let end = range.end else { return key == range.start }
      return !key.lexicographicallyPrecedes(range.start) && (end == [0] || key.lexicographicallyPrecedes(end))
    }
  }

  /// Whether two operations of one list, whatever branches are taken inside them, would change a key twice; or two of a list inside them.
  private static func isContradictory(_ operations: [Request]) -> Bool {
    // Whatever is to contradict it is in another.
    if operations.count < 2, case .put? = operations.first { return false }
    var earlier: [Change] = []
    for operation in operations {
      if case .transaction(let transaction) = operation, isContradictory(transaction.success) || isContradictory(transaction.failure) {
        return true
      }
      let changes = changes(of: operation)
      if changes.contains(where: { change in earlier.contains(where: change.contradicts) }) { return true }
      earlier += changes
    }
    return false
  }

  private static func changes(of request: Request) -> [Change] {
    switch request {
    case .range, .compaction, .settings, .leaseGrant, .leaseRevoke, .leaseExpiry, .leases, .lease, .access, .record, .onBehalf: []
    case .put(let put): [.put(put.key)]
    case .delete(let delete): [.delete(delete.range)]
    case .transaction(let transaction): (transaction.success + transaction.failure).flatMap(changes)
    }
  }
}

/// How many pairs and bytes a transaction, or a delete that answers with what it deletes, looks at: in the state before its first change,
/// each operation as if it looked anew.
struct NaiveCost: Equatable {
  static let mostPairs = 100_000
  static let mostBytes = 33_554_432

  private(set) var pairs = 0
  private(set) var bytes = 0
  /// What was put so far, and may be seen by the ranges that follow.
  private var put: (pairs: Int, keyBytes: Int, valueBytes: Int) = (0, 0, 0)
  private var isChanged = false
  /// Of the first range of a transaction that cannot be read.
  var rangeError: KeyValueError?

  static func == (a: NaiveCost, b: NaiveCost) -> Bool { a.pairs == b.pairs && a.bytes == b.bytes }

  mutating func look(at comparison: Comparison, in store: NaiveStore) throws(KeyValueError) {
    let found = store.pairs(in: comparison.range)
    var bytes = 0
    if case .value = comparison.operand { bytes = found.reduce(0) { $0 + $1.pair.value.count } }
    try add(found.count, bytes)
  }

  /// In the order of the keys, what it returns; else all that is in it. After changes, that and all that was put, as it may return some.
  mutating func look(at range: RangeRequest, in store: NaiveStore) throws(KeyValueError) {
    if range.revision > 0, range.revision < store.revision { return try lookBack(at: range, in: store) }
    if range.countOnly { return }
    let isSorted = range.target != .key
    let isFiltered =
      range.minimumModRevision != 0 || range.maximumModRevision != 0 || range.minimumCreateRevision != 0
      || range.maximumCreateRevision != 0
    let limit = range.limit > 0 && !isSorted && !isFiltered ? Int(clamping: range.limit) : Int.max
    var found = store.pairs(in: range.range)
    let seesChanges = isChanged && range.revision <= 0
    if !seesChanges { found = range.order == .descending ? found.suffix(limit) : found.prefix(limit) }
    var (pairs, keyBytes, valueBytes) = seesChanges ? put : (0, 0, 0)
    for kept in found {
      keyBytes += kept.pair.key.count
      valueBytes += kept.pair.value.count
    }
    pairs = min(pairs + found.count, limit)
    try add(pairs, keyBytes + (range.keysOnly ? 0 : valueBytes))
  }

  /// Each key that is there now or whose deletion is remembered may have been there then.
  private mutating func lookBack(at range: RangeRequest, in store: NaiveStore) throws(KeyValueError) {
    try add(store.pairs(in: range.range).count + store.rememberedDeletions(in: range.range), 0)
    if range.countOnly { return }
    var then = store
    then.pairs = store.past.state(at: range.revision).pairs
    try add(0, then.pairs(in: range.range).reduce(0) { $0 + $1.pair.key.count + (range.keysOnly ? 0 : $1.pair.value.count) })
  }

  mutating func look(at put: PutRequest, in store: NaiveStore) throws(KeyValueError) {
    let old = store.pair(put.key)
    if put.previous || put.ignoreValue || put.ignoreLease, let old { try add(1, old.key.count + old.value.count) }
    isChanged = true
    self.put.pairs += 1
    self.put.keyBytes += put.key.count
    self.put.valueBytes += put.ignoreValue ? old?.value.count ?? 0 : put.value.count
  }

  /// Each key is deleted once only, so a delete costs nothing but what it answers.
  mutating func look(at delete: DeleteRequest, in store: NaiveStore) throws(KeyValueError) {
    isChanged = true
    guard delete.previous else { return }
    let found = store.pairs(in: delete.range)
    try add(found.count, found.reduce(0) { $0 + $1.pair.key.count + $1.pair.value.count })
  }

  private mutating func add(_ pairs: Int, _ bytes: Int) throws(KeyValueError) {
    self.pairs += pairs
    self.bytes += bytes
    if self.pairs > Self.mostPairs || self.bytes > Self.mostBytes { throw .tooCostly }
  }
}
