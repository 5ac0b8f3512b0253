import ByteCoding

/// The leases that there are, and the keys that go with them: a value whose copy is O(1), as that of the trees which it is made of.
///
/// Nothing here knows the time: who leads counts it, see `LeaseClock`.
struct LeaseTable: Sendable {
  /// What a lease counts with in `KeyValueView.size`: about what it has in memory, with the leader's clock.
  static let leaseBytes = 192
  private static let idBytes = MemoryLayout<UInt64>.size

  /// Of each lease its number, and for how many seconds it was granted.
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

  func contains(_ id: LeaseID) -> Bool { granted.item(for: LeaseTable.key(of: id)[...]) != nil }

  /// The keys of a lease, in order.
  func keys(of id: LeaseID) -> OrderedTree.Items {
    attached.items(at: attached.ranks(of: KeyRange(prefix: LeaseTable.key(of: id))))
  }

  // MARK: Changes

  mutating func grant(_ id: LeaseID, timeToLive: Int64) {
    let key = LeaseTable.key(of: id)
    granted.update(key[...]) { _ in
      withUnsafeBytes(of: timeToLive) {
        Item(key: key[...], value: Bytes($0), createRevision: 0, modRevision: 0, version: 1)
      }
    }
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

  /// - Parameter item: one of `attached`.
  static func key(of item: Item) -> Key { item.withKey { Key($0.dropFirst(idBytes)) } }

  func combine(into fingerprint: inout Fingerprint) {
    fingerprint.combine(UInt64(granted.count))
    granted.forEach { item in
      fingerprint.combine(UInt64(bitPattern: LeaseTable.id(of: item)))
      fingerprint.combine(UInt64(bitPattern: LeaseTable.timeToLive(of: item)))
    }
    attached.forEach { item in item.withKey { fingerprint.combine($0) } }
  }
}
