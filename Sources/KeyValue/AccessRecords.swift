import ByteCoding

/// A part of `Access` in a snapshot; see `Docs/Formats.md`.
enum AccessRecord: Sendable {
  /// Behind those of the store.
  enum Kind: UInt8 { case stamp = 16, role, permission, user, token }

  case stamp(AccessStamp)
  case role(AccessName)
  /// Of the role before it.
  case permission(Permission)
  case user(AccessUser)
  case token(AccessTokens.Token)

  func write(to writer: inout ByteWriter) {
    switch self {
    case .stamp(let stamp):
      writer.write(Kind.stamp.rawValue)
      writer.write(stamp.isEnabled)
      writer.write(stamp.revision)
    case .role(let name):
      writer.write(Kind.role.rawValue)
      writer.write(name)
    case .permission(let permission):
      writer.write(Kind.permission.rawValue)
      permission.write(to: &writer)
    case .user(let user):
      writer.write(Kind.user.rawValue)
      writer.write(user.name)
      writer.write(user.passwordRevision)
      writer.write(prefixed: user.verifier ?? [])
      writer.write(UInt16(user.roles.count))
      for role in user.roles { writer.write(role) }
    case .token(let token):
      writer.write(Kind.token.rawValue)
      writer.write(raw: token.digest)
      writer.write(token.issuedAt)
      writer.write(token.user)
    }
  }

  var encodedCount: Int {
    switch self {
    case .stamp: 1 + 1 + 8
    case .role(let name): 1 + 4 + name.bytes.count
    case .permission(let permission): 1 + permission.encodedCount
    case .user(let user):
      1 + 4 + user.name.bytes.count + 8 + 4 + (user.verifier?.count ?? 0) + 2 + user.roles.reduce(0) { $0 + 4 + $1.bytes.count }
    case .token(let token): 1 + token.digest.count + 8 + 4 + token.user.bytes.count
    }
  }
}

/// All parts of an `Access`, one after the other; none if nothing was ever changed.
struct AccessRecords: IteratorProtocol, Sendable {
  private let access: Access
  private let accounts: Accounts
  private var isBegun: Bool
  private var role = 0
  /// Of the role; -1 for the role itself.
  private var permission = -1
  private var user = 0
  private var tokens: AccessTokens.Iterator

  init(of access: Access) {
    self.access = access
    accounts = access.accounts
    tokens = accounts.tokens.makeIterator()
    isBegun = access.isUntouched
  }

  mutating func next() -> AccessRecord? {
    if !isBegun {
      isBegun = true
      return .stamp(access.stamp)
    }
    while role < accounts.roles.count {
      defer { permission += 1 }
      if permission < 0 { return .role(accounts.roles[role].name) }
      if permission < accounts.roles[role].permissions.count { return .permission(accounts.roles[role].permissions[permission]) }
      role += 1
      permission = -2
    }
    if user < accounts.users.count {
      defer { user += 1 }
      return .user(accounts.users[user])
    }
    return tokens.next().map { .token($0) }
  }
}

/// Makes an `Access` of its records. What no requests could have made is refused.
struct AccessRestoration: Sendable {
  private var access = Access()
  private var accounts = Accounts()
  private var isBegun = false
  private var permissions = 0
  private var lastDigest: [UInt8]?

  mutating func add(_ kind: AccessRecord.Kind, _ reader: inout ByteReader) throws(MalformedBytes) {
    guard isBegun == (kind != .stamp) else { throw MalformedBytes("snapshot: access out of order") }
    switch kind {
    case .stamp:
      access.isEnabled = try reader.readBool()
      access.revision = try reader.readInt64()
      guard 1...SnapshotHeader.maximumRevision ~= access.revision else { throw MalformedBytes("snapshot: revision of access") }
      isBegun = true
    case .role: try addRole(&reader)
    case .permission: try addPermission(&reader)
    case .user: try addUser(&reader)
    case .token: try addToken(&reader)
    }
  }

  private mutating func addRole(_ reader: inout ByteReader) throws(MalformedBytes) {
    let name = try reader.readAccessName()
    guard accounts.users.isEmpty, accounts.roles.last.map({ $0.name < name }) ?? true else {
      throw MalformedBytes("snapshot: roles out of order")
    }
    do throws(AccessError) {
      try AccessRequest.addRole(name).validate()
      try accounts.add(AccessRole(name: name))
    } catch { throw MalformedBytes("snapshot: a role: \(error)") }
  }

  private mutating func addPermission(_ reader: inout ByteReader) throws(MalformedBytes) {
    let permission = try Permission(from: &reader)
    guard accounts.users.isEmpty, let role = accounts.roles.indices.last else {
      throw MalformedBytes("snapshot: a permission without a role")
    }
    if let last = accounts.roles[role].permissions.last, AccessRole.order(last.range, permission.range) >= 0 {
      throw MalformedBytes("snapshot: permissions out of order")
    }
    permissions += 1
    guard permissions <= Limits.permissions, accounts.roles[role].permissions.count < Limits.permissionsOfRole,
      (try? permission.validate()) != nil
    else { throw MalformedBytes("snapshot: a permission") }
    accounts.roles[role].permissions.append(permission)
  }

  private mutating func addUser(_ reader: inout ByteReader) throws(MalformedBytes) {
    let name = try reader.readAccessName()
    let passwordRevision = try reader.readInt64()
    let verifier = Array(try reader.readPrefixed())
    var user = AccessUser(name: name, verifier: verifier.isEmpty ? nil : verifier, passwordRevision: passwordRevision)
    for _ in 0..<(try reader.readUInt16()) {
      let role = try reader.readAccessName()
      guard role == .root || accounts.role(role) != nil, user.roles.last.map({ $0 < role }) ?? true else {
        throw MalformedBytes("snapshot: a user's roles")
      }
      user.roles.append(role)
    }
    guard lastDigest == nil, accounts.users.last.map({ $0.name < name }) ?? true, user.roles.count <= Limits.rolesOfUser,
      passwordRevision > 1, passwordRevision <= access.revision
    else { throw MalformedBytes("snapshot: a user") }
    do throws(AccessError) {
      try AccessRequest.addUser(name, verifier: user.verifier).validate()
      try accounts.add(user)
    } catch { throw MalformedBytes("snapshot: a user: \(error)") }
  }

  private mutating func addToken(_ reader: inout ByteReader) throws(MalformedBytes) {
    let digest = Array(try reader.read(count: Limits.tokenDigestBytes))
    let issuedAt = try reader.readInt64()
    let user = try reader.readAccessName()
    guard access.isEnabled, accounts.tokens.count < Limits.tokens, accounts.tokens.count(of: user) < Limits.tokensOfUser,
      AccessTokens.times ~= issuedAt, lastDigest.map({ ByteOrder.compare($0, digest) < 0 }) ?? true, accounts.users.place(of: user).isFound
    else { throw MalformedBytes("snapshot: a token") }
    accounts.tokens.insert(AccessTokens.Token(digest: digest, user: user, issuedAt: issuedAt))
    lastDigest = digest
  }

  consuming func finish() throws(MalformedBytes) -> Access {
    guard isBegun else { return access }
    guard (try? accounts.checkPermissionsInForce()) != nil else { throw MalformedBytes("snapshot: permissions in force") }
    accounts.renewRights(changed: nil)
    access.accounts = accounts
    guard !access.isEnabled || access.user(.root)?.rights.isAdministrator == true else {
      throw MalformedBytes("snapshot: authentication without an administrator")
    }
    return access
  }
}
