import ByteCoding

extension OrderedTree {
  /// A leaf with items, or an inner node with children.
  ///
  /// Every node but the root has between `minimum` and `capacity` entries, and every leaf is equally deep.
  ///
  /// `@unchecked Sendable`: a node is changed only while one reference to it exists; `makeUnique` sees to it. For the same reason nobody
  /// reads it meanwhile, and the check of that at every access is left out.
  final class Node: @unchecked Sendable {
    /// Entries of a node. Larger ones make the tree flatter, and the copy that a write after a snapshot makes dearer.
    static let capacity = 64
    static let minimum = capacity / 2

    /// Of the items in this node and below.
    @exclusivity(unchecked) private(set) var summary: Summary
    /// In ascending order. A leaf's only.
    @exclusivity(unchecked) private(set) var items: [Item]
    @exclusivity(unchecked) private var heads: Heads
    /// Between two children each: above every key on its left, and not above any on its right. Keys that were in the tree, or beginnings of
    /// such: what is deleted need not be taken out here.
    @exclusivity(unchecked) private(set) var separators: [Key]
    @exclusivity(unchecked) private(set) var children: [Node]

    init(items: [Item]) {
      summary = Summary(of: items)
      self.items = items
      heads = Heads(of: items)
      separators = []
      children = []
    }

    init(separators: [Key], children: [Node]) {
      summary = Summary(of: children)
      items = []
      heads = Heads(of: [])
      self.separators = separators
      self.children = children
    }

    /// A root above a node that has become too large, which is split.
    convenience init(splitting node: Node) {
      let (separator, right) = node.split()
      self.init(separators: [separator], children: [node, right])
    }

    private init(copying node: Node) {
      summary = node.summary
      items = node.items
      heads = node.heads
      separators = node.separators
      children = node.children
    }

    static func makeUnique(_ node: inout Node) {
      if !isKnownUniquelyReferenced(&node) { node = Node(copying: node) }
    }

    var count: Int { summary.count }
    var isLeaf: Bool { children.isEmpty }
    var isOverfull: Bool { entries > Node.capacity }
    var isUnderfull: Bool { entries < Node.minimum }
    var onlyChild: Node? { children.count == 1 ? children[0] : nil }
    private var entries: Int { isLeaf ? items.count : children.count }

    func forEach(_ body: (Item) -> Void) {
      for item in items { body(item) }
      for child in children { child.forEach(body) }
    }

    // MARK: Searching

    /// In a leaf: where the key is, or would be.
    func find(_ key: UnsafeRawBufferPointer) -> (index: Int, found: Bool) {
      heads.find(key, in: items)
    }

    /// In an inner node: below which child the key is, or would be.
    func childIndex(for key: UnsafeRawBufferPointer) -> Int {
      var low = 0
      var high = separators.count
      while low < high {
        let middle = (low + high) / 2
        let order = separators[middle].withUnsafeBytes { ByteOrder.compare($0, key) }
        if order <= 0 { low = middle + 1 } else { high = middle }
      }
      return low
    }

    // MARK: Changing, on a node that is unique

    /// The node may be overfull afterwards; that is for its holder to mend.
    func update(_ key: UnsafeRawBufferPointer, _ make: (Item?) -> Item) -> Change {
      let change: Change
      if isLeaf {
        let (index, found) = find(key)
        let replaced = found ? items[index] : nil
        let item = make(replaced)
        if found {
          items[index] = item
        } else {
          items.insert(item, at: index)
          heads.insert(at: index, of: items)
        }
        change = Change(putting: item, over: replaced)
      } else {
        let index = childIndex(for: key)
        Node.makeUnique(&children[index])
        change = children[index].update(key, make)
        if children[index].isOverfull { splitChild(index) }
      }
      take(change)
      return change
    }

    /// Takes out the items of one leaf from this place in the order on, at most so many: all at once, so that a long range costs little
    /// more than its leaves. The node may be underfull afterwards, a leaf even empty; that is for its holder to mend.
    ///
    /// - Precondition: there is an item at `rank`, and `limit` is positive.
    func remove(at rank: Int, limit: Int) -> Change {
      let change: Change
      if isLeaf {
        let run = rank..<min(items.count, rank + limit)
        change = Change(removing: items[run])
        items.removeSubrange(run)
        if run.count == 1 { heads.remove(at: rank) } else { heads = Heads(of: items) }
      } else {
        var rest = rank
        guard let index = child(at: &rest) else { return Change() }
        Node.makeUnique(&children[index])
        change = children[index].remove(at: rest, limit: limit)
        if children[index].isUnderfull { refillChild(index) }
      }
      take(change)
      return change
    }

    private func take(_ change: Change) {
      summary.subtract(change.removed)
      let hasLostNewest = change.removed.newestCreation == summary.newestCreation && change.removed.newestCreation > 0
      summary.add(change.added)
      guard hasLostNewest else { return }
      summary.newestCreation = isLeaf ? Summary(of: items).newestCreation : Summary(of: children).newestCreation
    }

    /// Gives the upper half of the entries away.
    func split() -> (separator: Key, right: Node) {
      let right: Node
      let separator: Key
      let middle = entries / 2
      if isLeaf {
        right = Node(items: Array(items[middle...]))
        separator = Node.separator(between: items[middle - 1], and: items[middle])
        items.removeSubrange(middle...)
        heads = Heads(of: items)
      } else {
        right = Node(separators: Array(separators[middle...]), children: Array(children[middle...]))
        separator = separators[middle - 1]
        separators.removeSubrange((middle - 1)...)
        children.removeSubrange(middle...)
      }
      summary = isLeaf ? Summary(of: items) : Summary(of: children)
      return (separator, right)
    }

    /// Takes up the entries of the next node to the right, which is left as it is.
    func merge(_ separator: Key, _ right: Node) {
      summary.add(right.summary)
      if isLeaf {
        items.append(contentsOf: right.items)
        heads = Heads(of: items)
      } else {
        separators.append(separator)
        separators.append(contentsOf: right.separators)
        children.append(contentsOf: right.children)
      }
    }

    private func splitChild(_ index: Int) {
      let (separator, right) = children[index].split()
      separators.insert(separator, at: index)
      children.insert(right, at: index + 1)
    }

    /// Merges a child that has become too small with a neighbour; if that makes one too large, the two share evenly.
    private func refillChild(_ index: Int) {
      let left = max(index - 1, 0)
      let right = children.remove(at: left + 1)
      let separator = separators.remove(at: left)
      Node.makeUnique(&children[left])
      children[left].merge(separator, right)
      if children[left].isOverfull { splitChild(left) }
    }

    /// The shortest beginning of the right key that is above the left one.
    static func separator(between left: Item, and right: Item) -> Key {
      left.withKey { left in
        right.withKey { right in
          var common = 0
          while common < left.count, left[common] == right[common] { common += 1 }
          return Key(right[...common])
        }
      }
    }
  }
}
