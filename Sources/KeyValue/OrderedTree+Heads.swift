extension OrderedTree {
  /// For a search in a leaf: eight bytes of each key, side by side, where they begin to differ.
  ///
  /// The items lie anywhere in memory, and each one looked at costs a miss of the cache; with this, a search looks at two or three of them.
  struct Heads: Sendable {
    /// So many bytes are the same in all keys. Smaller than it could be after items were removed.
    private var shared: Int
    /// What follows them, as a big-endian number, zeros where the key ends. Equal heads say nothing; different ones have the keys' order.
    private var words: [UInt64] = []

    init(of items: [Item]) {
      shared = 0
      guard let first = items.first, let last = items.last else { return }
      // They are in order, so what the outermost share all do.
      shared = first.withKey { first in last.withKey { last in Heads.commonCount(first, last, upTo: .max) } }
      words.reserveCapacity(Node.capacity + 1)
      for item in items { words.append(item.withKey { Heads.word($0, from: shared) }) }
    }

    /// Where the key is in `items`, or would be.
    func find(_ key: UnsafeRawBufferPointer, in items: [Item]) -> (index: Int, found: Bool) {
      guard let first = items.first else { return (0, false) }
      let common = first.withKey { Heads.commonCount($0, key, upTo: shared) }
      if common < shared {
        // Not among these keys: before all of them or after.
        let isBefore = common == key.count || first.withKey { key[common] < $0[common] }
        return (isBefore ? 0 : items.count, false)
      }
      let head = Heads.word(key, from: shared)
      var low = 0
      var high = items.count
      while low < high {
        let middle = (low + high) / 2
        let word = words[middle]
        let order = word == head ? items[middle].withKey { ByteOrder.compare($0, key) } : word < head ? -1 : 1
        if order == 0 { return (middle, true) }
        if order < 0 { low = middle + 1 } else { high = middle }
      }
      return (low, false)
    }

    /// After an item was put in here.
    mutating func insert(at index: Int, of items: [Item]) {
      let neighbour = items[index == 0 ? items.count - 1 : 0]
      let common = items[index].withKey { key in neighbour.withKey { Heads.commonCount($0, key, upTo: shared) } }
      if common < shared || items.count < 3 {
        self = Heads(of: items)
      } else {
        words.insert(items[index].withKey { Heads.word($0, from: shared) }, at: index)
      }
    }

    mutating func remove(at index: Int) { words.remove(at: index) }

    private static func commonCount(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer, upTo limit: Int) -> Int {
      let end = min(a.count, b.count, limit)
      var count = 0
      while count + 8 <= end {
        let wordA = a.loadUnaligned(fromByteOffset: count, as: UInt64.self)
        let wordB = b.loadUnaligned(fromByteOffset: count, as: UInt64.self)
        if wordA != wordB { return count + (wordA ^ wordB).littleEndian.trailingZeroBitCount / 8 }
        count += 8
      }
      while count < end, a[count] == b[count] { count += 1 }
      return count
    }

    private static func word(_ key: UnsafeRawBufferPointer, from start: Int) -> UInt64 {
      if start + 8 <= key.count { return UInt64(bigEndian: key.loadUnaligned(fromByteOffset: start, as: UInt64.self)) }
      var word: UInt64 = 0
      for offset in start..<max(start, key.count) { word |= UInt64(key[offset]) << UInt64(56 - 8 * (offset - start)) }
      return word
    }
  }
}
