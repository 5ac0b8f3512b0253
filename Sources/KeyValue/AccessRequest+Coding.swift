import ByteCoding

/// Changes of access as part of a command; see `Docs/Formats.md`.
extension AccessRequest {
  private enum Kind: UInt8 {
    case enable = 1, disable, addUser, deleteUser, changePassword, grantRole, revokeRole, addRole, deleteRole, grantPermission
    case revokePermission, issueToken, revokeToken
  }

  init(from reader: inout ByteReader) throws(MalformedBytes) {
    let kind = try reader.readUInt8()
    switch Kind(rawValue: kind) {
    case .enable: self = .enable
    case .disable: self = .disable
    case .addUser:
      let name = try reader.readAccessName()
      self = .addUser(name, verifier: try reader.readBool() ? Array(try reader.readPrefixed()) : nil)
    case .deleteUser: self = .deleteUser(try reader.readAccessName())
    case .changePassword: self = .changePassword(try reader.readAccessName(), verifier: Array(try reader.readPrefixed()))
    case .grantRole: self = .grantRole(try reader.readAccessName(), toUser: try reader.readAccessName())
    case .revokeRole: self = .revokeRole(try reader.readAccessName(), fromUser: try reader.readAccessName())
    case .addRole: self = .addRole(try reader.readAccessName())
    case .deleteRole: self = .deleteRole(try reader.readAccessName())
    case .grantPermission:
      let role = try reader.readAccessName()
      self = .grantPermission(try Permission(from: &reader), toRole: role)
    case .revokePermission:
      let role = try reader.readAccessName()
      self = .revokePermission(try KeyRange(from: &reader), fromRole: role)
    case .issueToken:
      self = .issueToken(
        TokenGrant(
          user: try reader.readAccessName(), digest: Array(try reader.readPrefixed()), issuedAt: try reader.readInt64(),
          passwordRevision: try reader.readInt64()))
    case .revokeToken: self = .revokeToken(digest: Array(try reader.readPrefixed()))
    case nil: throw MalformedBytes("access: kind \(kind)")
    }
  }

  func write(to writer: inout ByteWriter) {
    switch self {
    case .enable: writer.write(Kind.enable.rawValue)
    case .disable: writer.write(Kind.disable.rawValue)
    case .addUser(let name, let verifier):
      writer.write(Kind.addUser.rawValue)
      writer.write(name)
      writer.write(verifier != nil)
      if let verifier { writer.write(prefixed: verifier) }
    case .deleteUser(let name): writer.write(Kind.deleteUser.rawValue, name)
    case .changePassword(let name, let verifier):
      writer.write(Kind.changePassword.rawValue, name)
      writer.write(prefixed: verifier)
    case .grantRole(let role, let user): writer.write(Kind.grantRole.rawValue, role, user)
    case .revokeRole(let role, let user): writer.write(Kind.revokeRole.rawValue, role, user)
    case .addRole(let name): writer.write(Kind.addRole.rawValue, name)
    case .deleteRole(let name): writer.write(Kind.deleteRole.rawValue, name)
    case .grantPermission(let permission, let role):
      writer.write(Kind.grantPermission.rawValue, role)
      permission.write(to: &writer)
    case .revokePermission(let range, let role):
      writer.write(Kind.revokePermission.rawValue, role)
      range.write(to: &writer)
    case .issueToken(let grant):
      writer.write(Kind.issueToken.rawValue, grant.user)
      writer.write(prefixed: grant.digest)
      writer.write(grant.issuedAt)
      writer.write(grant.passwordRevision)
    case .revokeToken(let digest):
      writer.write(Kind.revokeToken.rawValue)
      writer.write(prefixed: digest)
    }
  }

  var encodedCount: Int {
    switch self {
    case .enable, .disable: 1
    case .addUser(let name, let verifier): 1 + name.encodedCount + 1 + (verifier.map { 4 + $0.count } ?? 0)
    case .deleteUser(let name), .addRole(let name), .deleteRole(let name): 1 + name.encodedCount
    case .changePassword(let name, let verifier): 1 + name.encodedCount + 4 + verifier.count
    case .grantRole(let role, let user), .revokeRole(let role, let user): 1 + role.encodedCount + user.encodedCount
    case .grantPermission(let permission, let role): 1 + role.encodedCount + permission.encodedCount
    case .revokePermission(let range, let role): 1 + role.encodedCount + range.encodedCount
    case .issueToken(let grant): 1 + grant.user.encodedCount + 4 + grant.digest.count + 2 * 8
    case .revokeToken(let digest): 1 + 4 + digest.count
    }
  }
}

extension Subject {
  private enum Kind: UInt8 { case nobody = 0, user, `operator` }

  init(from reader: inout ByteReader) throws(MalformedBytes) {
    switch Kind(rawValue: try reader.readUInt8()) {
    case .nobody: self = .nobody
    case .user: self = .user(try reader.readAccessName())
    case .operator: self = .operator
    case nil: throw MalformedBytes("subject")
    }
  }

  func write(to writer: inout ByteWriter) {
    switch self {
    case .nobody: writer.write(Kind.nobody.rawValue)
    case .user(let name): writer.write(Kind.user.rawValue, name)
    case .operator: writer.write(Kind.operator.rawValue)
    }
  }

  var encodedCount: Int { if case .user(let name) = self { 1 + name.encodedCount } else { 1 } }
}

extension Permission {
  init(from reader: inout ByteReader) throws(MalformedBytes) {
    guard let kind = Kind(rawValue: try reader.readUInt8()) else { throw MalformedBytes("permission: kind") }
    self.init(kind, try KeyRange(from: &reader))
  }

  func write(to writer: inout ByteWriter) {
    writer.write(kind.rawValue)
    range.write(to: &writer)
  }

  var encodedCount: Int { 1 + range.encodedCount }
}

extension AccessName {
  fileprivate var encodedCount: Int { 4 + bytes.count }
}

extension ByteReader {
  mutating func readAccessName() throws(MalformedBytes) -> AccessName {
    guard let name = AccessName(validating: try readPrefixed()) else { throw MalformedBytes("name: UTF-8") }
    return name
  }
}

extension ByteWriter {
  mutating func write(_ name: AccessName) { write(prefixed: name.bytes) }

  fileprivate mutating func write(_ tag: UInt8, _ names: AccessName...) {
    write(tag)
    for name in names { write(name) }
  }
}
