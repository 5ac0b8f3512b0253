import Testing

@testable import KeyValue

@Suite struct OrderedTreeTests {
  @Test(arguments: [UInt64(1), 2])
  func agreesWithASortedArray(seed: UInt64) throws {
    var generator = Generator(seed: seed)
    var tree = OrderedTree()
    var model = SortedArray()
    var kept: [(tree: OrderedTree, model: SortedArray)] = []
    // Growing, then shrinking to nothing, then growing again.
    for (step, removals) in [(0, 20), (1, 75), (2, 20)].flatMap({ phase in repeatElement(phase.1, count: 3000).enumerated() }) {
      let key = key(&generator, isLong: seed > 2)
      if generator.chance(removals) {
        // Half of the time one that is there.
        let victim = !model.items.isEmpty && generator.chance(90) ? model.items[generator.below(model.items.count)].key : key
        let removed = tree.remove(victim[...])?.key
        let expected = model.remove(victim)
        #expect(removed == expected)
      } else {
        tree.insert(item(key, version: Int64(step)))
        model.insert(key, version: Int64(step))
      }
      if step % 500 == 0 { kept.append((tree, model)) }
      if step % 300 == 0 { try expectEqual(tree, model, &generator) }
    }
    for (tree, model) in kept { try expectEqual(tree, model, &generator) }
  }

  @Test func staysBalancedWhenKeysComeInOrder() throws {
    for keys in [Array(0..<5000), Array((0..<5000).reversed())] {
      var tree = OrderedTree()
      for key in keys { tree.insert(item(key)) }
      try tree.checkInvariants()
      #expect(tree.count == 5000)
      for key in keys { tree.remove(item(key).key[...]) }
      try tree.checkInvariants()
      #expect(tree.count == 0)
      #expect(tree.root.isLeaf)
    }
  }

