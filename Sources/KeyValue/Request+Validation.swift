/// What can be said of a request without knowing the store.
extension Request {
  /// Whether it changes nothing, whichever branch is taken: it need not go through the log.
  public var isReadOnly: Bool {
    switch self {
    case .range, .leases, .lease: true
    case .put, .delete, .compaction, .settings, .leaseGrant, .leaseRevoke, .leaseExpiry, .access, .record: false
    case .onBehalf(_, let request): request.isReadOnly
    case .transaction(let request): request.success.allSatisfy(\.isReadOnly) && request.failure.allSatisfy(\.isReadOnly)
    }
  }

  /// Throws what the store would answer whatever is in it, so that a node can refuse the request before proposing it. The order of the
  /// checks is etcd's.
  public func validate() throws(KeyValueError) {
    if case .onBehalf(_, let request) = self {
      if case .onBehalf = request { throw .notInTransaction }
      guard encodedCount <= Limits.requestBytes else { throw .tooLarge }
      return try request.validate()
    }
    // First what bounds the time that the other checks take. A put needs no walk to know its size.
    var remaining = Limits.totalOperations
    try checkOperations(Limits.operations, remaining: &remaining)
    guard encodedCount <= Limits.requestBytes else { throw .tooLarge }
    try checkFields()
    switch self {
    case .transaction(let request):
      if request.canChangeTwice { _ = try WrittenKeys(branchesOf: request) }
    case .settings(let settings):
      guard settings.quota > 0, settings.historyAge >= 0, settings.historyBytes >= 0 else { throw .invalidSettings }
    case .leaseGrant(let request):
      guard request.id != 0 else { throw .leaseNotFound }
      guard request.timeToLive <= Limits.maximumLeaseSeconds else { throw .leaseTTLTooLarge }
    case .leaseExpiry: throw .leaderOnly
    case .record(let change): guard change.isValid else { throw .invalidRecord }
    case .access(let request): try granted { () throws(AccessError) in try request.validate() }
    case .range, .put, .delete, .compaction, .leaseRevoke, .leases, .lease, .onBehalf: break
    }
  }

  private func checkOperations(_ limit: Int, remaining: inout Int) throws(KeyValueError) {
    guard case .transaction(let request) = self else { return }
    let longest = max(request.comparisons.count, request.success.count, request.failure.count)
    remaining -= request.comparisons.count + request.success.count + request.failure.count
    guard longest <= limit, remaining >= 0 else { throw .tooManyOperations }
    for inner in request.success { try inner.checkOperations(limit - longest, remaining: &remaining) }
    for inner in request.failure { try inner.checkOperations(limit - longest, remaining: &remaining) }
  }

  private func checkFields() throws(KeyValueError) {
    switch self {
    case .range(let request):
      guard !request.range.start.isEmpty else { throw .emptyKey }
    case .delete(let request):
      guard !request.range.start.isEmpty else { throw .emptyKey }
    case .put(let request):
      guard !request.key.isEmpty else { throw .emptyKey }
      guard !request.ignoreValue || request.value.isEmpty else { throw .valueProvided }
      guard !request.ignoreLease || request.lease == 0 else { throw .leaseProvided }
    case .compaction, .settings, .leaseGrant, .leaseRevoke, .leaseExpiry, .leases, .lease, .access, .record, .onBehalf: break
    case .transaction(let request):
      for comparison in request.comparisons where comparison.range.start.isEmpty { throw .emptyKey }
      for inner in request.success { try inner.checkInner() }
      for inner in request.failure { try inner.checkInner() }
    }
  }

  private func checkInner() throws(KeyValueError) {
    switch self {
    case .range, .put, .delete, .transaction: try checkFields()
    case .compaction, .settings, .leaseGrant, .leaseRevoke, .leaseExpiry, .leases, .lease, .access, .record, .onBehalf:
      throw .notInTransaction
    }
  }
}

extension TransactionRequest {
  /// False if each branch is one plain operation, as most are: then there is nothing to prove.
  fileprivate var canChangeTwice: Bool { Self.canChangeTwice(success) || Self.canChangeTwice(failure) }

  private static func canChangeTwice(_ operations: [Request]) -> Bool {
    if case .transaction = operations.first { return true }
    return operations.count > 1
  }
}

/// What a list of operations may change, and the proof that it changes no key twice: a key is put once only, and not inside a range that is
/// deleted. Ranges that are deleted may overlap, and the two branches of a transaction know nothing of each other.
///
/// Stricter than etcd in two corners, where it overlooks what its own rule forbids: a delete without an end, and a delete in a transaction
/// that comes after the one which puts.
private struct WrittenKeys {
  private var puts: [Key] = []
  /// The same once there are many: few are found sooner by looking at each.
  private var manyPuts: Set<Key> = []
  private var deletes: [KeyRange] = []

  private static let few = 8

  init(branchesOf request: TransactionRequest) throws(KeyValueError) {
    self = try WrittenKeys(request.success)
    let failure = try WrittenKeys(request.failure)
    for key in failure.puts where !isPut(key) { add(key) }
    deletes += failure.deletes
  }

  private init(_ operations: [Request]) throws(KeyValueError) {
    for operation in operations {
      switch operation {
      case .range: break
      case .put(let request):
        try check(request.key)
        add(request.key)
      case .delete(let request):
        try check(request.range)
        deletes.append(request.range)
      case .transaction(let request):
        let inner = try WrittenKeys(branchesOf: request)
        for key in inner.puts { try check(key) }
        for range in inner.deletes { try check(range) }
        for key in inner.puts { add(key) }
        deletes += inner.deletes
      case .compaction, .settings, .leaseGrant, .leaseRevoke, .leaseExpiry, .leases, .lease, .access, .record, .onBehalf:
        throw .notInTransaction
      }
    }
  }

  private func check(_ key: Key) throws(KeyValueError) {
    if isPut(key) || deletes.contains(where: { $0.contains(key) }) { throw .duplicateKey }
  }

  private func check(_ range: KeyRange) throws(KeyValueError) {
    if puts.contains(where: range.contains) { throw .duplicateKey }
  }

  private func isPut(_ key: Key) -> Bool { puts.count <= Self.few ? puts.contains(key) : manyPuts.contains(key) }

  private mutating func add(_ key: Key) {
    puts.append(key)
    if puts.count == Self.few + 1 { manyPuts.formUnion(puts) } else if puts.count > Self.few { manyPuts.insert(key) }
  }
}
