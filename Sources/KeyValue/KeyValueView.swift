import ByteCoding

/// The store at one revision, with what it remembers of those before: an immutable picture, taken in O(1), that may be read for as long as
/// one likes while the store goes on.
///
/// The newest versions stand in a tree by their keys, so that what is asked most is found as if there were no past. The past is a log of
/// changes; see `ChangeLog`. A key that is deleted has its tombstone in a second tree, as long as the log has its deletion.
public struct KeyValueView: Sendable {
  /// The store's last change.
  public internal(set) var revision: Revision
  /// What is older than this revision is forgotten: it is the oldest that can be read, and the first whose events can be had. -1 if nothing
  /// was compacted yet.
  public internal(set) var compactRevision: Revision = -1
  /// The newest versions of the keys that there are.
  var tree: OrderedTree
  /// The tombstones of the keys that there are no more.
  var deleted = OrderedTree()
  var changes = ChangeLog()
  /// The first change that still counts. What lies before it in the log is forgotten bit by bit; see `forget`.
  var firstChange = 0
  /// The size of all changes before that one.
  var compactedSize = 0
  /// The leases, and the keys that go with them.
  var leases = LeaseTable()
  /// What the nodes' own software keeps, beside the keys.
  public internal(set) var records = ClusterRecords()
  /// How large the store may become, and how much of its past it is to keep.
  public internal(set) var settings = StoreSettings()
  /// Who may do what.
  public internal(set) var access = Access()
  /// A put was refused, as it would have passed the quota, and there is not enough room yet: until then every put is.
  public internal(set) var isOutOfSpace = false

  /// The empty store.
  init() {
    revision = 1
    tree = OrderedTree()
  }

  /// A store without a past.
  init(revision: Revision, tree: OrderedTree) {
    self.revision = revision
    self.tree = tree
    compactRevision = revision
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

  /// A fingerprint (64 bits) of the revisions, every pair, lease and change that is kept, equal on nodes whose stores are equal. O(n). Not
  /// a defence against forgery, and of this release alone: another may make it otherwise.
  public var digest: UInt64 {
    var fingerprint = Fingerprint()
    fingerprint.combine(UInt64(bitPattern: revision))
    fingerprint.combine(UInt64(bitPattern: compactRevision))
    fingerprint.combine(UInt64(changes.start))
    fingerprint.combine(UInt64(firstChange))
    for number in [settings.quota, settings.historyAge, settings.historyBytes] { fingerprint.combine(UInt64(bitPattern: number)) }
    fingerprint.combine(isOutOfSpace ? 1 : 0)
    access.combine(into: &fingerprint)
    records.combine(into: &fingerprint)
    leases.combine(into: &fingerprint)
    tree.forEach { $0.combine(into: &fingerprint) }
    deleted.forEach { $0.combine(into: &fingerprint) }
    for number in changes.start..<changes.end {
      let change = changes[number]
      change.item.combine(into: &fingerprint)
      // Another change made it, unless that is forgotten already; a deletion that is forgotten is as if nothing had been there.
      if let replaced = change.replaced, replaced.change < changes.start, !replaced.isTombstone { replaced.combine(into: &fingerprint) }
    }
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
