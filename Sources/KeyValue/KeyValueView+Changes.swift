import ByteCoding

extension KeyValueView {
  /// Does a request, or changes nothing and says why not.
  ///
  /// - Parameters:
  ///   - subject: on whose behalf, if it may; `nil` for the process itself.
  ///   - index: of the command in the log.
  mutating func perform(_ request: Request, for subject: Subject? = nil, at index: UInt64) -> Result<Response, KeyValueError> {
    var cost = Cost()
    return perform(request, for: subject, at: index, &cost)
  }

  /// - Parameter cost: Gets what the request looks at.
  mutating func perform(
    _ request: Request, for subject: Subject? = nil, at index: UInt64, _ cost: inout Cost
  ) -> Result<Response, KeyValueError> {
    do throws(KeyValueError) {
      if let subject, access.isEnabled {
        // What is wrong with the request is told first, and bounds the time that the check takes.
        try request.validate()
        try check(request, for: subject)
      }
      if case .range(let request) = request { return answer(request) }
      if let result = try performAlone(request, for: subject, at: index) {
        return .success(Response(revision: revision, stored: result))
      }
      try request.validate()
      if case .put(let request) = request { try checkLease(of: request) }
      let step = try plan(request, &cost)
      if let error = cost.rangeError { throw error }
      try checkSpace(for: cost.putSize)
      // A copy makes the changes copy nodes, so it is kept only for those who look at it.
      let response = perform(step, before: step.readsRevision ? self : nil)
      if response.isChange { revision += 1 }
      return .success(Response(revision: revision, stored: response))
    } catch {
      return .failure(error)
    }
  }

  /// What cannot be part of a transaction; `nil` for what can.
  private mutating func performAlone(
    _ request: Request, for subject: Subject?, at index: UInt64
  ) throws(KeyValueError) -> StoredResult? {
    switch request {
    case .range, .put, .delete, .transaction: return nil
    case .compaction(let request):
      try compact(at: request.revision)
      return .done
    case .settings(let settings):
      try request.validate()
      set(settings)
      return .done
    case .leaseGrant(let grant):
      try request.validate()
      return try self.grant(grant, at: index)
    case .leaseRevoke(let id):
      guard leases.contains(id) else { throw .leaseNotFound }
      return endLease(id)
    // Proposed again in case it was lost, so the lease may be gone, and its number granted anew.
    case .leaseExpiry(let id, let grant): return isMeant(grant, of: id) ? endLease(id) : .leaseRevoked(keys: 0)
    case .leases: return .leases(leases)
    case .lease(let id): return .lease(id, leases)
    case .access(let request):
      try granted { () throws(AccessError) in try access.perform(request, for: subject) }
      return .done
    case .record(let change):
      guard change.isValid else { throw .invalidRecord }
      guard !access.isEnabled || subject == nil || subject == .operator else { throw .access(.permissionDenied) }
      try records.apply(change)
      return .done
    case .onBehalf: throw .notInTransaction
    }
  }
}

/// A request that is known to succeed, with its branches chosen. Whatever can fail fails in the making of it.
private enum Step {
  case range(RangeRequest)
  case put(PutRequest)
  case delete(DeleteRequest)
  case transaction(succeeded: Bool, [Step])

  var readsRevision: Bool {
    switch self {
    case .range(let request): request.revision > 0
    case .put, .delete: false
    case .transaction(_, let steps): steps.contains(where: \.readsRevision)
    }
  }
}

extension KeyValueView {
  /// All comparisons, those of inner transactions too, see the store as it is before the first change; so does the count of what it costs.
  private func plan(_ request: Request, _ cost: inout Cost) throws(KeyValueError) -> Step {
    switch request {
    case .range(let request):
      try cost.check(request, in: self)
      return .range(request)
    case .put(let request):
      let mustExist = request.ignoreValue || request.ignoreLease
      let found = mustExist || request.previous ? tree.item(for: request.key[...]) : nil
      guard !mustExist || found != nil else { throw .keyNotFound }
      try cost.count(request, found: found)
      try checkLease(of: request)
      return .put(request)
    case .delete(let request):
      try cost.count(request, in: tree)
      return .delete(request)
    case .transaction(let request):
      var succeeded = true
      for comparison in request.comparisons where succeeded {
        try cost.count(comparison, in: tree)
        succeeded = holds(comparison)
      }
      var steps: [Step] = []
      for operation in succeeded ? request.success : request.failure { steps.append(try plan(operation, &cost)) }
      return .transaction(succeeded: succeeded, steps)
    case .compaction, .settings, .leaseGrant, .leaseRevoke, .leaseExpiry, .leases, .lease, .access, .record, .onBehalf:
      throw .notInTransaction
    }
  }

