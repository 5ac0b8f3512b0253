extension OrderedTree {
  /// The items with these places in the order, ascending. Each is found when it is asked for; the tree's later changes are not seen.
  func items(at ranks: Range<Int>) -> Items { Items(root: root, ranks: ranks) }

  struct Items: Sequence, IteratorProtocol, Sendable {
    private struct Place {
      let node: Node
      var index: Int
    }

    /// The inner nodes from the root down, each with the child that is being walked through.
    private var path: [Place] = []
    private var leaf: Place
    private var remaining: Int

    fileprivate init(root: Node, ranks: Range<Int>) {
      var node = root
      var rank = ranks.lowerBound
      remaining = Swift.min(ranks.upperBound, root.count) - rank
      // With nothing remaining the rank may lie beyond the last item, where there is no way down.
      while remaining > 0, !node.isLeaf {
        var index = 0
        while rank >= node.children[index].count {
          rank -= node.children[index].count
          index += 1
        }
        path.append(Place(node: node, index: index))
        node = node.children[index]
      }
      leaf = Place(node: node, index: rank)
    }

    var underestimatedCount: Int { Swift.max(remaining, 0) }

    mutating func next() -> Item? {
      guard remaining > 0 else { return nil }
      if leaf.index == leaf.node.items.count { enterNextLeaf() }
      defer {
        leaf.index += 1
        remaining -= 1
      }
      return leaf.node.items[leaf.index]
    }

    /// There is one, since items remain.
    private mutating func enterNextLeaf() {
      while let place = path.last, place.index + 1 == place.node.children.count { path.removeLast() }
      path[path.count - 1].index += 1
      var node = path[path.count - 1].node.children[path[path.count - 1].index]
      while !node.isLeaf {
        path.append(Place(node: node, index: 0))
        node = node.children[0]
      }
      leaf = Place(node: node, index: 0)
    }
  }
}
