import KeyValue
import Raft

/// Draws who does what: few users and roles, so that requests meet, and authentication that is turned on sooner or later.
struct AccessDrawer {
  private static let users: [AccessName] = ["root", "anna", "bert", "carl"]
  private static let roles: [AccessName] = ["readers", "writers", "root"]

  private let keys: UInt64
  private let access: Access

  init(keys: UInt64, seeing view: KeyValueView) {
    self.keys = keys
    access = view.access
  }

  /// On whose behalf something is asked.
  static func subject(_ random: inout PseudoRandom) -> Subject {
    switch random.below(12) {
    case 0: .nobody
    case 1: .operator
    default: .user(random.pick(users))
    }
  }

  /// Mostly by the process itself, which may.
  func change(_ random: inout PseudoRandom) -> Request {
    let request = Request.access(accessRequest(&random))
    return random.chance(1, in: 4) ? .onBehalf(of: Self.subject(&random), request) : request
  }

  private func accessRequest(_ random: inout PseudoRandom) -> AccessRequest {
    // The way to an administrator is taken often enough.
    if random.chance(1, in: 3) {
      guard let root = access.user(.root) else { return .addUser(.root, verifier: [1]) }
      if !root.roles.contains(.root) { return .grantRole(.root, toUser: .root) }
      if !access.isEnabled { return .enable }
    }
    let (user, role) = (random.pick(Self.users), random.pick(Self.roles))
    switch random.below(16) {
    case 0: return random.chance(1, in: 2) ? .disable : .enable
    case 1...2: return .addUser(user, verifier: random.chance(1, in: 4) ? nil : [UInt8(random.below(9))])
    case 3: return random.chance(1, in: 3) ? .deleteUser(user) : .changePassword(user, verifier: [UInt8(random.below(9))])
    case 4...6: return .grantRole(role, toUser: user)
    case 7: return .revokeRole(role, fromUser: user)
    case 8: return .addRole(role)
    case 9: return random.chance(1, in: 3) ? .deleteRole(role) : .revokePermission(range(&random), fromRole: role)
    case 10...12: return .grantPermission(Permission(random.pick([.read, .write, .readWrite]), range(&random)), toRole: role)
    case 13: return .revokeToken(digest: digest(&random))
    default:
      let revision = (access.user(user)?.passwordRevision ?? 1) + (random.chance(1, in: 8) ? 1 : 0)
      let time = Int64(random.below(4)) * 20_000
      return .issueToken(TokenGrant(user: user, digest: digest(&random), issuedAt: time, passwordRevision: revision))
    }
  }

  private func range(_ random: inout PseudoRandom) -> KeyRange {
    let key = KeyValueDrawer.key(random.below(keys))
    switch random.below(4) {
    case 0: return .all
    case 1: return KeyRange(key)
    case 2: return KeyRange(prefix: key)
    // One may end before it starts.
    default: return KeyRange(start: key, end: KeyValueDrawer.key(random.below(keys)))
    }
  }

  private func digest(_ random: inout PseudoRandom) -> [UInt8] {
    [UInt8](repeating: UInt8(random.below(6)), count: Limits.tokenDigestBytes)
  }
}
