@testable import KeyValue

extension Generator {
  /// Of few letters, the least and the greatest byte among them: so bounds meet.
  mutating func smallKey() -> Key { (0..<1 + below(2)).map { _ in [0, 97, 98, 255][below(4)] } }

  mutating func smallRange() -> KeyRange {
    switch below(8) {
    case 0: .all
    case 1: KeyRange(start: smallKey(), end: [0])
    case 2: KeyRange(prefix: smallKey())
    case 3...5: KeyRange(start: smallKey(), end: smallKey())
    default: KeyRange(smallKey())
    }
  }

  mutating func user() -> AccessName { ["root", "anna", "bert", "carl", "nobody-knows"][below(5)] }
  mutating func role() -> AccessName { ["root", "r1", "r2", "r3", "r4", "r5"][below(6)] }

  mutating func subject() -> Subject {
    switch below(20) {
    case 0: .nobody
    case 1: .operator
    default: .user(user())
    }
  }

  mutating func digest() -> [UInt8] { [UInt8](repeating: UInt8(below(8)), count: 32) }

  mutating func verifier() -> [UInt8] { chance(5) ? [UInt8](repeating: 1, count: below(2) * 2000) : [UInt8(below(9)) + 1] }

  mutating func accessRequest(_ access: Access) -> AccessRequest {
    switch below(40) {
    case 0: return chance(30) ? .disable : .enable
    case 1: return .enable
    case 2, 3: return .addUser(chance(4) ? "" : user(), verifier: chance(20) ? nil : verifier())
    case 4: return .deleteUser(user())
    case 5: return .changePassword(user(), verifier: verifier())
    case 6...10: return .grantRole(role(), toUser: user())
    case 11...13: return .revokeRole(role(), fromUser: user())
    case 14...16: return .addRole(chance(4) ? "" : role())
    case 17: return .deleteRole(role())
    case 18...27: return .grantPermission(permission(), toRole: role())
    case 28...30: return .revokePermission(granted(access) ?? smallRange(), fromRole: role())
    case 31: return .revokeToken(digest: digest())
    default:
      let user = user()
      let revision = (access.user(user)?.passwordRevision ?? 1) - (chance(10) ? 1 : 0)
      return .issueToken(
        TokenGrant(user: user, digest: digest(), issuedAt: Int64(below(8)) * 20_000 - (chance(2) ? 20_001 : 0), passwordRevision: revision))
    }
  }

  private mutating func granted(_ access: Access) -> KeyRange? {
    let permissions = (try? access.permissions(of: role(), for: .operator)) ?? []
    return permissions.isEmpty ? nil : permissions[below(permissions.count)].range
  }

  mutating func permission() -> Permission {
    Permission(Permission.Kind(rawValue: UInt8(below(3)))!, chance(2) ? KeyRange(start: [], end: [0]) : smallRange())
  }

  /// What rights are looked up for.
  mutating func accessibleRequest(depth: Int = 0) -> Request {
    switch below(depth == 0 ? 16 : depth < 3 ? 10 : 9) {
    case 0...2:
      return .put(
        PutRequest(
          key: smallKey(), value: [], previous: chance(30), ignoreValue: chance(10), lease: chance(20) ? Int64(1 + below(4)) : 0,
          ignoreLease: chance(10)))
    case 3...5: return .range(RangeRequest(range: smallRange(), limit: Int64(below(3)), countOnly: chance(20)))
    case 6...8: return .delete(DeleteRequest(range: smallRange(), previous: chance(50)))
    case 9, 10, 11:
      return .transaction(
        TransactionRequest(
          comparisons: (0..<below(2)).map { _ in Comparison(range: smallRange(), relation: .equal, operand: .version(0)) },
          success: (0..<below(3)).map { _ in accessibleRequest(depth: depth + 1) },
          failure: (0..<below(3)).map { _ in accessibleRequest(depth: depth + 1) }))
    case 12: return .leaseGrant(LeaseGrantRequest(id: Int64(1 + below(4)), timeToLive: 60))
    case 13: return chance(50) ? .leaseRevoke(Int64(1 + below(4))) : .lease(Int64(1 + below(4)))
    case 14: return chance(70) ? .leases : .compaction(CompactionRequest(revision: Int64(below(50))))
    default: return .settings(StoreSettings())
    }
  }
}

extension KeyValueMachine {
  /// On behalf of somebody, by the way a command takes.
  @discardableResult
  mutating func perform(_ request: Request, for subject: Subject) -> Output { perform(.onBehalf(of: subject, request)) }

  /// Of the process itself.
  @discardableResult
  mutating func change(_ requests: AccessRequest...) -> [Output] { requests.map { perform(.access($0)) } }

  /// With a user for each name; authentication is on, and `root` may do everything.
  static func guarded(_ users: AccessName..., roles: [AccessName: [Permission]] = [:]) -> KeyValueMachine {
    var machine = KeyValueMachine()
    machine.change(.addUser(.root, verifier: [1]), .grantRole(.root, toUser: .root))
    for role in roles.keys.sorted() {
      machine.change(.addRole(role))
      for permission in roles[role] ?? [] { machine.change(.grantPermission(permission, toRole: role)) }
    }
    for user in users {
      machine.change(.addUser(user, verifier: [2]))
      if roles[user] != nil { machine.change(.grantRole(user, toUser: user)) }
    }
    machine.change(.enable)
    return machine
  }
}

extension Permission {
  static func read(_ start: String, _ end: String? = nil) -> Permission { Permission(.read, KeyRange(start, end)) }
  static func write(_ start: String, _ end: String? = nil) -> Permission { Permission(.write, KeyRange(start, end)) }
  static func readWrite(_ start: String, _ end: String? = nil) -> Permission { Permission(.readWrite, KeyRange(start, end)) }
}
