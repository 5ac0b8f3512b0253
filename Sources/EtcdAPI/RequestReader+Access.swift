import KeyValue

private enum AccessField: String, MessageField {
  case name, password, options, user, role, perm, key
  case rangeEnd = "range_end"

  static let names = FieldNames<Self>()
}

private enum UserOptionsField: String, MessageField {
  case noPassword = "no_password"

  static let names = FieldNames<Self>()
}

private enum PermissionField: String, MessageField {
  case permType, key
  case rangeEnd = "range_end"

  static let names = FieldNames<Self>()
}

extension Permission.Kind: WireNamed {
  static let wireNames: [(name: String, value: Self)] = [("READ", .read), ("WRITE", .write), ("READWRITE", .readWrite)]
}

/// What etcd's messages about users and roles have between them.
struct AccessFields: Sendable {
  var name = AccessName("")
  var user = AccessName("")
  var role = AccessName("")
  var password = ""
  var hasNoPassword = false
  var permission: Permission?
  /// Of a permission that is to be revoked.
  var range = KeyRange([])
}

extension RequestReader {
  mutating func readAccess() throws(APIError) -> AccessFields {
    var message = try json.openBody(AccessField.self)
    var fields = AccessFields()
    var (start, end): (Key, Key) = ([], [])
    while let field = try json.next(&message) {
      switch field {
      case .name: fields.name = AccessName(try json.readText())
      case .user: fields.user = AccessName(try json.readText())
      case .role: fields.role = AccessName(try json.readText())
      case .password: fields.password = try json.readText()
      case .options: fields.hasNoPassword = try readOptions(try json.openMessage())
      case .perm: fields.permission = try readPermission(try json.openMessage())
      case .key: start = try json.readBytes()
      case .rangeEnd: end = try json.readBytes()
      }
    }
    try json.closeBody()
    fields.range = Self.range(start, end)
    return fields
  }

  private mutating func readOptions(_ message: JSONReader.Message<UserOptionsField>) throws(APIError) -> Bool {
    var message = message
    var hasNoPassword = false
    while let field = try json.next(&message) {
      switch field {
      case .noPassword: hasNoPassword = try json.readFlag()
      }
    }
    return hasNoPassword
  }

  private mutating func readPermission(_ message: JSONReader.Message<PermissionField>) throws(APIError) -> Permission {
    var message = message
    var (start, end): (Key, Key) = ([], [])
    var kind = Permission.Kind.read
    while let field = try json.next(&message) {
      switch field {
      case .permType:
        guard let known: Permission.Kind = try json.readChoice() else { throw APIError(.invalidArgument, "unknown kind of permission") }
        kind = known
      case .key: start = try json.readBytes()
      case .rangeEnd: end = try json.readBytes()
      }
    }
    return Permission(kind, Self.range(start, end))
  }

  /// A range from the empty key on is written so by etcd's clients: from the first key there can be.
  private static func range(_ start: Key, _ end: Key) -> KeyRange {
    KeyRange(start: start.isEmpty && !end.isEmpty ? [0] : start, end: end)
  }
}
