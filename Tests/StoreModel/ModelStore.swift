import KeyValue

/// The smallest store that does what `Request` says: a sorted array of pairs. It checks the bounds that the real one has.
public struct ModelStore: Sendable {
  public static let maximumOperations = 128

  public private(set) var revision: Revision = 1
  public private(set) var pairs: [KeyValuePair] = []

  public init() {}

  public mutating func perform(_ request: Request) -> Answer {
    var draft = self
    draft.revision += 1
    let response = draft.response(to: request)
    if draft.pairs == pairs { draft.revision = revision }
    self = draft
    return Answer(revision: revision, response: response)
  }

  public func read(_ request: RangeRequest) -> Answer { Answer(revision: revision, response: .range(range(request))) }

  private mutating func response(to request: Request) -> Response {
    switch request {
    case .range(let range): return .range(self.range(range))
    case .put(let put): return .put(previous: self.put(put.key, put.value))
    case .delete(let delete):
      let gone = pairs.filter { delete.range.contains($0.key) }
      pairs.removeAll { delete.range.contains($0.key) }
      return .delete(count: Int64(gone.count), previous: [])
    case .transaction(let transaction):
      for count in [transaction.comparisons.count, transaction.success.count, transaction.failure.count] {
        precondition(count <= Self.maximumOperations, "too many operations in one transaction")
      }
      let succeeded = transaction.comparisons.allSatisfy(holds)
      return .transaction(succeeded: succeeded, responses: (succeeded ? transaction.success : transaction.failure).map { response(to: $0) })
    }
  }

  private mutating func put(_ key: Key, _ value: Value) -> KeyValuePair? {
    guard let offset = pairs.firstIndex(where: { $0.key == key }) else {
      let offset = pairs.firstIndex { key.lexicographicallyPrecedes($0.key) } ?? pairs.endIndex
      let pair = KeyValuePair(key: key, value: value, createRevision: revision, modRevision: revision, version: 1)
      pairs.insert(pair, at: offset)
      return nil
    }
    let previous = pairs[offset]
    precondition(previous.modRevision < revision, "a key is put twice in one transaction")
    pairs[offset].value = value
    pairs[offset].modRevision = revision
    pairs[offset].version += 1
    return previous
  }

  private func range(_ request: RangeRequest) -> RangeResponse {
    var all = pairs.filter { request.range.contains($0.key) }
    if request.target == .createRevision { all.sort { $0.createRevision < $1.createRevision } }
    if request.order == .descending { all.reverse() }
    var some = request.limit > 0 ? Array(all.prefix(Int(request.limit))) : all
    if request.keysOnly { for offset in some.indices { some[offset].value = [] } }
    return RangeResponse(pairs: some, more: some.count < all.count, count: Int64(all.count))
  }

  private func holds(_ comparison: Comparison) -> Bool {
    let pair = pairs.first { $0.key == comparison.range.start }
    let sides: (Int64, Int64)
    switch comparison.operand {
    case .version(let version): sides = (pair?.version ?? 0, version)
    case .createRevision(let revision): sides = (pair?.createRevision ?? 0, revision)
    case .modRevision(let revision): sides = (pair?.modRevision ?? 0, revision)
    case .value: return false
    }
    switch comparison.relation {
    case .equal: return sides.0 == sides.1
    case .notEqual: return sides.0 != sides.1
    case .greater: return sides.0 > sides.1
    case .less: return sides.0 < sides.1
    }
  }
}

extension KeyRange {
  fileprivate func contains(_ key: Key) -> Bool {
    guard let end else { return key == start }
    return !key.lexicographicallyPrecedes(start) && (end == [0] || key.lexicographicallyPrecedes(end))
  }
}
