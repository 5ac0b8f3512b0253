import KeyValue

/// Leases as plainly as can be: a list, and the pairs that name them.
extension NaiveStore {
  // The numbers are those of the documents, written down once more on purpose.
  static let leaseBytes = 192
  private static let leastSeconds: Int64 = 2
  static let mostSeconds: Int64 = 9_000_000_000

  func hasLease(_ id: LeaseID) -> Bool { leases.contains { $0.id == id } }

  /// In their order.
  func keys(of id: LeaseID) -> [Key] { hasLease(id) ? pairs.filter { $0.pair.lease == id }.map(\.pair.key) : [] }

  /// What leases, and the keys that go with them, count with.
  var leaseBytes: Int {
    let leased = pairs.filter { $0.pair.lease != 0 }
    return leases.count * Self.leaseBytes + leased.reduce(0) { $0 + Self.bytes(ofLeased: $1.pair.key) }
  }

  static func bytes(ofLeased key: Key) -> Int { 8 + key.count + versionBytes }

  mutating func carryOut(ofLeases request: Request) -> OperationResult {
    switch request {
    case .leaseGrant(let grant):
      let timeToLive = max(grant.timeToLive, Self.leastSeconds)
      leases.append((grant.id, timeToLive, index))
      leases.sort { $0.id < $1.id }
      return .leaseGranted(grant.id, timeToLive: timeToLive)
    case .leaseExpiry(let id, let grant) where !isGrant(grant, of: id): return .leaseRevoked(keys: 0)
    case .leaseRevoke(let id), .leaseExpiry(let id, _):
      let before = self
      let keys = keys(of: id)
      for key in keys { _ = delete(DeleteRequest(range: KeyRange(key)), before) }
      leases.removeAll { $0.id == id }
      return .leaseRevoked(keys: Int64(keys.count))
    case .leases: return .leases(leases.map(\.id))
    case .lease(let id):
      let lease = leases.first { $0.id == id }
      return .lease(lease.map { LeaseResponse(timeToLive: $0.timeToLive, keys: keys(of: id)) })
    case .range, .put, .delete, .transaction, .compaction, .settings, .access, .record, .onBehalf: return .done
    }
  }

  /// 0 on either side is any.
  private func isGrant(_ grant: UInt64, of id: LeaseID) -> Bool {
    leases.contains { $0.id == id && ($0.grant == grant || $0.grant == 0 || grant == 0) }
  }

  /// The leases of a store, and their keys.
  func leaseDifference(in view: KeyValueView) -> String? {
    guard case .success(let answer) = view.answer(Request.leases), case .leases(let ids) = answer.result else {
      return "no leases are told"
    }
    guard ids == leases.map(\.id) else { return "the store has the leases \(ids), the model \(leases.map(\.id))" }
    for (id, timeToLive, grant) in leases {
      guard view.grant(of: id) == grant else { return "the store has another grant of lease \(id) than the model" }
      let right = LeaseResponse(timeToLive: timeToLive, keys: keys(of: id))
      guard case .success(let answer) = view.answer(Request.lease(id)), case .lease(let lease?) = answer.result, lease == right else {
        return "the store has another lease \(id) than the model, with \(right.keys.count) keys for \(timeToLive) s"
      }
    }
    return nil
  }
}
