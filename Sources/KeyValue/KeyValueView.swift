import ByteCoding

/// The store at one revision: an immutable picture, taken in O(1), that may be read for as long as one likes while the store goes on.
public struct KeyValueView: Sendable {
  /// The store's last change.
  public internal(set) var revision: Revision
  var tree: OrderedTree

  /// The empty store.
  init() {
    revision = 1
    tree = OrderedTree()
  }

  init(revision: Revision, tree: OrderedTree) {
    self.revision = revision
    self.tree = tree
  }

  /// How many keys there are.
  public var count: Int { tree.count }

  /// How many keys are in a range. O(log n).
  public func count(in range: KeyRange) -> Int { tree.ranks(of: range).count }

  /// The pair with this key. O(log n).
  public func get(_ key: Key) -> KeyValuePair? { tree.item(for: key[...])?.pair() }

  /// The pairs of a range in ascending order of their keys, each made when it is asked for.
  public func pairs(in range: KeyRange = .all) -> Pairs { Pairs(items: tree.items(at: tree.ranks(of: range))) }

  public struct Pairs: Sequence, IteratorProtocol, Sendable {
    fileprivate var items: OrderedTree.Items

    public mutating func next() -> KeyValuePair? { items.next()?.pair() }
  }

  /// A fingerprint (64 bits) of the revision and every pair, equal on nodes whose stores are equal. O(n). Not a defence against
  /// forgery.
  public var digest: UInt64 {
    var digest = Fingerprint()
    digest.combine(UInt64(bitPattern: revision))
    for item in tree.items(at: 0..<count) {
      digest.combine(UInt64(bitPattern: item.createRevision))
      digest.combine(UInt64(bitPattern: item.modRevision))
      digest.combine(UInt64(bitPattern: item.version))
      item.withKey { digest.combine($0) }
      item.withValue { digest.combine($0) }
    }
    return digest.value
  }
}

/// In the manner of Fowler, Noll and Vo's FNV-1a, but eight bytes at a time, and with the upper half folded into the lower one after each
/// step, since a product carries upwards only. Byte strings go in with their length, so that no two lists of them look alike.
private struct Fingerprint {
  private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  mutating func combine(_ bytes: UnsafeRawBufferPointer) {
    combine(UInt64(bytes.count))
    var offset = 0
    while offset + 8 <= bytes.count {
      combine(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
      offset += 8
    }
    var rest: UInt64 = 0
    for byte in bytes[offset...] { rest = rest << 8 | UInt64(byte) }
    combine(rest)
  }

  mutating func combine(_ word: UInt64) {
    value = (value ^ word) &* 0x9e37_79b9_7f4a_7c15
    value ^= value >> 32
  }
}
