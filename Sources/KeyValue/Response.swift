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
  /// A request that changes no key: a compaction, other settings.
  case done
  case leaseGranted(LeaseID, timeToLive: Int64)
  case leaseRevoked(keys: Int64)
  case leases(LeaseTable)
  indirect case lease(LeaseID, LeaseTable)

  /// Whether it changed the store.
  var isChange: Bool {
    switch self {
    case .range, .done, .leaseGranted, .leases, .lease: false
    case .put: true
    case .leaseRevoked(let keys): keys > 0
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
    case .done: self = .done
    case .leaseGranted(let id, let timeToLive): self = .leaseGranted(id, timeToLive: timeToLive)
    case .leaseRevoked(let keys): self = .leaseRevoked(keys: keys)
    case .leases(let ids):
      var table = LeaseTable()
      for id in ids { table.grant(id, timeToLive: 0, grant: 0) }
      self = .leases(table)
    case .lease(let lease):
      var table = LeaseTable()
      if let lease { table.grant(0, timeToLive: lease.timeToLive, grant: 0) }
      for key in lease?.keys ?? [] { table.attach(key, to: 0) }
      self = .lease(0, table)
    }
  }

  var result: OperationResult {
    switch self {
    case .range(let range): .range(range.response)
    case .put(let previous): .put(previous: previous?.pair())
    case .delete(let count, let previous): .delete(count: count, previous: previous?.response.pairs ?? [])
    case .transaction(let succeeded, let responses): .transaction(succeeded: succeeded, responses: responses.map(\.result))
    case .done: .done
    case .leaseGranted(let id, let timeToLive): .leaseGranted(id, timeToLive: timeToLive)
    case .leaseRevoked(let keys): .leaseRevoked(keys: keys)
    case .leases(let table): .leases(table.granted.items(at: 0..<table.count).map(LeaseTable.id))
    case .lease(let id, let table):
      .lease(table.timeToLive(of: id).map { LeaseResponse(timeToLive: $0, keys: table.keys(of: id).map(LeaseTable.key)) })
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
    /// Whatever was in the range, which is counted when it is looked at.
    case past(Past)
  }

  /// Of a range with at most so many pairs the pairs are held, and not the tree with all that it held then.
  static let few = 16

  let request: RangeRequest
  /// If the request keeps the order of keys: what it returns. Otherwise all pairs of its range.
  let source: Source
  /// Keys in the range; 0 of the past, until they are looked at.
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
    case .past(let past): past.candidates
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
      case .end(let more, let count): return RangeResponse(pairs: pairs, more: more, count: Int64(count))
      }
    }
  }
}

extension Item {
  fileprivate init(_ pair: KeyValuePair) {
    self.init(
      key: pair.key[...], value: pair.value[...], createRevision: pair.createRevision, modRevision: pair.modRevision, version: pair.version,
      lease: pair.lease)
  }
}
