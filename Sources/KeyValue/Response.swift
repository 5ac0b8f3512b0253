/// What a request did, and the store's revision after it.
///
/// Small, however much it says: pairs stay in the store's tree as it was then, and are read out when they are needed. So a response costs
/// the replica's thread little, and the client takes it in parts, on another thread. As long as a response is kept, so is the state that it
/// refers to.
public struct Response: Hashable, Sendable {
  public var revision: Revision
  var stored: StoredResult

  public init(revision: Revision, result: OperationResult) {
    self.init(revision: revision, stored: StoredResult(result))
  }

  init(revision: Revision, stored: StoredResult) {
    self.revision = revision
    self.stored = stored
  }

  /// All of it, made anew each time: time and memory are those of its pairs.
  public var result: OperationResult {
    get { stored.result }
    set { stored = StoredResult(newValue) }
  }

  /// Whether the request changed the store.
  public var isChange: Bool { stored.isChange }

  public static func == (left: Response, right: Response) -> Bool {
    left.revision == right.revision && left.result == right.result
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(revision)
    hasher.combine(result)
  }
}

/// A response whose pairs are still in the store.
enum StoredResult: Sendable {
  indirect case range(StoredRange)
  case put(previous: Item?)
  indirect case delete(count: Int64, previous: StoredRange?)
  case transaction(succeeded: Bool, [StoredResult])

  /// Whether it changed the store.
  var isChange: Bool {
    switch self {
    case .range: false
    case .put: true
    case .delete(let count, _): count > 0
    case .transaction(_, let responses): responses.contains(where: \.isChange)
    }
  }

  init(_ response: OperationResult) {
    switch response {
    case .range(let range): self = .range(StoredRange(range))
    case .put(let previous): self = .put(previous: previous.map(Item.init))
    case .delete(let count, let previous):
      self = .delete(count: count, previous: previous.isEmpty ? nil : StoredRange(RangeResponse(pairs: previous, count: count)))
    case .transaction(let succeeded, let responses):
      self = .transaction(succeeded: succeeded, responses.map(StoredResult.init))
    }
  }

  var result: OperationResult {
    switch self {
    case .range(let range): .range(range.response)
    case .put(let previous): .put(previous: previous?.pair())
    case .delete(let count, let previous): .delete(count: count, previous: previous?.response.pairs ?? [])
    case .transaction(let succeeded, let responses): .transaction(succeeded: succeeded, responses: responses.map(\.result))
    }
  }
}

/// What a range selects, before it is looked at.
struct StoredRange: Sendable {
  enum Source: Sendable {
    /// In the order of their keys.
    case items([Item])
    case one(Item?)
    case tree(OrderedTree, Range<Int>)
  }

  /// Of a range with at most so many pairs the pairs are held, and not the tree with all that it held then.
  static let few = 16

  let request: RangeRequest
  /// If the request keeps the order of keys: what it returns. Otherwise all pairs of its range.
  let source: Source
  /// Keys in the range.
  let count: Int
  /// Made from pairs that are already in memory.
  private(set) var saysMore: Bool?

  init(_ request: RangeRequest, source: Source, count: Int) {
    self.request = request
    self.source = source
    self.count = count
  }

  /// Of pairs that are made already.
  init(_ response: RangeResponse) {
    request = RangeRequest(range: .all)
    source = .items(response.pairs.map(Item.init))
    count = Int(response.count)
    saysMore = response.more
  }

  /// How many pairs must be looked at.
  var candidates: Int {
    switch source {
    case .items(let items): items.count
    case .one(let item): item == nil ? 0 : 1
    case .tree(_, let ranks): ranks.count
    }
  }

  var response: RangeResponse {
    var reader = PairReader(self)
    var pairs: [KeyValuePair] = []
    while true {
      var work = Int.max
      switch reader.next(&work) {
      case .pair(let item): pairs.append(item.pair(keysOnly: request.keysOnly))
      case .pause: continue
      case .end(let more): return RangeResponse(pairs: pairs, more: more, count: Int64(count))
      }
    }
  }
}

extension Item {
  fileprivate init(_ pair: KeyValuePair) {
    self.init(
      key: pair.key[...], value: pair.value[...], createRevision: pair.createRevision, modRevision: pair.modRevision, version: pair.version)
  }
}
