import KeyValue

/// The key-value store once more: a sorted array, and the rules as etcd has them (KV in `rpc.proto`) and the documents say them. Nothing of
/// `KeyValue` but the values that are asked and answered, so that a mistake there is not made here too.
public struct NaiveStore: Sendable {
  /// Shared by the states that have it.
  final class Kept: Sendable {
    let pair: KeyValuePair

    init(_ pair: KeyValuePair) { self.pair = pair }
  }

  /// What a request did, all of it read out.
  struct Response: Equatable {
    var revision: Revision
    var result: OperationResult
    /// The revision that each operation's own header has, in their order; an inner transaction has none.
    var headers: [Revision]
  }

  var revision: Revision = 1
  /// In the order of their keys.
  var pairs: [Kept] = []
  /// -1 before the first compaction.
  var compactRevision: Revision = -1
  /// From this one on changes are told: the same, or the one after it.
  var firstEvents: Revision = -1
  /// Whole states, the last the present one.
  var past = NaivePast()
  var settings = StoreSettings(quota: 2 << 30, historyAge: 3600, historyBytes: 128 << 20)
  /// For how many seconds each was granted, and by which command, in the order of their numbers. Their keys are the pairs that name them.
  var leases: [(id: LeaseID, timeToLive: Int64, grant: UInt64)] = []
  var isOutOfSpace = false
  var access = NaiveAccess()
  /// Of the pairs, with what is counted beside.
  private(set) var presentBytes = 0
  /// Of the request under way.
  private(set) var index: UInt64 = 0
  /// What the request under way changed so far.
  private var changes: [NaivePast.Change] = []

  public init() { past.append(NaivePast.State(revision: 1, pairs: [], changes: [])) }

  /// Of which nothing is known but the present.
  /// - Parameter pairs: in the order of their keys.
  init(revision: Revision, pairs: some Sequence<KeyValuePair>) {
    self.revision = revision
    self.pairs = pairs.map(Kept.init)
    presentBytes = self.pairs.reduce(0) { $0 + Self.bytes(of: $1.pair) }
    compactRevision = revision
    firstEvents = revision
    past.append(NaivePast.State(revision: revision, pairs: self.pairs, changes: []))
  }

  /// Does a request, or changes nothing and says why not.
  /// - Parameters:
  ///   - size: bytes of its encoding.
  ///   - index: its place in the log.
  mutating func perform(_ request: Request, size: Int, at index: UInt64 = 0) -> Result<Response, KeyValueError> {
    self.index = index
    do throws(KeyValueError) {
      try NaiveRules.check(request, size: size)
      if case .onBehalf(let subject, let asked) = request {
        try access.check(asked, for: subject, in: self)
        guard case .access(let change) = asked else { return perform(asked, size: size, at: index) }
        return try perform(change, for: subject)
      }
      if case .access(let change) = request { return try perform(change, for: nil) }
      var cost = NaiveCost()
      try allow(request, &cost)
      try makeRoom(for: request)
    } catch {
      return .failure(error)
    }
    let before = self
    var headers: [Revision] = []
    changes = []
    let response = carryOut(request, before, &headers)
    if revision > before.revision { past.append(NaivePast.State(revision: revision, pairs: pairs, changes: changes)) }
    return .success(Response(revision: revision, result: response, headers: headers))
  }

  private mutating func perform(_ change: AccessRequest, for subject: Subject?) throws(KeyValueError) -> Result<Response, KeyValueError> {
    do throws(AccessError) {
      try access.perform(change, for: subject)
    } catch {
      throw .access(error)
    }
    return .success(Response(revision: revision, result: .done, headers: [revision]))
  }

  // MARK: What can be refused

  /// Whether the store has what the request needs, as it is before the first change; and that it looks at no more than it may. A range of
  /// its own may look at everything.
  func allow(_ request: Request, _ cost: inout NaiveCost) throws(KeyValueError) {
    if case .range(let range) = request { return try allow(range) }
    // Of a put that is not in a transaction this comes first.
    if case .put(let put) = request, put.lease != 0, !hasLease(put.lease) { throw .leaseNotFound }
    try allowPart(request, &cost)
    if let error = cost.rangeError { throw error }
  }

  private func allow(_ range: RangeRequest) throws(KeyValueError) {
    if range.revision > revision { throw .futureRevision }
    if range.revision > 0, range.revision < compactRevision { throw .compacted }
  }

