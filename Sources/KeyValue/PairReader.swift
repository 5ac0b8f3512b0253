/// Reads what a range returns, pair by pair, in the order asked for and up to its limit.
///
/// Lazy: in the order of keys only what is taken is visited. Another order needs all candidates to be looked at first, but does not sort
/// them: of those that the limit leaves a heap is made, from which the next is taken when it is asked for. The newest come from the tree's
/// own knowledge of what is new where. Of the past all candidates are looked at in any case: only so they are counted.
struct PairReader: Sendable {
  enum Step {
    case pair(Item)
    /// The work that was allowed is done, and there is more.
    case pause
    /// No pair follows. `more`: there were more than the limit. `count`: keys in the range.
    case end(more: Bool, count: Int)
  }

  private enum Phase { case walking, counting, gathering, newest, ended }

  private let request: RangeRequest
  private let past: Past?
  private var count: Int
  private var phase: Phase
  private var walk: Walk
  /// One, of the past; in an array, so that other reads do not carry its weight.
  private var newestVersions: [Past.Merge]
  private var ranking: Ranking
  private var newest: NewestFirst
  /// How many pairs may still be returned.
  private var remaining: Int64
  private var more: Bool

  init(_ range: StoredRange) {
    request = range.request
    count = range.count
    remaining = request.limit > 0 ? request.limit : .max
    more = range.saysMore ?? false
    let isDescending = request.target == .key && request.order == .descending
    walk = Walk(range.source, isDescending: isDescending)
    if case .past(let past) = range.source { self.past = past } else { past = nil }
    newestVersions = past.map { [$0.newest(isDescending: isDescending)] } ?? []
    ranking = Ranking(range)
    newest = NewestFirst(range)
    phase =
      request.countOnly
      ? past == nil ? .ended : .counting : newest.isUsed ? .newest : request.target == .key ? .walking : .gathering
  }

  /// The next step; takes what it cost from `work`, whose unit is about the time to look at a pair.
  mutating func next(_ work: inout Int) -> Step {
    while work > 0 {
      work -= 1
      switch phase {
      case .walking, .counting:
        guard let candidate = nextCandidate() else { return end() }
        guard let item = version(of: candidate), phase == .walking, request.admits(item) else { continue }
        if let step = take(item) { return step }
      case .newest:
        guard let item = newest.next(&work) else { return end() }
        guard request.admits(item) else { continue }
        if let step = take(item) { return step }
      case .gathering:
        if let candidate = nextCandidate() {
          if let item = version(of: candidate), request.admits(item) { ranking.add(item, &work) }
          continue
        }
        more = more || ranking.hasLeftOut
        guard ranking.prepare(&work) else { return .pause }
        guard let item = ranking.next(&work) else { return end() }
        return .pair(item)
      case .ended: return .end(more: more, count: count)
      }
    }
    return .pause
  }

  @inline(__always)
  private mutating func nextCandidate() -> Item? { past == nil ? walk.next() : newestVersions[0].next() }

  /// As it was then; counts it.
  @inline(__always)
  private mutating func version(of candidate: Item) -> Item? {
    guard let past else { return candidate }
    guard let item = past.version(of: candidate) else { return nil }
    count += 1
    return item
  }

  /// The item, unless the limit is reached: then it is the proof that there are more.
  private mutating func take(_ item: Item) -> Step? {
    if remaining == 0 {
      more = true
      guard past == nil else {
        phase = .counting
        return nil
      }
      return end()
    }
    remaining -= 1
    return .pair(item)
  }

  private mutating func end() -> Step {
    // In key order the rest of the range was not even visited.
    if phase == .walking, past == nil, request.keepsKeyOrder, request.limit > 0, Int64(count) > request.limit { more = true }
    phase = .ended
    walk = Walk(.one(nil), isDescending: false)
    newestVersions = []
    return .end(more: more, count: count)
  }
}

/// Items in the order of their keys, or in the reverse.
struct Walk: Sendable {
  /// Items of a tree that are looked up together when going backwards.
  private static let run = OrderedTree.Node.capacity

  private let isDescending: Bool
  private var tree: OrderedTree?
  private var forward: OrderedTree.Items?
  /// What is left of the tree, going backwards.
  private var ranks: Range<Int>
  /// Taken from the end.
  private var items: [Item]

  init(_ source: StoredRange.Source, isDescending: Bool) {
    self.isDescending = isDescending
    ranks = 0..<0
    switch source {
    case .one(let item): items = item.map { [$0] } ?? []
    case .items(let source): items = isDescending ? source : source.reversed()
    case .past: items = []
    case .tree(let tree, let range):
      items = []
      if isDescending { (self.tree, ranks) = (tree, range) } else { forward = tree.items(at: range) }
    }
  }

  mutating func next() -> Item? {
    if forward != nil { return forward?.next() }
    if items.isEmpty, let tree, !ranks.isEmpty {
      let run = ranks.suffix(Self.run)
      items = Array(tree.items(at: run))
      ranks = ranks.lowerBound..<run.lowerBound
    }
    return items.popLast()
  }
}