  /// For every key of the range. A key that does not exist has the numbers 0, and no value that anything could hold for.
  private func holds(_ comparison: Comparison) -> Bool {
    if comparison.range.end == nil {
      if let item = tree.item(for: comparison.range.start[...]) { return comparison.holds(item) }
    } else {
      let ranks = tree.ranks(of: comparison.range)
      if !ranks.isEmpty { return tree.items(at: ranks).allSatisfy(comparison.holds) }
    }
    if case .value = comparison.operand { return false }
    return comparison.holds(Item(key: [], value: [], createRevision: 0, modRevision: 0, version: 0))
  }

  /// - Parameter before: the store before the first change, for reads that name its revision.
  private mutating func perform(_ step: Step, before: KeyValueView?) -> StoredResult {
    switch step {
    case .range(let request):
      return .range(request.revision > 0 ? (before ?? self).select(request) : select(request))
    case .put(let request):
      return put(request)
    case .delete(let request):
      return delete(request)
    case .transaction(let succeeded, let steps):
      var responses: [StoredResult] = []
      responses.reserveCapacity(steps.count)
      for step in steps { responses.append(perform(step, before: before)) }
      return .transaction(succeeded: succeeded, responses)
    }
  }

  private mutating func put(_ request: PutRequest) -> StoredResult {
    let replaced = store(request.key[...], at: revision + 1) { found in
      (request.ignoreValue ? (found?.value ?? [])[...] : request.value[...], request.ignoreLease ? found?.lease ?? 0 : request.lease)
    }
    let previous = replaced.flatMap { $0.isTombstone ? nil : $0 }
    if !request.ignoreLease { move(request.key, from: previous?.lease ?? 0, to: request.lease) }
    return .put(previous: request.previous ? previous : nil)
  }

  /// A key goes with one lease at a time; 0 is none.
  @inline(__always)
  private mutating func move(_ key: Key, from old: LeaseID, to new: LeaseID) {
    guard old != new else { return }
    if old != 0 { leases.detach(key, from: old) }
    if new != 0 { leases.attach(key, to: new) }
  }

  /// Puts a version of a key in place of the newest, or of the tombstone, and gives that back.
  @inline(__always)
  mutating func store(_ key: Bytes, at revision: Revision, _ content: (Item?) -> (value: Bytes, lease: Int64)) -> Item? {
    Self.store(key, at: revision, in: &tree, &deleted, &changes, content)
  }

  /// Of the parts one by one, as all of them change in the one way down the tree.
  @inline(__always)
  private static func store(
    _ key: Bytes, at revision: Revision, in tree: inout OrderedTree, _ deleted: inout OrderedTree, _ changes: inout ChangeLog,
    _ content: (Item?) -> (value: Bytes, lease: Int64)
  ) -> Item? {
    var replaced: Item?
    tree.update(key) { found in
      let (value, lease) = content(found)
      // A key that is made anew goes on where its tombstone stands.
      replaced = found == nil && deleted.count > 0 ? deleted.remove(key) : found
      let item = Item(
        key: key, value: value, createRevision: found?.createRevision ?? revision, modRevision: revision,
        version: (found?.version ?? 0) + 1, lease: lease, change: changes.end, depth: changes.depth(after: replaced))
      changes.append(item, replacing: replaced)
      return item
    }
    return replaced
  }

  private mutating func delete(_ request: DeleteRequest) -> StoredResult {
    let ranks = tree.ranks(of: request.range)
    var previous: StoredRange?
    if request.previous, !ranks.isEmpty {
      previous = StoredRange(RangeRequest(range: request.range), source: tree.source(ranks), count: ranks.count)
    }
    let items = Array(tree.items(at: ranks))
    tree.remove(at: ranks)
    for item in items where item.lease != 0 { leases.detach(item.key, from: item.lease) }
    bury(items, at: revision + 1)
    return .delete(count: Int64(ranks.count), previous: previous)
  }

  /// Puts the tombstones of keys where they belong; their newest versions, in the order of the keys, are out of the tree already.
  mutating func bury(_ items: [Item], at revision: Revision) {
    var tombstones: [Item] = []
    tombstones.reserveCapacity(items.count)
    for item in items {
      let tombstone = item.withKey { Item(deleting: $0, at: revision, change: changes.end, depth: changes.depth(after: item)) }
      changes.append(tombstone, replacing: item)
      tombstones.append(tombstone)
    }
    deleted.insert(ascending: tombstones)
  }
}

extension Comparison {
  fileprivate func holds(_ item: Item) -> Bool {
    let order =
      switch operand {
      case .version(let number): Int.order(item.version, number)
      case .createRevision(let number): Int.order(item.createRevision, number)
      case .modRevision(let number): Int.order(item.modRevision, number)
      case .lease(let number): Int.order(item.lease, number)
      case .value(let value): item.withValue { stored in value.withUnsafeBytes { ByteOrder.compare(stored, $0) } }
      }
    return switch relation {
    case .equal: order == 0
    case .notEqual: order != 0
    case .greater: order > 0
    case .less: order < 0
    }
  }
}
