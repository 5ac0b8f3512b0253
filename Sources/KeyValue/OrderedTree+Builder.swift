extension OrderedTree {
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
