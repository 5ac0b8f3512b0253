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

  /// A fingerprint (64 bits) of the revision and every pair, equal on nodes whose stores are equal. O(n). Not a defence against forgery,
  /// and of this release alone: another may make it otherwise.
  public var digest: UInt64 {
    var fingerprint = Fingerprint()
    fingerprint.combine(UInt64(bitPattern: revision))
    tree.forEach { $0.combine(into: &fingerprint) }
    return fingerprint.value
  }
}

/// A hash of numbers and bytes in steps of eight bytes: each is mixed in by one multiplication whose two halves are folded together, as in
/// wyhash (Wang Yi). Byte strings go in with their length beside them, so that no two lists of them look alike.
struct Fingerprint {
  private(set) var value: UInt64 = 0x9e37_79b9_7f4a_7c15

  @inline(__always)
  mutating func combine(_ number: UInt64) {
    let (high, low) = (value ^ number).multipliedFullWidth(by: 0xa076_1d64_78bd_642f)
    value = (high ^ low) &+ number
  }

  @inline(__always)
  mutating func combine(_ bytes: UnsafeRawBufferPointer) {
    var offset = 0
    while offset + 8 <= bytes.count {
      combine(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
      offset += 8
    }
    var last: UInt64 = 0
    while offset < bytes.count {
      last = last << 8 | UInt64(bytes[offset])
      offset += 1
    }
    combine(last)
  }
}
