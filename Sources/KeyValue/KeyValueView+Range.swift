import ByteCoding

extension KeyValueView {
  /// Answers a read, of the present or of any revision that is kept. O(log n): the answer's pairs are made when it is looked at.
  public func answer(_ request: RangeRequest) -> Result<Response, KeyValueError> {
    do throws(KeyValueError) {
      try Request.range(request).validate()
      try check(request)
      return .success(Response(revision: revision, stored: .range(select(request))))
    } catch {
      return .failure(error)
    }
  }

  /// Answers a request without changing the store: for a transaction that only reads. What another one would change is lost.
  public func answer(_ request: Request) -> Result<Response, KeyValueError> {
    if case .range(let request) = request { return answer(request) }
    var copy = self
    if case .onBehalf(let subject, let request) = request { return copy.perform(request, for: subject, at: 0) }
    return copy.perform(request, at: 0)
  }

  /// Whether the revision that a read asks for is at hand.
  func check(_ request: RangeRequest) throws(KeyValueError) {
    guard request.revision <= revision else { throw .futureRevision }
    guard request.revision <= 0 || request.revision >= compactRevision else { throw .compacted }
  }

  func isPast(_ request: RangeRequest) -> Bool { request.revision > 0 && request.revision < revision }

  /// The first change that a read of an older revision does not see.
  func boundary(of request: RangeRequest) -> Int { changes.first(from: request.revision + 1) }

  /// What is asked for, without looking at it.
  func select(_ request: RangeRequest) -> StoredRange {
    guard !isPast(request) else { return selectPast(request) }
    guard request.range.end != nil else {
      let item = tree.item(for: request.range.start[...])
      return StoredRange(request, source: .one(request.countOnly ? nil : item), count: item == nil ? 0 : 1)
    }
    let ranks = tree.ranks(of: request.range)
    guard !request.countOnly else { return StoredRange(request, source: .one(nil), count: ranks.count) }
    let part = request.keepsKeyOrder ? request.part(of: ranks) : ranks
    return StoredRange(request, source: tree.source(part), count: ranks.count)
  }

  private func selectPast(_ request: RangeRequest) -> StoredRange {
    let boundary = boundary(of: request)
    guard request.range.end != nil else {
      let newest = tree.item(for: request.range.start[...]) ?? deleted.item(for: request.range.start[...])
      let item = newest.flatMap { changes.version(of: $0, before: boundary) }
      return StoredRange(request, source: .one(request.countOnly ? nil : item), count: item == nil ? 0 : 1)
    }
    return StoredRange(request, source: .past(Past(of: request.range, in: self, before: boundary)), count: 0)
  }
}

extension OrderedTree {
  /// The items with these places, held as cheaply as can be.
  func source(_ ranks: Range<Int>) -> StoredRange.Source {
    ranks.count <= StoredRange.few ? .items(Array(items(at: ranks))) : .tree(self, ranks)
  }
}

extension RangeRequest {
  var hasBounds: Bool {
    minimumModRevision != 0 || maximumModRevision != 0 || minimumCreateRevision != 0 || maximumCreateRevision != 0
  }

  /// The tree gives what is asked for in the order asked for, or the reverse: only what is returned need be visited.
  var keepsKeyOrder: Bool { target == .key && !hasBounds }

  /// The places of what is returned, if the order of keys is kept.
  func part(of ranks: Range<Int>) -> Range<Int> {
    guard limit > 0, limit < Int64(ranks.count) else { return ranks }
    return order == .descending ? ranks.suffix(Int(limit)) : ranks.prefix(Int(limit))
  }

  func admits(_ item: Item) -> Bool {
    (minimumModRevision == 0 || item.modRevision >= minimumModRevision)
      && (maximumModRevision == 0 || item.modRevision <= maximumModRevision)
      && (minimumCreateRevision == 0 || item.createRevision >= minimumCreateRevision)
      && (maximumCreateRevision == 0 || item.createRevision <= maximumCreateRevision)
  }

  /// No order given is ascending. Items that are equal in what is sorted by come in order of their keys.
  func precedes(_ a: Item, _ b: Item) -> Bool {
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
