/// A user, as of a moment.
public struct AccessUser: AccessNamed, Sendable {
  public let name: AccessName
  /// What the password is checked against; `nil` for a user without one. A secret, though not the password.
  public internal(set) var verifier: [UInt8]?
  /// What `Access.revision` came to when the user was added, or the password was changed last.
  public internal(set) var passwordRevision: Int64
  /// In ascending order.
  public internal(set) var roles: [AccessName] = []
  /// What follows from the roles.
  var rights = AccessRights.none

  init(name: AccessName, verifier: [UInt8]?, passwordRevision: Int64) {
    self.name = name
    self.verifier = verifier
    self.passwordRevision = passwordRevision
  }
}

/// A role: permissions by a name.
struct AccessRole: AccessNamed, Sendable {
  let name: AccessName
  /// In ascending order of their starts, then of their ends; one for each range.
  var permissions: [Permission] = []

  init(name: AccessName) { self.name = name }

  /// Where the permission of this range stands in the order, or would.
  func place(of range: KeyRange) -> (index: Int, isFound: Bool) {
    var (low, high) = (0, permissions.count)
    while low < high {
      let middle = low + (high - low) / 2
      let order = AccessRole.order(permissions[middle].range, range)
      if order == 0 { return (middle, true) }
      if order < 0 { low = middle + 1 } else { high = middle }
    }
    return (low, false)
  }

  /// As `ByteOrder.compare`; a single key comes before the ranges that start at it.
  static func order(_ a: KeyRange, _ b: KeyRange) -> Int {
    let byStart = ByteOrder.compare(a.start, b.start)
    return byStart != 0 ? byStart : ByteOrder.compare(a.end ?? [], b.end ?? [])
  }
}

/// What several roles together allow. Made when a role or a user changes, and shared by all users with the same roles; so a request costs
/// a search in what is ready.
final class AccessRights: Sendable {
  let roles: [AccessName]
  /// May do everything that users may do at all.
  let isAdministrator: Bool
  let readable: AccessRanges
  let writable: AccessRanges

  static let none = AccessRights(roles: [], permissions: [])

  init(roles: [AccessName], permissions: [Permission]) {
    self.roles = roles
    isAdministrator = roles.contains(.root)
    readable = AccessRanges(permissions.lazy.filter { $0.kind != .write }.map(\.range))
    writable = AccessRanges(permissions.lazy.filter { $0.kind != .read }.map(\.range))
  }

  /// Each key of the range.
  func checkRead(_ range: KeyRange) throws(AccessError) {
    guard readable.contains(range) else { throw .permissionDenied }
  }

  func checkWrite(_ range: KeyRange) throws(AccessError) {
    guard writable.contains(range) else { throw .permissionDenied }
  }
}
