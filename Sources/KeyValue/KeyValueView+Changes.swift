import ByteCoding

extension KeyValueView {
  /// Does a request, or changes nothing and says why not.
  mutating func perform(_ request: Request) -> Result<Response, KeyValueError> {
    var cost = Cost()
    return perform(request, &cost)
  }

  /// - Parameter cost: Gets what the request looks at.
  mutating func perform(_ request: Request, _ cost: inout Cost) -> Result<Response, KeyValueError> {
    if case .range(let request) = request { return answer(request) }
    do throws(KeyValueError) {
      try request.validate()
      let step = try plan(request, &cost)
      // A copy makes the changes copy nodes, so it is kept only for those who look at it.
      let response = perform(step, before: step.readsRevision ? self : nil)
      if response.isChange { revision += 1 }
      return .success(Response(revision: revision, stored: response))
    } catch {
      return .failure(error)
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
      try check(request)
      try cost.count(request, in: tree)
      return .range(request)
    case .put(let request):
      let found = request.ignoreValue || request.previous ? tree.item(for: request.key[...]) : nil
      guard !request.ignoreValue || found != nil else { throw .keyNotFound }
      try cost.count(request, found: found)
      guard request.lease == 0 else { throw .leaseNotFound }
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
    let revision = revision + 1
    var previous: Item?
    tree.update(request.key[...]) { found in
      previous = found
      let value = request.ignoreValue ? found?.value ?? [] : request.value
      return Item(
        key: request.key[...], value: value[...], createRevision: found?.createRevision ?? revision, modRevision: revision,
        version: (found?.version ?? 0) + 1)
    }
    return .put(previous: request.previous ? previous : nil)
  }

  private mutating func delete(_ request: DeleteRequest) -> StoredResult {
    let ranks = tree.ranks(of: request.range)
    var previous: StoredRange?
    if request.previous, !ranks.isEmpty {
      previous = StoredRange(RangeRequest(range: request.range), source: tree.source(ranks), count: ranks.count)
    }
    tree.remove(at: ranks)
    return .delete(count: Int64(ranks.count), previous: previous)
  }
}

extension Comparison {
  fileprivate func holds(_ item: Item) -> Bool {
    let order =
      switch operand {
      case .version(let number): Int.order(item.version, number)
      case .createRevision(let number): Int.order(item.createRevision, number)
      case .modRevision(let number): Int.order(item.modRevision, number)
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
