import ByteCoding

/// Leases as part of the replicated state: which there are, for how long they were granted, and their keys.
extension KeyValueView {
  /// How many leases there are.
  public var leaseCount: Int { leases.count }

  /// For how many seconds a lease was granted; `nil` if there is no such lease.
  public func timeToLive(of lease: LeaseID) -> Int64? { leases.timeToLive(of: lease) }

  /// A time below the least is raised, as etcd does. Makes no revision.
  mutating func grant(_ request: LeaseGrantRequest) throws(KeyValueError) -> StoredResult {
    guard !leases.contains(request.id) else { throw .leaseExists }
    guard leases.count < Limits.leases else { throw .tooManyLeases }
    try checkSpace(for: LeaseTable.leaseBytes)
    let timeToLive = max(request.timeToLive, Limits.minimumLeaseSeconds)
    leases.grant(request.id, timeToLive: timeToLive)
    return .leaseGranted(request.id, timeToLive: timeToLive)
  }

  /// Ends a lease, if there is one: its keys are deleted in their order, all in one revision; in none if there are none.
  mutating func endLease(_ id: LeaseID) -> StoredResult {
    var deleted: Int64 = 0
    for attached in leases.keys(of: id) {
      guard let item = tree.remove(LeaseTable.key(of: attached)[...]) else { continue }
      bury(item, at: revision + 1)
      deleted += 1
    }
    leases.remove(id)
    if deleted > 0 { revision += 1 }
    return .leaseRevoked(keys: deleted)
  }

  func checkLease(of request: PutRequest) throws(KeyValueError) {
    guard request.lease == 0 || leases.contains(request.lease) else { throw .leaseNotFound }
  }
}
