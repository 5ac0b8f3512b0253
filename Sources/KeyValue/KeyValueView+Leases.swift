import ByteCoding

/// Leases as part of the replicated state: which there are, for how long they were granted, and their keys.
extension KeyValueView {
  /// How many leases there are.
  public var leaseCount: Int { leases.count }

  /// For how many seconds a lease was granted; `nil` if there is no such lease.
  public func timeToLive(of lease: LeaseID) -> Int64? { leases.timeToLive(of: lease) }

  /// Keys of a lease in their order, at most so many: a piece of what may be very long. Nothing if there is no such lease.
  ///
  /// - Parameters:
  ///   - lease: its number.
  ///   - start: where the piece begins, as the one before says. The first begins with the empty key.
  ///   - limit: above 0.
  /// - Returns: `next` is the first key that the piece has not; `nil` after the last one.
  public func keys(of lease: LeaseID, from start: Key = [], limit: Int) -> (keys: [Key], next: Key?) {
    var items = leases.keys(of: lease, from: start)
    var keys: [Key] = []
    while keys.count < limit, let item = items.next() { keys.append(LeaseTable.key(of: item)) }
    return (keys, items.next().map(LeaseTable.key))
  }

  /// Which grant a lease is, of all that had its number; see `Request.leaseExpiry`. `nil` if there is no such lease.
  package func grant(of lease: LeaseID) -> UInt64? { leases.grant(of: lease) }

  /// Whether a lease is this grant, or it is not known which one is meant, or which one it is.
  func isMeant(_ grant: UInt64, of id: LeaseID) -> Bool {
    guard let granted = leases.grant(of: id) else { return false }
    return granted == grant || granted == 0 || grant == 0
  }

  /// A time below the least is raised, as etcd does. Makes no revision.
  ///
  /// - Parameter index: of the command, which tells this grant from all others.
  mutating func grant(_ request: LeaseGrantRequest, at index: UInt64) throws(KeyValueError) -> StoredResult {
    guard !leases.contains(request.id) else { throw .leaseExists }
    guard leases.count < Limits.leases else { throw .tooManyLeases }
    try checkSpace(for: LeaseTable.leaseBytes)
    let timeToLive = max(request.timeToLive, Limits.minimumLeaseSeconds)
    leases.grant(request.id, timeToLive: timeToLive, grant: index)
    return .leaseGranted(request.id, timeToLive: timeToLive)
  }

  /// Ends a lease, if there is one: its keys are deleted in their order, all in one revision; in none if there are none.
  mutating func endLease(_ id: LeaseID) -> StoredResult {
    var ended: [Item] = []
    var keys = leases.keys(of: id)
    ended.reserveCapacity(keys.underestimatedCount)
    var next = keys.next()
    while let first = next {
      let rank = tree.rank(of: LeaseTable.key(of: first)[...])
      let count = takeRun(at: rank, of: &keys, from: &next, into: &ended)
      if count > 0 { tree.remove(at: rank..<rank + count) } else { next = keys.next() }
    }
    leases.remove(id)
    bury(ended, at: revision + 1)
    if !ended.isEmpty { revision += 1 }
    return .leaseRevoked(keys: Int64(ended.count))
  }

  /// The keys of a lease that stand side by side in the store, from this place on: they go at once.
  private func takeRun(
    at rank: Int, of keys: inout OrderedTree.Items, from next: inout Item?, into items: inout [Item]
  ) -> Int {
    var count = 0
    for item in tree.items(at: rank..<tree.count) {
      guard let attached = next, LeaseTable.isKey(of: attached, item) else { break }
      items.append(item)
      count += 1
      next = keys.next()
    }
    return count
  }

  func checkLease(of request: PutRequest) throws(KeyValueError) {
    guard request.lease == 0 || leases.contains(request.lease) else { throw .leaseNotFound }
  }
}
