/// Who may do what with the store. The rules are looked up when a request is applied: what the state says then decides.
extension KeyValueView {
  /// Throws if somebody may not do a request, as users, roles, permissions and the keys of leases are in this view. Whoever asks is never
  /// told whether a key is there that it may not read.
  ///
  /// - Throws: `.access`; `tooCostly` if the keys of the leases that a request is about alternate too often between what is allowed by
  ///   different permissions.
  public func check(_ request: Request, for subject: Subject) throws(KeyValueError) {
    guard access.isEnabled else { return }
    switch request {
    case .range, .put, .delete, .transaction, .leaseRevoke, .lease:
      guard let rights = try granted({ () throws(AccessError) in try access.rights(of: subject) }) else { return }
      var check = KeyCheck(rights: rights, leases: leases)
      try check.check(request)
    case .leaseGrant, .leases: try granted { () throws(AccessError) in try access.checkKnown(subject) }
    case .compaction, .settings: try granted { () throws(AccessError) in try access.checkAdministrator(subject) }
    case .access(let request): try granted { () throws(AccessError) in try access.check(request, for: subject) }
    case .record: guard subject == .operator else { throw .access(.permissionDenied) }
    case .leaseExpiry: throw .leaderOnly
    case .onBehalf: throw .access(.permissionDenied)
    }
  }
}

/// With the error in the store's words.
func granted<T>(_ body: () throws(AccessError) -> T) throws(KeyValueError) -> T {
  do throws(AccessError) { return try body() } catch { throw .access(error) }
}

extension Access {
  fileprivate func check(_ request: AccessRequest, for subject: Subject) throws(AccessError) {
    try checkAdministrator(subject)
    switch request {
    case .enable, .disable, .addUser, .deleteUser, .changePassword, .grantRole, .revokeRole, .addRole, .deleteRole, .grantPermission,
      .revokePermission:
      break
    // A password was judged for them, which only the process can say.
    case .issueToken, .revokeToken: guard subject == .operator else { throw .permissionDenied }
    }
  }
}

/// The rules of requests that name keys, or leases that have keys.
private struct KeyCheck {
  let rights: AccessRights
  let leases: LeaseTable
  /// Steps that may yet be taken through the keys of leases.
  private var steps = Limits.costItems

  init(rights: AccessRights, leases: LeaseTable) {
    self.rights = rights
    self.leases = leases
  }

  mutating func check(_ request: Request) throws(KeyValueError) {
    switch request {
    case .range(let request): try read(request.range)
    case .put(let request):
      let key = KeyRange(request.key)
      try write(key)
      // Each of them tells what is there, or whether something is.
      if request.previous || request.ignoreValue || request.ignoreLease { try read(key) }
      // Whoever puts a key with a lease can let the others be deleted.
      if request.lease != 0 { try checkKeys(of: request.lease, in: rights.writable) }
    case .delete(let request):
      try write(request.range)
      if request.previous { try read(request.range) }
    case .transaction(let request):
      for comparison in request.comparisons { try read(comparison.range) }
      // Whichever branch is taken: the choice says something about the store too.
      for operation in request.success { try check(operation) }
      for operation in request.failure { try check(operation) }
    case .leaseRevoke(let id): try checkKeys(of: id, in: rights.writable)
    case .lease(let id): try checkKeys(of: id, in: rights.readable)
    case .compaction, .settings, .leaseGrant, .leaseExpiry, .leases, .access, .record, .onBehalf: throw .access(.permissionDenied)
    }
  }

  private func read(_ range: KeyRange) throws(KeyValueError) {
    guard rights.readable.contains(range) else { throw .access(.permissionDenied) }
  }

  private func write(_ range: KeyRange) throws(KeyValueError) {
    guard rights.writable.contains(range) else { throw .access(.permissionDenied) }
  }

  /// One step for all keys of the lease that one interval has.
  private mutating func checkKeys(of lease: LeaseID, in ranges: AccessRanges) throws(KeyValueError) {
    var keys = leases.keys(of: lease)
    while let key = keys.next().map(LeaseTable.key) {
      guard steps > 0 else { throw .tooCostly }
      steps -= 1
      guard let interval = ranges.interval(around: key) else { throw .access(.permissionDenied) }
      guard let end = interval.end else { return }
      keys = leases.keys(of: lease, from: end)
    }
  }
}
