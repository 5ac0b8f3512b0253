/// Something there is a bound for.
public enum AccessCount: Hashable, Sendable {
  case users
  case roles
  case rolesOfUser
  case permissions
  case permissionsOfRole
  /// Those of all roles of all users: a permission counts once for each user who has it.
  case permissionsInForce
}

/// Why somebody may not do something, or why users and roles cannot be changed so. Nothing was done; the same fails again as long as users,
/// roles and permissions are as they are. Where etcd has the error its name is given (`api/v3rpc/rpctypes/error.go`).
public enum AccessError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Authentication is on and nobody is named, or a user is to have an empty name. `ErrUserEmpty`
  case userNameEmpty
  /// `ErrRoleEmpty`
  case roleNameEmpty
  /// `ErrUserAlreadyExist`
  case userExists
  /// `ErrUserNotFound`
  case userNotFound
  /// `ErrRoleAlreadyExist`
  case roleExists
  /// `ErrRoleNotFound`
  case roleNotFound
  /// Authentication cannot be turned on: nobody could administer it. `ErrRootUserNotExist`
  case rootUserMissing
  /// Authentication cannot be turned on: nobody could administer it. `ErrRootRoleNotExist`
  case rootRoleMissing
  /// Authentication cannot be turned on: nobody could log in to administer it. Give `root` a password, or ask as the node's operator.
  case rootPasswordMissing
  /// `ErrRoleNotGranted`
  case roleNotGranted
  /// `ErrPermissionNotGranted`
  case permissionNotGranted
  /// `ErrPermissionDenied`
  case permissionDenied
  /// The password is wrong, was changed meanwhile, or there is no such user. `ErrAuthFailed`
  case authenticationFailed
  /// There are no tokens while authentication is off. `ErrAuthNotEnabled`
  case notEnabled
  /// The token is unknown, or too old: log in again. `ErrInvalidAuthToken`
  case invalidToken
  /// The last administrator would go, or a permission is for no key. `ErrInvalidAuthMgmt`
  case invalidManagement
  /// There are as many already as there may be.
  case tooMany(AccessCount, limit: Int)
  /// A user or a role is to have a name above `Limits.accessNameBytes`.
  case nameTooLong
  /// A password's verifier has not 1 to `Limits.verifierBytes`.
  case verifierSize
  /// The bounds of a permission have more than `Limits.permissionBytes`.
  case permissionTooLong

  public var description: String {
    switch self {
    case .userNameEmpty: "the user name is empty"
    case .roleNameEmpty: "the role name is empty"
    case .userExists: "the user exists already"
    case .userNotFound: "there is no such user"
    case .roleExists: "the role exists already"
    case .roleNotFound: "there is no such role"
    case .rootUserMissing: "there is no user root: add one before authentication is turned on"
    case .rootRoleMissing: "the user root does not have the role root: grant it before authentication is turned on"
    case .rootPasswordMissing:
      "the user root has no password, so nobody could log in: give it one, or turn authentication on as the node's operator"
    case .roleNotGranted: "the role is not granted to the user"
    case .permissionNotGranted: "the permission is not granted to the role"
    case .permissionDenied: "permission denied"
    case .authenticationFailed: "the user or the password is wrong"
    case .notEnabled: "authentication is not on"
    case .invalidToken: "the token is not valid: log in again"
    case .invalidManagement: "this would take the last administrator, or is a permission for no key"
    case .tooMany(let what, let limit): "there may be \(limit) \(Self.text(of: what)), and are: remove some first"
    case .nameTooLong: "the name is longer than \(Limits.accessNameBytes) bytes"
    case .verifierSize: "the verifier of the password has not 1 to \(Limits.verifierBytes) bytes"
    case .permissionTooLong: "the bounds of the permission have more than \(Limits.permissionBytes) bytes"
    }
  }

  private static func text(of what: AccessCount) -> String {
    switch what {
    case .users: "users"
    case .roles: "roles"
    case .rolesOfUser: "roles of a user"
    case .permissions: "permissions"
    case .permissionsOfRole: "permissions of a role"
    case .permissionsInForce: "permissions, each counted for each user who has it,"
    }
  }
}
