import ByteCoding

extension KeyValueView {
  /// Does a request, or changes nothing and says why not.
  mutating func perform(_ request: Request) -> Result<Answer, KeyValueError> {
    do throws(KeyValueError) {
      try request.validate()
      let step = try plan(request)
      // A copy makes the changes copy nodes, so it is kept only for those who look at it.
      let response = perform(step, before: step.readsRevision ? self : nil)
      if response.isChange { revision += 1 }
      return .success(Answer(revision: revision, response: response))
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
  /// All comparisons, those of inner transactions too, see the store as it is before the first change.
  private func plan(_ request: Request) throws(KeyValueError) -> Step {
    switch request {
    case .range(let request):
      try check(request)
      return .range(request)
    case .put(let request):
      guard !request.ignoreValue || tree.item(for: request.key[...]) != nil else { throw .keyNotFound }
      guard request.lease == 0 else { throw .leaseNotFound }
      return .put(request)
    case .delete(let request):
      return .delete(request)
    case .transaction(let request):
      let succeeded = request.comparisons.allSatisfy(holds)
      var steps: [Step] = []
      for operation in succeeded ? request.success : request.failure { steps.append(try plan(operation)) }
      return .transaction(succeeded: succeeded, steps)
    }
  }

  /// For every key of the range. A key that does not exist has the numbers 0, and no value that anything could hold for.
  private func holds(_ comparison: Comparison) -> Bool {
    let ranks = tree.ranks(of: comparison.range)
    guard ranks.isEmpty else { return tree.items(at: ranks).allSatisfy(comparison.holds) }
    if case .value = comparison.operand { return false }
    return comparison.holds(Item(key: [], value: [], createRevision: 0, modRevision: 0, version: 0))
  }

  /// - Parameter before: the store before the first change, for reads that name its revision.
  private mutating func perform(_ step: Step, before: KeyValueView?) -> Response {
    switch step {
    case .range(let request):
      return .range(request.revision > 0 ? (before ?? self).select(request) : select(request))
    case .put(let request):
      return put(request)
    case .delete(let request):
      return delete(request)
    case .transaction(let succeeded, let steps):
      var responses: [Response] = []
      responses.reserveCapacity(steps.count)
      for step in steps { responses.append(perform(step, before: before)) }
      return .transaction(succeeded: succeeded, responses: responses)
    }
  }

  private mutating func put(_ request: PutRequest) -> Response {
    let revision = revision + 1
    var previous: Item?
    tree.update(request.key[...]) { found in
      previous = found
      let value = request.ignoreValue ? found?.value ?? [] : request.value
      return Item(
        key: request.key[...], value: value[...], createRevision: found?.createRevision ?? revision, modRevision: revision,
        version: (found?.version ?? 0) + 1)
    }
    return .put(previous: request.previous ? previous?.pair() : nil)
  }

  private mutating func delete(_ request: DeleteRequest) -> Response {
    let items = request.range.end == nil ? tree.item(for: request.range.start[...]).map { [$0] } ?? [] : items(in: request.range)
    if items.count == tree.count {
      tree = OrderedTree()
    } else {
      for item in items { tree.remove(item.key[...]) }
    }
    return .delete(count: Int64(items.count), previous: request.previous ? items.map { $0.pair() } : [])
  }

  private func items(in range: KeyRange) -> [Item] { Array(tree.items(at: tree.ranks(of: range))) }
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