  private func allowPart(_ request: Request, _ cost: inout NaiveCost) throws(KeyValueError) {
    switch request {
    case .range(let range):
      // What is wrong with a put is told first.
      do throws(KeyValueError) {
        try allow(range)
      } catch {
        cost.rangeError = cost.rangeError ?? error
        return
      }
      try cost.look(at: range, in: self)
    case .put(let put):
      if put.ignoreValue || put.ignoreLease, pair(put.key) == nil { throw .keyNotFound }
      try cost.look(at: put, in: self)
      if put.lease != 0, !hasLease(put.lease) { throw .leaseNotFound }
    case .delete(let delete):
      try cost.look(at: delete, in: self)
    case .transaction(let transaction):
      var succeeded = true
      for comparison in transaction.comparisons where succeeded {
        try cost.look(at: comparison, in: self)
        succeeded = holds(comparison)
      }
      for operation in succeeded ? transaction.success : transaction.failure { try allowPart(operation, &cost) }
    case .compaction(let compaction):
      if compaction.revision <= compactRevision { throw .compacted }
      if compaction.revision > revision { throw .futureRevision }
    case .leaseGrant(let grant):
      if hasLease(grant.id) { throw .leaseExists }
      if leases.count >= 1_000_000 { throw .tooManyLeases }
    case .leaseRevoke(let id): if !hasLease(id) { throw .leaseNotFound }
    case .settings, .leaseExpiry, .leases, .lease, .access, .record, .onBehalf: break
    }
  }

  /// It must hold for each key of its range. Where there is none the numbers are 0, and nothing can be said of a value.
  func holds(_ comparison: Comparison) -> Bool {
    let found = pairs(in: comparison.range)
    if found.isEmpty {
      if case .value = comparison.operand { return false }
      return comparison.isTrue(of: KeyValuePair(key: [], value: [], createRevision: 0, modRevision: 0, version: 0))
    }
    return found.allSatisfy { comparison.isTrue(of: $0.pair) }
  }

  // MARK: What is done

  /// - Parameter before: the store before the first change, which has all comparisons, and the reads that name its revision.
  private mutating func carryOut(_ request: Request, _ before: NaiveStore, _ headers: inout [Revision]) -> OperationResult {
    let response: OperationResult
    switch request {
    case .range(let range): response = .range(range.revision > 0 ? before.answer(range) : answer(range))
    case .put(let put): response = .put(previous: self.put(put, before))
    case .delete(let delete): response = self.delete(delete, before)
    case .transaction(let transaction):
      let succeeded = transaction.comparisons.allSatisfy(before.holds)
      var responses: [OperationResult] = []
      for operation in succeeded ? transaction.success : transaction.failure { responses.append(carryOut(operation, before, &headers)) }
      return .transaction(succeeded: succeeded, responses: responses)
    case .compaction(let compaction):
      compact(at: compaction.revision)
      response = .done
    case .settings(let settings):
      self.set(settings)
      response = .done
    case .leaseGrant, .leaseRevoke, .leaseExpiry, .leases, .lease: response = carryOut(ofLeases: request)
    case .access, .record, .onBehalf: response = .done
    }
    headers.append(revision)
    return response
  }

  /// The first change makes the new revision, the others share it.
  private mutating func put(_ put: PutRequest, _ before: NaiveStore) -> KeyValuePair? {
    revision = before.revision + 1
    let old = pair(put.key)
    let new = KeyValuePair(
      key: put.key, value: put.ignoreValue ? old?.value ?? [] : put.value, createRevision: old?.createRevision ?? revision,
      modRevision: revision, version: (old?.version ?? 0) + 1, lease: put.ignoreLease ? old?.lease ?? 0 : put.lease)
    changes.append(NaivePast.Change(key: put.key, new: new, old: old))
    presentBytes += Self.bytes(of: new) - (old.map(Self.bytes) ?? 0)
    let place = place(of: put.key)
    if old == nil { pairs.insert(Kept(new), at: place) } else { pairs[place] = Kept(new) }
    return put.previous ? old : nil
  }

