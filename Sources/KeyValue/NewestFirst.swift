/// The items of a range by their create revision, the highest first: found by what each node of the tree knows of those below it, so that
/// of a range of any size only the way to what is taken is visited.
struct NewestFirst: Sendable {
  /// Beyond this limit the ways to the items hold more memory than a heap of the items.
  static let maximumLimit: Int64 = 128

  /// An item, or a node that has one as new; `rank` is that of the item, or of the node's first.
  private struct Candidate: Sendable {
    let newest: Revision
    let rank: Int
    let node: OrderedTree.Node?
    let item: Item?

    /// Items that are equally new come in the order of their keys.
    func precedes(_ other: Candidate) -> Bool { newest == other.newest ? rank < other.rank : newest > other.newest }
  }

  /// Bytes of a place.
  static let placeBytes = MemoryLayout<Candidate>.stride

  let isUsed: Bool
  private var ranks: Range<Int> = 0..<0
  /// A binary heap.
  private var candidates: [Candidate] = []

  init(_ range: StoredRange) {
    isUsed = NewestFirst.serves(range)
    guard isUsed, case .tree(let tree, let ranks) = range.source else { return }
    self.ranks = ranks
    candidates.append(Candidate(newest: tree.root.summary.newestCreation, rank: 0, node: tree.root, item: nil))
  }

  static func serves(_ range: StoredRange) -> Bool {
    let request = range.request
    guard request.target == .createRevision, request.order == .descending, 1...maximumLimit ~= request.limit else { return false }
    if case .tree = range.source { return true }
    return false
  }

  mutating func next(_ work: inout Int) -> Item? {
    while let best = pop(&work) {
      if let item = best.item { return item }
      if let node = best.node { open(node, at: best.rank, &work) }
    }
    return nil
  }

  private mutating func open(_ node: OrderedTree.Node, at start: Int, _ work: inout Int) {
    var rank = start
    for item in node.items {
      if ranks.contains(rank) { push(Candidate(newest: item.createRevision, rank: rank, node: nil, item: item), &work) }
      rank += 1
    }
    for child in node.children {
      if ranks.overlaps(rank..<rank + child.count) {
        push(Candidate(newest: child.summary.newestCreation, rank: rank, node: child, item: nil), &work)
      }
      rank += child.count
    }
  }

  private mutating func push(_ candidate: Candidate, _ work: inout Int) {
    candidates.append(candidate)
    work -= 1
    var child = candidates.count - 1
    while child > 0, candidates[child].precedes(candidates[(child - 1) / 2]) {
      candidates.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  private mutating func pop(_ work: inout Int) -> Candidate? {
    guard let best = candidates.first, let last = candidates.popLast() else { return nil }
    work -= 1
    guard !candidates.isEmpty else { return best }
    candidates[0] = last
    var parent = 0
    while true {
      let left = 2 * parent + 1
      guard left < candidates.count else { return best }
      let right = left + 1
      let child = right < candidates.count && candidates[right].precedes(candidates[left]) ? right : left
      guard candidates[child].precedes(candidates[parent]) else { return best }
      candidates.swapAt(child, parent)
      parent = child
    }
  }
}
