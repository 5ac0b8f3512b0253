import ByteCoding

/// The leases that there are, and the keys that go with them: a value whose copy is O(1), as that of the trees which it is made of.
///
/// Nothing here knows the time: who leads counts it, see `LeaseClock`.
struct LeaseTable: Sendable {
  /// What a lease counts with in `KeyValueView.size`: about what it has in memory, with the leader's clock.
  static let leaseBytes = 192
  private static let idBytes = MemoryLayout<UInt64>.size

  /// Of each lease its number, for how many seconds it was granted, and in place of a revision which grant that was.
  private(set) var granted = OrderedTree()
  /// Of each key that goes with a lease the lease's number, and then the key: so those of one lease stand together, in order.
  private(set) var attached = OrderedTree()

  init() {}

  init(granted: OrderedTree) { self.granted = granted }

  var count: Int { granted.count }

  /// What leases and their keys count with in `KeyValueView.size`.
  var size: Int {
    granted.count * LeaseTable.leaseBytes + attached.root.summary.keyBytes + attached.count * ChangeLog.itemBytes
  }

  /// By how much a key that goes with a lease enlarges it.
  static func size(ofAttached key: Key) -> Int { idBytes + key.count + ChangeLog.itemBytes }

  /// For how many seconds it was granted; `nil` if there is no such lease.
  func timeToLive(of id: LeaseID) -> Int64? { granted.item(for: LeaseTable.key(of: id)[...]).map(LeaseTable.timeToLive) }

  /// Which grant it is, of all that had its number; `nil` if there is no such lease.
  func grant(of id: LeaseID) -> UInt64? { granted.item(for: LeaseTable.key(of: id)[...]).map(LeaseTable.grant) }

  func contains(_ id: LeaseID) -> Bool { granted.item(for: LeaseTable.key(of: id)[...]) != nil }

  /// The keys of a lease, in order, without those that come before `start`.
  func keys(of id: LeaseID, from start: Key = []) -> OrderedTree.Items {
    let ranks = attached.ranks(of: KeyRange(prefix: LeaseTable.key(of: id)))
    let first = attached.rank(of: (LeaseTable.key(of: id) + start)[...])
    return attached.items(at: max(ranks.lowerBound, min(first, ranks.upperBound))..<ranks.upperBound)
  }

  // MARK: Changes

  /// - Parameter grant: see `Request.leaseExpiry`.
  mutating func grant(_ id: LeaseID, timeToLive: Int64, grant: UInt64) {
    let item = LeaseTable.item(of: id, timeToLive: timeToLive, grant: grant)
    item.withKey { key in granted.update(key) { _ in item } }
  }

  mutating func remove(_ id: LeaseID) {
    attached.remove(at: attached.ranks(of: KeyRange(prefix: LeaseTable.key(of: id))))
    granted.remove(LeaseTable.key(of: id)[...])
  }

  mutating func attach(_ key: some Collection<UInt8>, to id: LeaseID) {
    let place = LeaseTable.key(of: id) + key
    attached.update(place[...]) { _ in Item(key: place[...], value: [], createRevision: 0, modRevision: 0, version: 1) }
  }

  mutating func detach(_ key: some Collection<UInt8>, from id: LeaseID) { attached.remove((LeaseTable.key(of: id) + key)[...]) }

  // MARK: Bytes

  /// In the order of the numbers, negative ones first.
  static func key(of id: LeaseID) -> Key { withUnsafeBytes(of: (UInt64(bitPattern: id) ^ 1 << 63).bigEndian) { Key($0) } }

  static func id(of item: Item) -> LeaseID {
    item.withKey { LeaseID(bitPattern: UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)) ^ 1 << 63) }
  }

  /// - Parameter item: one of `granted`.
  static func timeToLive(of item: Item) -> Int64 { item.withValue { $0.loadUnaligned(as: Int64.self) } }

  /// - Parameter item: one of `granted`.
  static func grant(of item: Item) -> UInt64 { UInt64(bitPattern: item.modRevision) }

  static func item(of id: LeaseID, timeToLive: Int64, grant: UInt64) -> Item {
    withUnsafeBytes(of: timeToLive) { timeToLive in
      Item(
        key: key(of: id)[...], value: Bytes(timeToLive), createRevision: 0, modRevision: Int64(bitPattern: grant), version: 1)
    }
  }

  /// - Parameter item: one of `attached`.
  static func key(of item: Item) -> Key { item.withKey { Key($0.dropFirst(idBytes)) } }

  /// - Parameter attached: one of `attached`.
  /// - Returns: whether an item of the store is its key.
  static func isKey(of attached: Item, _ item: Item) -> Bool {
    attached.withKey { attached in
      item.withKey { ByteOrder.compare(UnsafeRawBufferPointer(rebasing: attached.dropFirst(idBytes)), $0) == 0 }
    }
  }

  func combine(into fingerprint: inout Fingerprint) {
    fingerprint.combine(UInt64(granted.count))
    granted.forEach { item in
      fingerprint.combine(UInt64(bitPattern: LeaseTable.id(of: item)))
      fingerprint.combine(UInt64(bitPattern: LeaseTable.timeToLive(of: item)))
      fingerprint.combine(LeaseTable.grant(of: item))
    }
    attached.forEach { item in item.withKey { fingerprint.combine($0) } }
  }
}
