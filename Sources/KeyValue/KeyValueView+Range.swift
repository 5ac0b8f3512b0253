import ByteCoding

extension KeyValueView {
  /// Answers a read. Only the present revision is kept, so one before is compacted.
  public func answer(_ request: RangeRequest) -> Result<Answer, KeyValueError> {
    do throws(KeyValueError) {
      try Request.range(request).validate()
      try check(request)
      return .success(Answer(revision: revision, response: .range(select(request))))
    } catch {
      return .failure(error)
    }
  }

  /// Answers a request without changing the store: for a transaction that only reads. What another one would change is lost.
  public func answer(_ request: Request) -> Result<Answer, KeyValueError> {
    var copy = self
    return copy.perform(request)
  }

  /// Whether the revision that a read asks for is at hand.
  func check(_ request: RangeRequest) throws(KeyValueError) {
    guard request.revision <= revision else { throw .futureRevision }
    guard request.revision <= 0 || request.revision == revision else { throw .compacted }
  }

  /// The pairs asked for: filtered, then sorted, then cut.
  func select(_ request: RangeRequest) -> RangeResponse {
    if request.range.end == nil {
      let items = tree.item(for: request.range.start[...]).map { [$0] } ?? []
      return request.countOnly ? RangeResponse(count: Int64(items.count)) : response(to: request, from: items, count: items.count)
    }
    let ranks = tree.ranks(of: request.range)
    if request.countOnly { return RangeResponse(count: Int64(ranks.count)) }
    guard request.keepsKeyOrder else { return response(to: request, from: Array(tree.items(at: ranks)), count: ranks.count) }

    // One more than the limit, so that the rest of the way sees that there is more.
    let wanted = request.limit > 0 && request.limit < Int64(ranks.count) ? Int(request.limit) + 1 : ranks.count
    let part = request.order == .descending ? ranks.suffix(wanted) : ranks.prefix(wanted)
    return response(to: request, from: Array(tree.items(at: part)), count: ranks.count)
  }

  /// From the items of the range, in order of their keys.
  private func response(to request: RangeRequest, from candidates: [Item], count: Int) -> RangeResponse {
    var items = request.hasBounds ? candidates.filter(request.admits) : candidates
    if request.target != .key {
      items.sort(by: request.precedes)
    } else if request.order == .descending {
      items.reverse()
    }
    let isCut = request.limit > 0 && Int64(items.count) > request.limit
    if isCut { items.removeSubrange(Int(request.limit)...) }
    return RangeResponse(pairs: items.map { $0.pair(keysOnly: request.keysOnly) }, more: isCut, count: Int64(count))
  }
}

extension RangeRequest {
  fileprivate var hasBounds: Bool {
    minimumModRevision != 0 || maximumModRevision != 0 || minimumCreateRevision != 0 || maximumCreateRevision != 0
  }

  /// The tree gives what is asked for in the order asked for, or the reverse: only what is returned need be visited.
  fileprivate var keepsKeyOrder: Bool { target == .key && !hasBounds }

  fileprivate func admits(_ item: Item) -> Bool {
    (minimumModRevision == 0 || item.modRevision >= minimumModRevision)
      && (maximumModRevision == 0 || item.modRevision <= maximumModRevision)
      && (minimumCreateRevision == 0 || item.createRevision >= minimumCreateRevision)
      && (maximumCreateRevision == 0 || item.createRevision <= maximumCreateRevision)
  }

  /// No order given is ascending. Items that are equal in what is sorted by come in order of their keys.
  fileprivate func precedes(_ a: Item, _ b: Item) -> Bool {
    let byTarget = compare(a, b)
    if byTarget != 0 { return order == .descending ? byTarget > 0 : byTarget < 0 }
    return a.withKey { a in b.withKey { b in ByteOrder.compare(a, b) < 0 } }
  }

  private func compare(_ a: Item, _ b: Item) -> Int {
    switch target {
    case .key: a.withKey { a in b.withKey { b in ByteOrder.compare(a, b) } }
    case .value: a.withValue { a in b.withValue { b in ByteOrder.compare(a, b) } }
    case .version: Int.order(a.version, b.version)
    case .createRevision: Int.order(a.createRevision, b.createRevision)
    case .modRevision: Int.order(a.modRevision, b.modRevision)
    }
  }
}

extension Int {
  /// As `ByteOrder.compare`, for numbers.
  static func order(_ a: Int64, _ b: Int64) -> Int { a == b ? 0 : a < b ? -1 : 1 }
}
