extension OrderedTree {
  /// The totals of all items in a node and below it, so that no query visits each item.
  struct Summary: Sendable, Equatable {
    var count = 0
    /// Of keys and of values together.
    var keyBytes = 0
    var valueBytes = 0
    /// The highest create revision; 0 without items.
    var newestCreation: Revision = 0

    init() {}

    init(of item: Item) {
      count = 1
      keyBytes = item.keyCount
      valueBytes = item.valueCount
      newestCreation = item.createRevision
    }

    init(of items: some Sequence<Item>) {
      for item in items { add(Summary(of: item)) }
    }

    init(of children: [Node]) {
      for child in children { add(child.summary) }
    }

    mutating func add(_ other: Summary) {
      count += other.count
      keyBytes += other.keyBytes
      valueBytes += other.valueBytes
      newestCreation = max(newestCreation, other.newestCreation)
    }

    /// All but `newestCreation`, which may have been the other's.
    mutating func subtract(_ other: Summary) {
      count -= other.count
      keyBytes -= other.keyBytes
      valueBytes -= other.valueBytes
    }
  }

  /// What a change of one leaf put in and took out.
  struct Change {
    var added = Summary()
    var removed = Summary()

    init(putting item: Item, over replaced: Item?) {
      added = Summary(of: item)
      guard let replaced else { return }
      removed = Summary(of: replaced)
      // An edit, as most are: the highest create revision is what it was.
      if replaced.createRevision == item.createRevision {
        added.newestCreation = 0
        removed.newestCreation = 0
      }
    }

    init(removing items: some Sequence<Item>) { removed = Summary(of: items) }

    init() {}
  }

  /// The bytes of the items before a place in the order. O(log n).
  func bytes(before rank: Int) -> (inKeys: Int, inValues: Int) {
    var node = root
    var rest = rank
    var sum = Summary()
    while !node.isLeaf {
      guard let index = node.child(at: &rest, passing: { sum.add($0.summary) }) else { return (sum.keyBytes, sum.valueBytes) }
      node = node.children[index]
    }
    for item in node.items.prefix(rest) { sum.add(Summary(of: item)) }
    return (sum.keyBytes, sum.valueBytes)
  }

  /// The bytes of the items with these places in the order. O(log n).
  func bytes(at ranks: Range<Int>) -> (inKeys: Int, inValues: Int) {
    guard !ranks.isEmpty else { return (0, 0) }
    let (before, through) = (bytes(before: ranks.lowerBound), bytes(before: ranks.upperBound))
    return (through.inKeys - before.inKeys, through.inValues - before.inValues)
  }
}

extension OrderedTree.Node {
  /// In an inner node: the child with the item at this place, which is counted from that child's first item afterwards; `nil` beyond the
  /// last.
  func child(at rank: inout Int, passing body: (OrderedTree.Node) -> Void = { _ in }) -> Int? {
    for (index, child) in children.enumerated() {
      if rank < child.count { return index }
      rank -= child.count
      body(child)
    }
    return nil
  }
}