  mutating func delete(_ delete: DeleteRequest, _ before: NaiveStore) -> OperationResult {
    let found = pairs(in: delete.range)
    guard !found.isEmpty else { return .delete(count: 0, previous: []) }
    revision = before.revision + 1
    let previous = delete.previous ? found.map(\.pair) : []
    for kept in found {
      changes.append(NaivePast.Change(key: kept.pair.key, new: nil, old: kept.pair))
      presentBytes -= Self.bytes(of: kept.pair)
    }
    let places = found.indices
    pairs.removeSubrange(places)
    return .delete(count: Int64(places.count), previous: previous)
  }

  // MARK: What is read

  /// The count is of all keys in the range; the others are filtered, then sorted, then cut.
  private func answer(_ range: RangeRequest) -> RangeResponse {
    var store = self
    if range.revision > 0 { store.pairs = past.state(at: range.revision).pairs }
    let found = store.pairs(in: range.range)
    let count = Int64(found.count)
    if range.countOnly { return RangeResponse(count: count) }
    var wanted = sorted(found.filter { range.isWanted($0.pair) }, range)
    let isCut = range.limit > 0 && wanted.count > range.limit
    if isCut { wanted.removeLast(wanted.count - Int(range.limit)) }
    var answered = wanted.map(\.pair)
    if range.keysOnly { for place in answered.indices { answered[place].value = [] } }
    return RangeResponse(pairs: answered, more: isCut, count: count)
  }

  /// Equals come in the order of their keys, whichever way is asked for.
  private func sorted(_ found: [Kept], _ range: RangeRequest) -> [Kept] {
    let isDescending = range.order == .descending
    func sorted(_ isLess: (KeyValuePair, KeyValuePair) -> Bool) -> [Kept] {
      let order = found.indices.sorted { a, b in
        let (first, second) = isDescending ? (found[b].pair, found[a].pair) : (found[a].pair, found[b].pair)
        if isLess(first, second) { return true }
        return isLess(second, first) ? false : a < b
      }
      return order.map { found[$0] }
    }
    switch range.target {
    case .key: return isDescending ? found.reversed() : found
    case .version: return sorted { $0.version < $1.version }
    case .createRevision: return sorted { $0.createRevision < $1.createRevision }
    case .modRevision: return sorted { $0.modRevision < $1.modRevision }
    case .value: return sorted { $0.value.lexicographicallyPrecedes($1.value) }
    }
  }

  func pair(_ key: Key) -> KeyValuePair? {
    let place = place(of: key)
    return place < pairs.count && pairs[place].pair.key == key ? pairs[place].pair : nil
  }

  /// An end of one zero byte is none; an end before the start leaves nothing.
  func pairs(in range: KeyRange) -> ArraySlice<Kept> {
    let start = place(of: range.start)
    guard let end = range.end else { return pairs[start..<(pair(range.start) == nil ? start : start + 1)] }
    return pairs[start..<(end == [0] ? pairs.count : max(start, place(of: end)))]
  }

  /// How many keys come before this one.
  private func place(of key: Key) -> Int {
    var (low, high) = (0, pairs.count)
    while low < high {
      let middle = (low + high) / 2
      if pairs[middle].pair.key.lexicographicallyPrecedes(key) { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

extension Comparison {
  fileprivate func isTrue(of pair: KeyValuePair) -> Bool {
    switch operand {
    case .version(let number): relation.holds(pair.version == number, pair.version < number)
    case .createRevision(let number): relation.holds(pair.createRevision == number, pair.createRevision < number)
    case .modRevision(let number): relation.holds(pair.modRevision == number, pair.modRevision < number)
    case .lease(let number): relation.holds(pair.lease == number, pair.lease < number)
    case .value(let value): relation.holds(pair.value == value, pair.value.lexicographicallyPrecedes(value))
    }
  }
}

extension Comparison.Relation {
  fileprivate func holds(_ isEqual: Bool, _ isLess: Bool) -> Bool {
    switch self {
    case .equal: isEqual
    case .notEqual: !isEqual
    case .less: isLess
    case .greater: !isEqual && !isLess
    }
  }
}

extension RangeRequest {
  /// Bounds belong to what they bound; 0 is none.
  fileprivate func isWanted(_ pair: KeyValuePair) -> Bool {
    if minimumModRevision != 0, pair.modRevision < minimumModRevision { return false }
    if maximumModRevision != 0, pair.modRevision > maximumModRevision { return false }
    if minimumCreateRevision != 0, pair.createRevision < minimumCreateRevision { return false }
    if maximumCreateRevision != 0, pair.createRevision > maximumCreateRevision { return false }
    return true
  }
}
