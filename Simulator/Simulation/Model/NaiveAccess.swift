import KeyValue

/// Who may do what, as plainly as can be: lists, and for each key the question whether some permission has it.
struct NaiveAccess: Sendable {
  struct User: Sendable {
    var verifier: [UInt8]?
    var passwordRevision: Int64
    var roles: [AccessName] = []
  }

  struct Session: Sendable {
    let digest: [UInt8]
    let user: AccessName
    let issuedAt: Int64
  }

  // The numbers are those of the documents, written down once more on purpose.
  private static let tokenSeconds: Int64 = 43_200
  private static let root = AccessName("root")

  var isEnabled = false
  var revision: Int64 = 1
  var userTable: [AccessName: User] = [:]
  /// In the order in which they were granted.
  var roleTable: [AccessName: [Permission]] = [:]
  /// The oldest first.
  var sessions: [Session] = []

  // MARK: Rights

  /// What somebody must have for a request: keys to be read or written.
  private enum Need {
    case read(KeyRange)
    case write(KeyRange)
  }

  func check(_ request: Request, for subject: Subject, in store: NaiveStore) throws(KeyValueError) {
    guard isEnabled, subject != .operator else { return }
    guard case .user(let name) = subject else { throw .access(.userNameEmpty) }
    guard let user = userTable[name] else { throw .access(Self.isAdministration(request) ? .userNotFound : .permissionDenied) }
    let isAdministrator = user.roles.contains(Self.root)
    switch request {
    case .access(.issueToken), .access(.revokeToken): throw .access(.permissionDenied)
    case _ where isAdministrator: return
    case _ where Self.isAdministration(request): throw .access(.permissionDenied)
    default: break
    }
    for need in Self.needs(of: request, in: store) {
      switch need {
      case .read(let range): if !has(user, range, isWrite: false) { throw .access(.permissionDenied) }
      case .write(let range): if !has(user, range, isWrite: true) { throw .access(.permissionDenied) }
      }
    }
  }

  /// Whether somebody may read each key of a range; `nil` is the process itself.
  func mayRead(_ range: KeyRange, _ subject: Subject?) -> Bool {
    subject.map { (try? check(.range(RangeRequest(range: range)), for: $0, in: NaiveStore())) != nil } ?? true
  }

  private static func isAdministration(_ request: Request) -> Bool {
    switch request {
    case .access, .record, .compaction, .settings: true
    case .range, .put, .delete, .transaction, .leaseGrant, .leaseRevoke, .leaseExpiry, .leases, .lease, .onBehalf: false
    }
  }

  private static func needs(of request: Request, in store: NaiveStore) -> [Need] {
    switch request {
    case .range(let range): return [.read(range.range)]
    case .put(let put):
      let key = KeyRange(put.key)
      let looks = put.previous || put.ignoreValue || put.ignoreLease
      return [.write(key)] + (looks ? [.read(key)] : []) + store.keys(of: put.lease).map { .write(KeyRange($0)) }
    case .delete(let delete): return [.write(delete.range)] + (delete.previous ? [.read(delete.range)] : [])
    case .transaction(let transaction):
      return transaction.comparisons.map { .read($0.range) } + transaction.success.flatMap { needs(of: $0, in: store) }
        + transaction.failure.flatMap { needs(of: $0, in: store) }
    case .leaseRevoke(let id): return store.keys(of: id).map { .write(KeyRange($0)) }
    case .lease(let id): return store.keys(of: id).map { .read(KeyRange($0)) }
    case .compaction, .settings, .leaseGrant, .leaseExpiry, .leases, .access, .record, .onBehalf: return []
    }
  }

  /// Each key of the range. If one is missing, one is that stands at the beginning of the range or where a permission begins or ends: the
  /// first of those that are missing.
  private func has(_ user: User, _ range: KeyRange, isWrite: Bool) -> Bool {
    var permissions: [Permission] = []
    for role in user.roles { permissions += roleTable[role] ?? [] }
    permissions = permissions.filter { $0.kind == .readWrite || isWrite == ($0.kind == .write) }
    var places = [range.start]
    for permission in permissions { places += [permission.range.start, permission.range.end ?? permission.range.start + [0]] }
    return places.filter { Self.is($0, in: range) }.allSatisfy { key in permissions.contains { Self.is(key, in: $0.range) } }
  }

  static func `is`(_ key: Key, in range: KeyRange) -> Bool {
    guard let end = range.end else { return key == range.start }
    return !key.lexicographicallyPrecedes(range.start) && (end == [0] || key.lexicographicallyPrecedes(end))
  }

  // MARK: Changes

