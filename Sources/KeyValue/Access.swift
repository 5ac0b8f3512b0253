/// Who may do what: users, roles and their permissions, and the sessions of users. Part of the replicated state; a copy is O(1).
///
/// As long as authentication is off everybody may do everything, and whoever asks is not looked at.
public struct Access: Sendable {
  /// What changes seldom, and is made anew then.
  private final class Content: Sendable {
    let accounts: Accounts

    init(_ accounts: Accounts) { self.accounts = accounts }

    static let empty = Content(Accounts())
  }

  /// Whether authentication is on.
  public internal(set) var isEnabled = false
  /// etcd's auth revision: 1 at first; each change of users, roles and permissions, and turning authentication off, adds one.
  public internal(set) var revision: Int64 = 1
  private var content = Content.empty

  var accounts: Accounts {
    get { content.accounts }
    set { content = Content(newValue) }
  }

  /// Of a store that knows nobody.
  public init() {}

  /// Nothing was ever changed.
  var isUntouched: Bool { content === Content.empty && revision == 1 && !isEnabled }

  /// Grows with whatever may change somebody's rights: with the same stamp everybody has the same.
  public var stamp: AccessStamp { AccessStamp(revision: revision, isEnabled: isEnabled) }

  // MARK: Reading

  /// A user with what the password is checked against: for whoever judges it. O(log n).
  public func user(_ name: AccessName) -> AccessUser? {
    let users = content.accounts.users
    let (index, isFound) = users.place(of: name)
    return isFound ? users[index] : nil
  }

  /// Whose session a token is. O(log n).
  ///
  /// - Parameters:
  ///   - digest: of the token.
  ///   - now: seconds since 1970. A token is good for `Limits.tokenSeconds` from when it was issued; and before that as long, as clocks
  ///     differ.
  /// - Throws: `invalidToken`.
  public func user(ofToken digest: [UInt8], now: Int64) throws(AccessError) -> AccessName {
    guard let token = content.accounts.tokens.token(digest), AccessTokens.times ~= now,
      abs(now - token.issuedAt) <= Limits.tokenSeconds
    else { throw .invalidToken }
    return token.user
  }

  /// How many sessions there are, those too that are too old by now.
  public var tokenCount: Int { content.accounts.tokens.count }

  /// etcd's `AuthStatus`.
  public func status(for subject: Subject) throws(AccessError) -> AccessStamp {
    try checkAdministrator(subject)
    return stamp
  }

  /// Of all users, in ascending order: etcd's `UserList`.
  public func userNames(for subject: Subject) throws(AccessError) -> [AccessName] {
    try checkAdministrator(subject)
    return content.accounts.users.map(\.name)
  }

  /// Of a user, in ascending order: etcd's `UserGet`. Of oneself everybody may know.
  public func roles(of name: AccessName, for subject: Subject) throws(AccessError) -> [AccessName] {
    if subject != .user(name) { try checkAdministrator(subject) }
    guard let user = user(name) else { throw .userNotFound }
    return user.roles
  }

  /// Of all roles, in ascending order: etcd's `RoleList`.
  public func roleNames(for subject: Subject) throws(AccessError) -> [AccessName] {
    try checkAdministrator(subject)
    return content.accounts.roles.map(\.name)
  }

  /// Of a role, in ascending order: etcd's `RoleGet`. Of a role that one has everybody may know. `root` may do everything.
  public func permissions(of name: AccessName, for subject: Subject) throws(AccessError) -> [Permission] {
    if !hasRole(name, subject) { try checkAdministrator(subject) }
    guard let role = content.accounts.role(name) else { throw .roleNotFound }
    return name == .root ? [Permission(.readWrite, .all)] : role.permissions
  }

  private func hasRole(_ name: AccessName, _ subject: Subject) -> Bool {
    guard case .user(let user) = subject else { return false }
    return self.user(user)?.roles.contains(name) ?? false
  }

  // MARK: Rights

  /// What somebody may do; `nil` for everything.
  ///
  /// - Throws: `userNameEmpty` for nobody, and of a user who is not there `permissionDenied`.
  func rights(of subject: Subject) throws(AccessError) -> AccessRights? {
    guard isEnabled else { return nil }
    switch subject {
    case .operator: return nil
    case .nobody: throw .userNameEmpty
    case .user(let name):
      guard let user = user(name) else { throw .permissionDenied }
      return user.rights.isAdministrator ? nil : user.rights
    }
  }

  /// Whoever is known may do it.
  public func checkKnown(_ subject: Subject) throws(AccessError) { _ = try rights(of: subject) }

  /// Each key of the range may be read.
  public func checkRead(_ range: KeyRange, for subject: Subject) throws(AccessError) { try rights(of: subject)?.checkRead(range) }

  /// A user with the role `root`, or the operator.
  /// - Throws: `userNameEmpty`, `userNotFound` or `permissionDenied`.
  public func checkAdministrator(_ subject: Subject) throws(AccessError) {
    if isEnabled, case .user(let name) = subject, user(name) == nil { throw .userNotFound }
    guard try rights(of: subject) == nil else { throw .permissionDenied }
  }

  /// See `checkRead`.
  public func mayRead(_ range: KeyRange, _ subject: Subject) -> Bool { (try? checkRead(range, for: subject)) != nil }

  /// See `checkAdministrator`. With authentication off everybody is.
  public func isAdministrator(_ subject: Subject) -> Bool { (try? checkAdministrator(subject)) != nil }
}

/// What everybody's rights hang on: with the same stamp they are the same, and a later one is greater.
public struct AccessStamp: Hashable, Comparable, Sendable {
  public let revision: Int64
  public let isEnabled: Bool

  /// Turning authentication off adds one to the revision, turning it on does not.
  public static func < (a: AccessStamp, b: AccessStamp) -> Bool {
    a.revision != b.revision ? a.revision < b.revision : !a.isEnabled && b.isEnabled
  }
}

/// Users, roles and sessions.
struct Accounts: Sendable {
  /// In ascending order of their names.
  var users: [AccessUser] = []
  var roles: [AccessRole] = []
  var tokens = AccessTokens()

  func role(_ name: AccessName) -> AccessRole? {
    let (index, isFound) = roles.place(of: name)
    return isFound ? roles[index] : nil
  }
}

extension Access {
  func combine(into fingerprint: inout Fingerprint) {
    guard !isUntouched else { return }
    fingerprint.combine(UInt64(revision) << 1 | (isEnabled ? 1 : 0))
    fingerprint.combine(UInt64(accounts.roles.count))
    for role in accounts.roles {
      fingerprint.combine(role.name.bytes)
      fingerprint.combine(UInt64(role.permissions.count))
      for permission in role.permissions {
        fingerprint.combine(UInt64(permission.kind.rawValue))
        fingerprint.combine(permission.range.start)
        fingerprint.combine(permission.range.end ?? [])
      }
    }
    fingerprint.combine(UInt64(accounts.users.count))
    for user in accounts.users {
      fingerprint.combine(user.name.bytes)
      fingerprint.combine(UInt64(user.passwordRevision))
      fingerprint.combine(user.verifier ?? [])
      fingerprint.combine(UInt64(user.roles.count))
      for role in user.roles { fingerprint.combine(role.bytes) }
    }
    accounts.tokens.combine(into: &fingerprint)
  }
}

extension Fingerprint {
  fileprivate mutating func combine(_ bytes: [UInt8]) {
    combine(UInt64(bytes.count))
    bytes.withUnsafeBytes { combine($0) }
  }
}
