/// The pairs of a range as they were before a change that is kept.
///
/// Every key that was there then is there now, or has its tombstone: so these candidates are all that need be looked at.
final class Past: Sendable {
  private let tree: OrderedTree
  private let ranks: Range<Int>
  private let deleted: OrderedTree
  private let deletedRanks: Range<Int>
  private let changes: ChangeLog
  /// The first change that is not seen.
  private let boundary: Int

  /// - Precondition: `boundary` is not below the first change in memory.
  init(of range: KeyRange, in view: KeyValueView, before boundary: Int) {
    tree = view.tree
    ranks = tree.ranks(of: range)
    deleted = view.deleted
    deletedRanks = deleted.ranks(of: range)
    changes = view.changes
    self.boundary = boundary
  }

  /// How many keys must be looked at.
  var candidates: Int { ranks.count + deletedRanks.count }

  /// The key's version then, if it was there.
  func version(of newest: Item) -> Item? { changes.version(of: newest, before: boundary) }

  /// The newest versions and the tombstones, in the order of their keys or in the reverse.
  func newest(isDescending: Bool) -> Merge {
    Merge(
      present: Walk(.tree(tree, ranks), isDescending: isDescending),
      deleted: Walk(.tree(deleted, deletedRanks), isDescending: isDescending),
      isDescending: isDescending)
  }

  /// All of it, in the order of keys: for whoever may look at that much at once.
  func forEach(_ body: (Item) -> Void) {
    var newest = newest(isDescending: false)
    while let candidate = newest.next() { if let item = version(of: candidate) { body(item) } }
  }

  /// Two walks as one; no key is in both.
  struct Merge: Sendable {
    private var present: Walk
    private var deleted: Walk
    private var nextPresent: Item?
    private var nextDeleted: Item?
    private let isDescending: Bool

    fileprivate init(present: Walk, deleted: Walk, isDescending: Bool) {
      self.present = present
      self.deleted = deleted
      self.isDescending = isDescending
      nextPresent = self.present.next()
      nextDeleted = self.deleted.next()
    }

    mutating func next() -> Item? {
      if let a = nextPresent, let b = nextDeleted {
        let isBefore = a.withKey { a in b.withKey { b in ByteOrder.compare(a, b) < 0 } }
        return isBefore != isDescending ? takePresent() : takeDeleted()
      }
      return nextPresent == nil ? takeDeleted() : takePresent()
    }

    private mutating func takePresent() -> Item? {
      defer { nextPresent = present.next() }
      return nextPresent
    }

    private mutating func takeDeleted() -> Item? {
      defer { nextDeleted = deleted.next() }
      return nextDeleted
    }
  }
}