  /// Bounds on how many there may be are left out.
  mutating func perform(_ request: AccessRequest, for subject: Subject?) throws(AccessError) {
    switch request {
    case .enable:
      if isEnabled { return }
      guard let root = userTable[Self.root] else { throw .rootUserMissing }
      if !root.roles.contains(Self.root) { throw .rootRoleMissing }
      if root.verifier == nil, let subject, subject != .operator { throw .rootPasswordMissing }
      isEnabled = true
      return
    case .disable:
      if !isEnabled { return }
      isEnabled = false
      sessions = []
    case .addUser(let name, let verifier):
      if userTable[name] != nil { throw .userExists }
      userTable[name] = User(verifier: verifier, passwordRevision: revision + 1)
    case .deleteUser(let name):
      if isEnabled, name == Self.root { throw .invalidManagement }
      if userTable[name] == nil { throw .userNotFound }
      userTable[name] = nil
      sessions.removeAll { $0.user == name }
    case .changePassword(let name, let verifier):
      guard let user = userTable[name] else { throw .userNotFound }
      userTable[name] = User(verifier: verifier, passwordRevision: revision + 1, roles: user.roles)
      sessions.removeAll { $0.user == name }
    case .grantRole(let role, let name):
      guard var user = userTable[name] else { throw .userNotFound }
      if role != Self.root, roleTable[role] == nil { throw .roleNotFound }
      if user.roles.contains(role) { return }
      user.roles = (user.roles + [role]).sorted()
      userTable[name] = user
    case .revokeRole(let role, let name):
      if isEnabled, name == Self.root, role == Self.root { throw .invalidManagement }
      guard let user = userTable[name] else { throw .userNotFound }
      if !user.roles.contains(role) { throw .roleNotGranted }
      userTable[name]?.roles.removeAll { $0 == role }
    case .issueToken(let grant): return try issue(grant)
    case .revokeToken(let digest):
      sessions.removeAll { $0.digest == digest }
      return
    case .addRole, .deleteRole, .grantPermission, .revokePermission: try change(request)
    }
    revision += 1
  }

  private mutating func change(_ request: AccessRequest) throws(AccessError) {
    switch request {
    case .addRole(let name):
      if roleTable[name] != nil { throw .roleExists }
      roleTable[name] = []
    case .deleteRole(let name):
      if isEnabled, name == Self.root { throw .invalidManagement }
      if roleTable[name] == nil { throw .roleNotFound }
      roleTable[name] = nil
      userTable = userTable.mapValues { user in
        User(verifier: user.verifier, passwordRevision: user.passwordRevision, roles: user.roles.filter { $0 != name })
      }
    case .grantPermission(let permission, let name):
      let range = permission.range
      guard let granted = roleTable[name] else { throw .roleNotFound }
      roleTable[name] = granted.filter { $0.range != range } + [permission]
    case .revokePermission(let range, let name):
      guard let granted = roleTable[name] else { throw .roleNotFound }
      if !granted.contains(where: { $0.range == range }) { throw .permissionNotGranted }
      roleTable[name] = granted.filter { $0.range != range }
    default: break
    }
  }

  /// What can be said against a request whoever there is.
  static func check(_ request: AccessRequest) throws(AccessError) {
    switch request {
    case .addUser(let name, let verifier):
      if name.bytes.isEmpty { throw .userNameEmpty }
      if name.bytes.count > 256 { throw .nameTooLong }
      if let verifier, verifier.isEmpty || verifier.count > 1024 { throw .verifierSize }
    case .changePassword(_, let verifier): if verifier.isEmpty || verifier.count > 1024 { throw .verifierSize }
    case .addRole(let name):
      if name.bytes.isEmpty { throw .roleNameEmpty }
      if name.bytes.count > 256 { throw .nameTooLong }
    case .grantPermission(let permission, _):
      let range = permission.range
      if range.start.isEmpty { throw .invalidManagement }
      if let end = range.end, end != [0], !range.start.lexicographicallyPrecedes(end) { throw .invalidManagement }
      if range.start.count + (range.end ?? []).count > 4096 { throw .permissionTooLong }
    case .issueToken(let grant):
      if grant.digest.count != 32 || grant.issuedAt < 0 || grant.issuedAt > 1 << 62 { throw .invalidToken }
    case .revokeToken(let digest): if digest.count != 32 { throw .invalidToken }
    case .enable, .disable, .deleteUser, .grantRole, .revokeRole, .deleteRole, .revokePermission: break
    }
  }

  private mutating func issue(_ grant: TokenGrant) throws(AccessError) {
    if !isEnabled { throw .notEnabled }
    guard let user = userTable[grant.user], user.verifier != nil, user.passwordRevision == grant.passwordRevision else {
      throw .authenticationFailed
    }
    sessions.removeAll { $0.digest == grant.digest || abs($0.issuedAt - grant.issuedAt) > Self.tokenSeconds }
    sessions.append(Session(digest: grant.digest, user: grant.user, issuedAt: grant.issuedAt))
  }

  // MARK: Comparing

  func difference(in access: Access) -> String? {
    guard access.isEnabled == isEnabled, access.revision == revision else {
      return "the store has authentication \(access.isEnabled) at \(access.revision), the model \(isEnabled) at \(revision)"
    }
    let (users, roles) = (userTable.keys.sorted(), roleTable.keys.sorted())
    guard (try? access.userNames(for: .operator)) == users else { return "the store has other users than the model" }
    guard (try? access.roleNames(for: .operator)) == roles else { return "the store has other roles than the model" }
    for name in users {
      guard let user = access.user(name), let right = userTable[name], user.roles == right.roles, user.verifier == right.verifier,
        user.passwordRevision == right.passwordRevision
      else { return "the store has another user \(name) than the model" }
    }
    for name in roles where name != Self.root {
      let permissions = (try? access.permissions(of: name, for: .operator)) ?? []
      guard permissions.count == roleTable[name]?.count, permissions.allSatisfy({ roleTable[name]?.contains($0) ?? false }) else {
        return "the store has other permissions of the role \(name) than the model"
      }
    }
    guard access.tokenCount == sessions.count else { return "the store has \(access.tokenCount) sessions, the model \(sessions.count)" }
    for session in sessions {
      guard (try? access.user(ofToken: session.digest, now: session.issuedAt)) == session.user else {
        return "the store does not know a session of \(session.user)"
      }
    }
    return nil
  }
}
