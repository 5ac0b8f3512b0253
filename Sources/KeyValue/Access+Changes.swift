/// Changes of users, roles and sessions, as etcd does them (its `AuthStore`).
extension Access {
  /// Does a request, or changes nothing and says why not.
  ///
  /// - Parameter subject: on whose behalf, who has the right; `nil` for the process itself.
  mutating func perform(_ request: AccessRequest, for subject: Subject?) throws(AccessError) {
    try request.validate()
    switch request {
    case .enable: try enable(for: subject)
    case .disable: disable()
    case .addUser, .deleteUser, .changePassword, .grantRole, .revokeRole, .addRole, .deleteRole, .grantPermission, .revokePermission:
      var accounts = accounts
      guard try change(&accounts, request) else { return }
      self.accounts = accounts
      revision += 1
    case .issueToken(let grant): try issue(grant)
    case .revokeToken(let digest): accounts.tokens.remove(digest)
    }
  }

  private mutating func enable(for subject: Subject?) throws(AccessError) {
    guard !isEnabled else { return }
    guard let root = user(.root) else { throw .rootUserMissing }
    guard root.roles.contains(.root) else { throw .rootRoleMissing }
    guard root.verifier != nil || subject == nil || subject == .operator else { throw .rootPasswordMissing }
    isEnabled = true
  }

  private mutating func disable() {
    guard isEnabled else { return }
    isEnabled = false
    revision += 1
    accounts.tokens = AccessTokens()
  }

  private mutating func issue(_ grant: TokenGrant) throws(AccessError) {
    guard isEnabled else { throw .notEnabled }
    guard let user = user(grant.user), user.verifier != nil, user.passwordRevision == grant.passwordRevision
    else { throw .authenticationFailed }
    accounts.tokens.issue(grant)
  }

  /// - Returns: whether anything changed.
  private func change(_ accounts: inout Accounts, _ request: AccessRequest) throws(AccessError) -> Bool {
    switch request {
    case .addUser(let name, let verifier):
      try accounts.add(AccessUser(name: name, verifier: verifier, passwordRevision: revision + 1))
    case .deleteUser(let name):
      guard !isEnabled || name != .root else { throw .invalidManagement }
      try accounts.users.remove(at: accounts.place(ofUser: name))
      accounts.tokens.remove(of: name)
    case .changePassword(let name, let verifier):
      let place = try accounts.place(ofUser: name)
      accounts.users[place].verifier = verifier
      accounts.users[place].passwordRevision = revision + 1
      accounts.tokens.remove(of: name)
    case .grantRole(let role, let user): return try accounts.grant(role, to: user)
    case .revokeRole(let role, let user):
      guard !isEnabled || user != .root || role != .root else { throw .invalidManagement }
      try accounts.revoke(role, from: user)
    case .addRole(let name): try accounts.add(AccessRole(name: name))
    case .deleteRole(let name):
      guard !isEnabled || name != .root else { throw .invalidManagement }
      try accounts.deleteRole(name)
    case .grantPermission(let permission, let role): try accounts.grant(permission, to: role)
    case .revokePermission(let range, let role): try accounts.revoke(range, from: role)
    case .enable, .disable, .issueToken, .revokeToken: return false
    }
    return true
  }
}

extension Accounts {
  func place(ofUser name: AccessName) throws(AccessError) -> Int {
    let (index, isFound) = users.place(of: name)
    guard isFound else { throw .userNotFound }
    return index
  }

  func place(ofRole name: AccessName) throws(AccessError) -> Int {
    let (index, isFound) = roles.place(of: name)
    guard isFound else { throw .roleNotFound }
    return index
  }

  mutating func add(_ user: AccessUser) throws(AccessError) {
    let (index, isFound) = users.place(of: user.name)
    guard !isFound else { throw .userExists }
    guard users.count < Limits.users else { throw .tooMany(.users, limit: Limits.users) }
    users.insert(user, at: index)
  }

  mutating func add(_ role: AccessRole) throws(AccessError) {
    let (index, isFound) = roles.place(of: role.name)
    guard !isFound else { throw .roleExists }
    guard roles.count < Limits.roles else { throw .tooMany(.roles, limit: Limits.roles) }
    roles.insert(role, at: index)
  }

  /// The role `root` need not be there.
  /// - Returns: whether the user did not have it.
  mutating func grant(_ role: AccessName, to user: AccessName) throws(AccessError) -> Bool {
    let place = try place(ofUser: user)
    guard role == .root || self.role(role) != nil else { throw .roleNotFound }
    guard !users[place].roles.contains(role) else { return false }
    guard users[place].roles.count < Limits.rolesOfUser else { throw .tooMany(.rolesOfUser, limit: Limits.rolesOfUser) }
    users[place].roles.append(role)
    users[place].roles.sort()
    try checkPermissionsInForce()
    renewRights(changed: nil)
    return true
  }

  mutating func revoke(_ role: AccessName, from user: AccessName) throws(AccessError) {
    let place = try place(ofUser: user)
    guard let index = users[place].roles.firstIndex(of: role) else { throw .roleNotGranted }
    users[place].roles.remove(at: index)
    renewRights(changed: nil)
  }

  mutating func deleteRole(_ name: AccessName) throws(AccessError) {
    roles.remove(at: try place(ofRole: name))
    for place in users.indices { users[place].roles.removeAll { $0 == name } }
    renewRights(changed: nil)
  }

  mutating func grant(_ permission: Permission, to name: AccessName) throws(AccessError) {
    let place = try place(ofRole: name)
    let (index, isFound) = roles[place].place(of: permission.range)
    if isFound {
      roles[place].permissions[index] = permission
    } else {
      let limit = Limits.permissionsOfRole
      guard roles[place].permissions.count < limit else { throw .tooMany(.permissionsOfRole, limit: limit) }
      let all = roles.reduce(0) { $0 + $1.permissions.count }
      guard all < Limits.permissions else { throw .tooMany(.permissions, limit: Limits.permissions) }
      roles[place].permissions.insert(permission, at: index)
      try checkPermissionsInForce()
    }
    renewRights(changed: name)
  }

  mutating func revoke(_ range: KeyRange, from name: AccessName) throws(AccessError) {
    let place = try place(ofRole: name)
    let (index, isFound) = roles[place].place(of: range)
    guard isFound else { throw .permissionNotGranted }
    roles[place].permissions.remove(at: index)
    renewRights(changed: name)
  }

  // MARK: Rights

  /// Counted for each user, so that what takes something away never passes the bound.
  func checkPermissionsInForce() throws(AccessError) {
    let limit = Limits.permissionsInForce
    var count = 0
    for user in users { for role in user.roles { count += self.role(role)?.permissions.count ?? 0 } }
    guard count <= limit else { throw .tooMany(.permissionsInForce, limit: limit) }
  }

  /// Makes anew what users may do whose roles are others than before, or include one whose permissions changed.
  mutating func renewRights(changed: AccessName?) {
    var known: [[AccessName]: AccessRights] = [[]: .none]
    for place in users.indices {
      let user = users[place]
      let isStale = user.rights.roles != user.roles || changed.map(user.roles.contains) ?? false
      guard isStale else { continue }
      let rights = known[user.roles] ?? AccessRights(roles: user.roles, permissions: user.roles.flatMap { role($0)?.permissions ?? [] })
      known[user.roles] = rights
      users[place].rights = rights
    }
  }
}
