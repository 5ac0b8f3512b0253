extension OrderedTree {
  /// Puts in many items at once. With an eighth of what is there or more the tree is built anew, which takes a tenth of the time for each.
  ///
  /// - Precondition: they are in ascending order, and none of their keys is there.
  mutating func insert(ascending items: [Item]) {
    guard items.count > 1, items.count >= count / 8 else {
      for item in items { item.withKey { key in update(key) { _ in item } } }
      return
    }
    var builder = Builder()
    var present = self.items(at: 0..<count)
    var next = present.next()
    for item in items {
      while let before = next, before.withKey({ before in item.withKey { ByteOrder.compare(before, $0) < 0 } }) {
        _ = builder.append(before)
        next = present.next()
      }
      _ = builder.append(item)
    }
    while let last = next {
      _ = builder.append(last)
      next = present.next()
    }
    self = builder.finish()
  }

  /// Makes a tree from items that come in ascending order, in O(n) and without searching.
  struct Builder: Sendable {
    /// Entries of the nodes it makes. Not full, so that the writes that follow do not split each of them at once.
    private static let fill = Node.capacity * 7 / 8

    private struct Part {
      /// Above every key of the part before; empty for the first.
      let separator: Key
      let node: Node
    }

    private var leaves: [Part] = []
    private var separator: Key = []
    private var items: [Item] = []
    private(set) var last: Item?
    private(set) var count = 0

    /// `false`, and the item is not taken, if its key is not above the last one's.
    mutating func append(_ item: Item) -> Bool {
      if let last {
        guard last.withKey({ last in item.withKey { ByteOrder.compare(last, $0) < 0 } }) else { return false }
        if items.count == Builder.fill {
          finishLeaf()
          separator = Node.separator(between: last, and: item)
        }
      }
      if items.isEmpty { items.reserveCapacity(Node.capacity + 1) }
      items.append(item)
      last = item
      count += 1
      return true
    }

    /// The tree with all items.
    consuming func finish() -> OrderedTree {
      guard count > 0 else { return OrderedTree() }
      finishLeaf()
      var level = leaves
      Builder.refillLast(&level)
      while level.count > 1 {
        var next: [Part] = []
        for start in stride(from: 0, to: level.count, by: Builder.fill) {
          let group = level[start..<min(start + Builder.fill, level.count)]
          let node = Node(separators: group.dropFirst().map(\.separator), children: group.map(\.node))
          next.append(Part(separator: level[start].separator, node: node))
        }
        Builder.refillLast(&next)
        level = next
      }
      return OrderedTree(root: level[0].node)
    }

    private mutating func finishLeaf() {
      leaves.append(Part(separator: separator, node: Node(items: items)))
      items = []
    }

    /// The last node of a level gets what is left, which may be too little.
    private static func refillLast(_ level: inout [Part]) {
      guard level.count > 1, let last = level.last, last.node.isUnderfull else { return }
      level.removeLast()
      let before = level[level.count - 1].node
      before.merge(last.separator, last.node)
      guard before.isOverfull else { return }
      let (separator, right) = before.split()
      level.append(Part(separator: separator, node: right))
    }
  }
}
