/// On whose behalf something is asked. With authentication off it makes no difference.
public enum Subject: Hashable, Sendable {
  /// No credentials were shown.
  case nobody
  /// Who showed a token, a password or a certificate of this user.
  case user(AccessName)
  /// Whoever holds the node's own key. May do everything, so that turning authentication on cannot lock everybody out.
  case `operator`
}

/// Keys, and what may be done with them: etcd's `authpb.Permission`.
public struct Permission: Hashable, Sendable {
  /// The numbers are etcd's.
  public enum Kind: UInt8, Sendable {
    case read = 0
    case write
    case readWrite
  }

  /// Not empty, and its start and end together at most `Limits.permissionBytes` long.
  public var range: KeyRange
  public var kind: Kind

  public init(_ kind: Kind, _ range: KeyRange) {
    self.range = range
    self.kind = kind
  }
}

/// A session of a user whose password was found right.
public struct TokenGrant: Hashable, Sendable {
  public var user: AccessName
  /// Of the token, which is random and stays with the user: `Limits.tokenDigestBytes`.
  public var digest: [UInt8]
  /// Seconds since 1970, by the clock of whoever proposes the request.
  public var issuedAt: Int64
  /// What `AccessUser.passwordRevision` said when the password was judged. A password that was changed since does not log in.
  public var passwordRevision: Int64

  public init(user: AccessName, digest: [UInt8], issuedAt: Int64, passwordRevision: Int64) {
    self.user = user
    self.digest = digest
    self.issuedAt = issuedAt
    self.passwordRevision = passwordRevision
  }
}

/// Who may do what: changes of users, roles and sessions, as etcd's `Auth` service has them. None makes a revision of the store; each but
/// `enable` and those of tokens adds one to `Access.revision`, unless nothing changes.
public enum AccessRequest: Hashable, Sendable {
  /// Turns authentication on, if there is a user `root` with the role `root`. That user must have a password, unless the operator or the
  /// process itself asks.
  case enable
  /// Turns authentication off. All tokens are gone.
  case disable
  /// - verifier: what the password is checked against, made outside by a slow hash: 1 to `Limits.verifierBytes`. `nil` for a user who
  ///   never logs in with a password.
  case addUser(AccessName, verifier: [UInt8]?)
  /// The user's tokens are gone. Not `root`, while authentication is on.
  case deleteUser(AccessName)
  /// The user's tokens are gone.
  case changePassword(AccessName, verifier: [UInt8])
  case grantRole(AccessName, toUser: AccessName)
  /// Not the role `root` of the user `root`, while authentication is on.
  case revokeRole(AccessName, fromUser: AccessName)
  case addRole(AccessName)
  /// Users lose it. Not `root`, while authentication is on.
  case deleteRole(AccessName)
  /// In place of the permission of the same range, if there is one.
  case grantPermission(Permission, toRole: AccessName)
  /// Of the range that was granted, and no part of it.
  case revokePermission(KeyRange, fromRole: AccessName)
  /// For the process itself, and for the operator.
  case issueToken(TokenGrant)
  /// Ends a session; that there is none is no error. For the process itself, and for the operator.
  case revokeToken(digest: [UInt8])

  /// Throws what would be wrong with it whoever there is.
  func validate() throws(AccessError) {
    switch self {
    case .enable, .disable, .deleteUser, .grantRole, .revokeRole, .deleteRole, .revokePermission: break
    case .addUser(let name, let verifier):
      guard !name.bytes.isEmpty else { throw .userNameEmpty }
      guard name.bytes.count <= Limits.accessNameBytes else { throw .nameTooLong }
      if let verifier { try Self.check(verifier) }
    case .changePassword(_, let verifier): try Self.check(verifier)
    case .addRole(let name):
      guard !name.bytes.isEmpty else { throw .roleNameEmpty }
      guard name.bytes.count <= Limits.accessNameBytes else { throw .nameTooLong }
    case .grantPermission(let permission, _): try permission.validate()
    case .issueToken(let grant):
      guard grant.digest.count == Limits.tokenDigestBytes, AccessTokens.times ~= grant.issuedAt else { throw .invalidToken }
    case .revokeToken(let digest):
      guard digest.count == Limits.tokenDigestBytes else { throw .invalidToken }
    }
  }

  static func check(_ verifier: [UInt8]) throws(AccessError) {
    guard 1...Limits.verifierBytes ~= verifier.count else { throw .verifierSize }
  }
}

extension Permission {
  func validate() throws(AccessError) {
    guard !range.start.isEmpty, !AccessRanges([range]).isEmpty else { throw .invalidManagement }
    guard range.start.count + (range.end?.count ?? 0) <= Limits.permissionBytes else { throw .permissionTooLong }
  }
}

extension Request {
  /// The request itself, without on whose behalf it is.
  public var unwrapped: Request {
    if case .onBehalf(_, let request) = self { request } else { self }
  }
}
