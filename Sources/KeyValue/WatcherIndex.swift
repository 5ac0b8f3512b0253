/// Who watches which keys, found by a key: what watchers of other keys there are costs a change next to nothing.
///
/// Watchers of one key are looked up by it. Those of ranges stand in a search tree by their starts, in which each node knows the furthest
/// end below it, so O(log n) nodes are visited for each watcher that is found. The tree is kept flat by a priority that is mixed from the
/// number of the watcher (a treap), so it is the same wherever the same watchers are. All watchers of one key are such a tree too, so that
/// one of many can go.
public struct WatcherIndex: Sendable {
  /// A number for each watcher, from whoever has them.
  public typealias Watcher = UInt64

  private struct Node: Sendable {
    let range: KeyRange
    let watcher: Watcher
    var left: Int?
    var right: Int?
    /// The node with the furthest end among this one and those below.
    var furthest: Int
  }

  /// Roots of trees.
  private var ofKeys: [Key: Int] = [:]
  private var nodes: [Node] = []
  private var free: [Int] = []
  private var root: Int?
  /// How many watchers there are.
  public private(set) var count = 0

  public init() {}

  /// - Precondition: no watcher of the same number and range is in it.
  public mutating func insert(_ watcher: Watcher, watching range: KeyRange) {
    count += 1
    let index = free.popLast() ?? nodes.count
    let node = Node(range: range, watcher: watcher, left: nil, right: nil, furthest: index)
    if index == nodes.count { nodes.append(node) } else { nodes[index] = node }
    setTop(insert(index, below: top(range)), of: range)
  }

  /// Whether there was such a watcher.
  @discardableResult
  public mutating func remove(_ watcher: Watcher, watching range: KeyRange) -> Bool {
    guard let index = find(watcher, range) else { return false }
    setTop(remove(index, below: top(range)), of: range)
    free.append(index)
    count -= 1
    return true
  }

  /// Of the tree that has such a range.
  private func top(_ range: KeyRange) -> Int? { range.end == nil ? ofKeys[range.start] : root }

  private mutating func setTop(_ index: Int?, of range: KeyRange) {
    if range.end == nil { ofKeys[range.start] = index } else { root = index }
  }

  /// Calls with each watcher of a key, in an order that depends on what was inserted and removed alone; gives the number of nodes that
  /// were visited.
  @discardableResult
  public func forEach(watching key: Key, _ body: (Watcher) -> Void) -> Int {
    walk(ofKeys.isEmpty ? nil : ofKeys[key], body) + visit(root, key, body)
  }

  private func walk(_ index: Int?, _ body: (Watcher) -> Void) -> Int {
    guard let index else { return 0 }
    let visited = 1 + walk(nodes[index].left, body)
    body(nodes[index].watcher)
    return visited + walk(nodes[index].right, body)
  }

  private func visit(_ index: Int?, _ key: Key, _ body: (Watcher) -> Void) -> Int {
    guard let index, !ends(nodes[nodes[index].furthest].range, before: key) else { return index == nil ? 0 : 1 }
    let node = nodes[index]
    var visited = 1 + visit(node.left, key, body)
    guard ByteOrder.compare(node.range.start, key) <= 0 else { return visited }
    if !ends(node.range, before: key) { body(node.watcher) }
    visited += visit(node.right, key, body)
    return visited
  }

  private func ends(_ range: KeyRange, before key: Key) -> Bool {
    guard !range.isUnbounded, let end = range.end else { return false }
    return ByteOrder.compare(end, key) <= 0
  }

  // MARK: The tree

  /// By start, then by number.
  private func precedes(_ a: Int, _ b: Int) -> Bool { order(nodes[a].range, nodes[a].watcher, nodes[b].range, nodes[b].watcher) < 0 }

  private func order(_ a: KeyRange, _ watcherA: Watcher, _ b: KeyRange, _ watcherB: Watcher) -> Int {
    let byStart = ByteOrder.compare(a.start, b.start)
    return byStart != 0 ? byStart : watcherA == watcherB ? 0 : watcherA < watcherB ? -1 : 1
  }

  /// SplitMix64's mix: neighbours get priorities that have nothing to do with each other.
  private func priority(_ index: Int) -> UInt64 {
    var mixed = nodes[index].watcher &+ 0x9e37_79b9_7f4a_7c15
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  private func find(_ watcher: Watcher, _ range: KeyRange) -> Int? {
    var next = top(range)
    while let index = next {
      let order = order(range, watcher, nodes[index].range, nodes[index].watcher)
      if order == 0 { return nodes[index].range == range ? index : nil }
      next = order < 0 ? nodes[index].left : nodes[index].right
    }
    return nil
  }

  private mutating func insert(_ index: Int, below top: Int?) -> Int {
    guard let top else { return index }
    if priority(index) > priority(top) {
      let (left, right) = split(top, at: index)
      nodes[index].left = left
      nodes[index].right = right
      update(index)
      return index
    }
    if precedes(index, top) {
      nodes[top].left = insert(index, below: nodes[top].left)
    } else {
      nodes[top].right = insert(index, below: nodes[top].right)
    }
    update(top)
    return top
  }

  /// Those before a node that is not in the tree yet, and those after it.
  private mutating func split(_ top: Int?, at index: Int) -> (left: Int?, right: Int?) {
    guard let top else { return (nil, nil) }
    if precedes(top, index) {
      let (left, right) = split(nodes[top].right, at: index)
      nodes[top].right = left
      update(top)
      return (top, right)
    }
    let (left, right) = split(nodes[top].left, at: index)
    nodes[top].left = right
    update(top)
    return (left, top)
  }

  private mutating func remove(_ index: Int, below top: Int?) -> Int? {
    guard let top else { return nil }
    if top == index { return merge(nodes[top].left, nodes[top].right) }
    if precedes(index, top) {
      nodes[top].left = remove(index, below: nodes[top].left)
    } else {
      nodes[top].right = remove(index, below: nodes[top].right)
    }
    update(top)
    return top
  }

  private mutating func merge(_ left: Int?, _ right: Int?) -> Int? {
    guard let left else { return right }
    guard let right else { return left }
    if priority(left) > priority(right) {
      nodes[left].right = merge(nodes[left].right, right)
      update(left)
      return left
    }
    nodes[right].left = merge(left, nodes[right].left)
    update(right)
    return right
  }

  private mutating func update(_ index: Int) {
    var furthest = index
    for child in [nodes[index].left, nodes[index].right] {
      guard let child else { continue }
      if isFurther(nodes[child].furthest, than: furthest) { furthest = nodes[child].furthest }
    }
    nodes[index].furthest = furthest
  }

  private func isFurther(_ a: Int, than b: Int) -> Bool {
    if nodes[b].range.isUnbounded { return false }
    guard !nodes[a].range.isUnbounded, let endA = nodes[a].range.end, let endB = nodes[b].range.end else { return true }
    return ByteOrder.compare(endA, endB) > 0
  }
}

extension WatcherIndex {
  /// What one takes here.
  static var nodeBytes: Int { MemoryLayout<Node>.stride }
}