  /// Sizes around those at which nodes and levels begin.
  @Test(arguments: [0, 1, 2, 55, 56, 57, 64, 65, 112, 113, 56 * 56, 56 * 56 + 1, 56 * 57, 10_000])
  func isBuiltFromSortedItems(count: Int) throws {
    var builder = OrderedTree.Builder()
    for number in 0..<count {
      let isTaken = builder.append(item(number))
      try #require(isTaken)
    }
    var tree = builder.finish()
    try tree.checkInvariants()
    #expect(tree.items(at: 0..<count).map(\.key) == (0..<count).map { item($0).key })
    for number in 0..<count { #expect(tree.rank(of: item(number).key[...]) == number) }
    for number in stride(from: 0, to: count, by: 3) { tree.remove(item(number).key[...]) }
    try tree.checkInvariants()
  }

  @Test func builderRefusesKeysOutOfOrder() {
    var builder = OrderedTree.Builder()
    let taken = [5, 5, 4, 6].map { builder.append(item($0)) }
    #expect(taken == [true, false, false, true])
    let tree = builder.finish()
    #expect(tree.count == 2)
  }

  @Test(arguments: [UInt64(5), 6, 7])
  func takesRangesOut(seed: UInt64) throws {
    var generator = Generator(seed: seed)
    for count in [1, 40, 64, 65, 500, 5000, 20_000] {
      var tree = filled(count)
      var model = Array(0..<count)
      while !model.isEmpty {
        let start = generator.below(model.count)
        let most = generator.chance(50) ? 100 : model.count
        let end = min(model.count, start + generator.below(most + 1))
        let before = (tree, model)
        tree.remove(at: start..<end)
        model.removeSubrange(start..<end)
        try tree.checkInvariants()
        #expect(tree.items(at: 0..<tree.count).map(\.key) == model.map { item($0).key })
        if generator.chance(10) {
          try before.0.checkInvariants()
          #expect(before.0.items(at: 0..<before.0.count).map(\.key) == before.1.map { item($0).key })
        }
        if start == end || count > 1000 && generator.chance(10) { break }
      }
    }
  }

  /// Into a tree of others, of which none, some or all lie between them.
  @Test(arguments: [0, 1, 63, 64, 700, 20_000], [0, 1, 2, 90, 3000])
  func takesManyAtOnce(present: Int, added: Int) throws {
    var generator = Generator(seed: UInt64(present * 7 + added))
    for _ in 0..<3 {
      let chosen = generator.chance(30) ? 0..<added : 0..<present + added
      var isAdded = [Bool](repeating: false, count: present + added)
      for place in chosen.drawn(added, &generator) { isAdded[place] = true }
      var builder = OrderedTree.Builder()
      for number in isAdded.indices where !isAdded[number] { _ = builder.append(item(number)) }
      var tree = builder.finish()
      let before = (tree, tree.items(at: 0..<tree.count).map(\.key))
      tree.insert(ascending: isAdded.indices.filter { isAdded[$0] }.map { item($0) })
      try tree.checkInvariants()
      #expect(tree.items(at: 0..<tree.count).map(\.key) == isAdded.indices.map { item($0).key })
      #expect(before.0.items(at: 0..<before.0.count).map(\.key) == before.1)
    }
  }

  @Test func changesInPlaceWhenNobodyHoldsACopy() {
    var tree = filled(20_000)
    let before = tree.nodes
    tree.insert(item(777, version: 2))
    tree.remove(item(12_345).key[...])
    #expect(tree.nodes == before)
  }

  @Test func aWriteAfterACopyCopiesOnlyItsPath() {
    var tree = filled(20_000)
    let copy = tree
    #expect(tree.depth == 3)
    let shared = tree.nodes
    tree.insert(item(777, version: 2))
    #expect(tree.nodes.subtracting(shared).count == 3)
    // The path is the tree's own now.
    tree.insert(item(777, version: 3))
    #expect(tree.nodes.subtracting(shared).count == 3)
    // What is not there copies nothing.
    tree.remove([1, 2, 3, 4, 5])
    #expect(tree.nodes.subtracting(shared).count == 3)
    // A split or a merge adds a neighbour on each level, at most.
    for number in 0..<200 {
      let own = tree.nodes
      let previous = tree
      if number % 2 == 0 { tree.insert(item(20_000 + number)) } else { tree.remove(item(number * 50).key[...]) }
      #expect(tree.nodes.subtracting(own).count <= 2 * 3)
      #expect(previous.nodes == own)
    }
    #expect(copy.nodes == shared)
    #expect(copy.item(for: item(777).key[...])?.version == 1)
  }

  @Test func ordersBytesAsUnsignedAndPrefixesFirst() {
    let ordered: [Key] = [
      [], [0], [0, 0], [1], [1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4, 5, 6, 7, 8, 0], [1, 2, 3, 4, 5, 6, 7, 9],
      [1, 2, 3, 4, 5, 6, 128, 0], [127], [128], [255], [255, 255],
    ]
    for (i, a) in ordered.enumerated() {
      for (j, b) in ordered.enumerated() { #expect(ByteOrder.compare(a, b).signum() == (i - j).signum()) }
    }
  }

  /// Short ones fill a small space; long ones begin alike, differ late, and end in zeros.
  private func key(_ generator: inout Generator, isLong: Bool) -> Key {
    guard isLong else { return generator.bytes(count: 1 + generator.below(3)).map { $0 % 32 } }
    let prefix = [UInt8](repeating: 47, count: [1, 5, 12, 20][generator.below(4)])
    return prefix + generator.bytes(upTo: 12).map { $0 % 3 }
  }

  private func filled(_ count: Int) -> OrderedTree {
    var builder = OrderedTree.Builder()
    for number in 0..<count { _ = builder.append(item(number)) }
    return builder.finish()
  }

  private func expectEqual(_ tree: OrderedTree, _ model: SortedArray, _ generator: inout Generator) throws {
    try tree.checkInvariants()
    #expect(tree.count == model.items.count)
    #expect(Array(tree.items(at: 0..<tree.count)).map { SortedArray.Entry(key: $0.key, version: $0.version) } == model.items)
    for _ in 0..<5 {
      let key = key(&generator, isLong: generator.chance(50))
      #expect(tree.rank(of: key[...]) == model.rank(key))
      #expect(tree.item(for: key[...])?.version == model.version(key))
      let start = generator.below(tree.count + 1)
      let end = start + generator.below(tree.count - start + 1)
      #expect(tree.items(at: start..<end).map(\.key) == model.items[start..<end].map(\.key))
      let bytes = tree.bytes(at: start..<end)
      #expect(bytes.inKeys == model.items[start..<end].reduce(0) { $0 + $1.key.count })
      #expect(bytes.inValues == model.items[start..<end].reduce(0) { $0 + Int($1.version % 5) })
    }
  }
}

private func item(_ key: Key, version: Int64 = 1) -> Item {
  let value = [UInt8](repeating: 7, count: Int(version % 5))
  return Item(key: key[...], value: value[...], createRevision: 2 + version, modRevision: 2 + version, version: version)
}

private func item(_ number: Int, version: Int64 = 1) -> Item {
  item(
    [UInt8(truncatingIfNeeded: number >> 16), UInt8(truncatingIfNeeded: number >> 8), UInt8(truncatingIfNeeded: number)], version: version)
}

extension Range<Int> {
  /// So many of these numbers, drawn at random, each once.
  fileprivate func drawn(_ wanted: Int, _ generator: inout Generator) -> ArraySlice<Int> {
    var numbers = Array(self)
    for place in 0..<wanted { numbers.swapAt(place, place + generator.below(numbers.count - place)) }
    return numbers[..<wanted]
  }
}

/// The simplest thing that has to do the same.
private struct SortedArray {
  struct Entry: Equatable {
    let key: Key
    let version: Int64
  }

  private(set) var items: [Entry] = []

  func rank(_ key: Key) -> Int { items.firstIndex { !$0.key.lexicographicallyPrecedes(key) } ?? items.count }

  func version(_ key: Key) -> Int64? { items.first { $0.key == key }?.version }

  mutating func insert(_ key: Key, version: Int64) {
    _ = remove(key)
    items.insert(Entry(key: key, version: version), at: rank(key))
  }

  mutating func remove(_ key: Key) -> Key? {
    let rank = rank(key)
    return rank < items.count && items[rank].key == key ? items.remove(at: rank).key : nil
  }
}

extension OrderedTree {
  fileprivate mutating func insert(_ item: Item) { update(item.key[...]) { _ in item } }

  fileprivate var nodes: Set<ObjectIdentifier> {
    func collect(_ node: Node, into nodes: inout Set<ObjectIdentifier>) {
      nodes.insert(ObjectIdentifier(node))
      for child in node.children { collect(child, into: &nodes) }
    }
    var nodes: Set<ObjectIdentifier> = []
    collect(root, into: &nodes)
    return nodes
  }

  /// Balance, fill, counts, and order: of items, and of separators between them.
  fileprivate func checkInvariants() throws {
    func check(_ node: Node, depth: Int, above low: Key?, below high: Key?) throws {
      let entries = node.isLeaf ? node.items.count : node.children.count
      #expect(entries <= Node.capacity)
      #expect(entries >= (node === root ? (node.isLeaf ? 0 : 2) : Node.minimum))
      guard !node.isLeaf else {
        #expect(depth == self.depth)
        #expect(node.summary == Summary(of: node.items))
        let keys = node.items.map(\.key)
        for (a, b) in zip(keys, keys.dropFirst()) { #expect(a.lexicographicallyPrecedes(b)) }
        if let low, let first = keys.first { #expect(!first.lexicographicallyPrecedes(low)) }
        if let high, let last = keys.last { #expect(last.lexicographicallyPrecedes(high)) }
        return
      }
      #expect(node.items.isEmpty)
      #expect(node.summary == Summary(of: node.children))
      try #require(node.separators.count == node.children.count - 1)
      let bounds = [low] + node.separators.map { Optional($0) } + [high]
      for (index, child) in node.children.enumerated() {
        try check(child, depth: depth + 1, above: bounds[index], below: bounds[index + 1])
      }
    }
    try check(root, depth: 1, above: nil, below: nil)
  }
}
