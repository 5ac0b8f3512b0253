import ByteCoding

/// Items in the order of their keys, in a B+tree whose nodes are copied on write.
///
/// A value: a copy is O(1) and stays as it is, while the original goes on. A node that no copy holds is changed in place; otherwise a
/// change copies the nodes on its path, O(log n) of them, each once per copy of the tree. Nodes know how many items are below them, how
/// many bytes and how new, so places in the order, sums of ranges and the newest items are found in O(log n) too.
struct OrderedTree: Sendable {
  private(set) var root: Node

  /// An empty tree.
  init() { root = Node(items: []) }

  /// For `Builder`, which makes whole trees.
  init(root: Node) { self.root = root }

  var count: Int { root.count }

  /// The item with this key, if there is one.
  func item(for key: Bytes) -> Item? {
    key.withUnsafeBytes { key in
      var node = root
      while !node.isLeaf { node = node.children[node.childIndex(for: key)] }
      let (index, found) = node.find(key)
      return found ? node.items[index] : nil
    }
  }

  /// All items, in order.
  func forEach(_ body: (Item) -> Void) { root.forEach(body) }

  /// How many items come before this key, which need not be in the tree.
  func rank(of key: Bytes) -> Int {
    key.withUnsafeBytes { key in
      var node = root
      var rank = 0
      while !node.isLeaf {
        let index = node.childIndex(for: key)
        for child in node.children[..<index] { rank += child.count }
        node = node.children[index]
      }
      return rank + node.find(key).index
    }
  }

  /// Puts an item in, made from the one with this key that it replaces. One way down the tree does for both.
  mutating func update(_ key: Bytes, _ make: (Item?) -> Item) { key.withUnsafeBytes { update($0, make) } }

  mutating func update(_ key: UnsafeRawBufferPointer, _ make: (Item?) -> Item) {
    Node.makeUnique(&root)
    _ = root.update(key, make)
    if root.isOverfull { root = Node(splitting: root) }
  }

  /// Takes out the item with this key. `nil`, and nothing is copied, if there is none.
  @discardableResult
  mutating func remove(_ key: Bytes) -> Item? {
    guard let found = item(for: key) else { return nil }
    let rank = rank(of: key)
    remove(at: rank..<rank + 1)
    return found
  }

  /// Takes out the items with these places in the order: each leaf's at once.
  mutating func remove(at ranks: Range<Int>) {
    if ranks.count == count {
      if count > 0 { self = OrderedTree() }
      return
    }
    var remaining = ranks.count
    while remaining > 0 {
      Node.makeUnique(&root)
      remaining -= root.remove(at: ranks.lowerBound, limit: remaining).removed.count
      if let onlyChild = root.onlyChild { root = onlyChild }
    }
  }
}

extension OrderedTree {
  /// The places in the order, from 0, of the keys in a range.
  func ranks(of range: KeyRange) -> Range<Int> {
    let start = rank(of: range.start[...])
    guard let end = range.end else { return start..<start + (item(for: range.start[...]) == nil ? 0 : 1) }
    return start..<(range.isUnbounded ? count : max(start, rank(of: end[...])))
  }
}
