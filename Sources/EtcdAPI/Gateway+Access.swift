import Credentials
import KeyValue

/// Users, roles and permissions: etcd's `Auth` service.
extension Gateway {
  enum AccessCall: String, CaseIterable, Sendable {
    case enable, disable, status
    case addUser = "user/add"
    case getUser = "user/get"
    case listUsers = "user/list"
    case deleteUser = "user/delete"
    case changePassword = "user/changepw"
    case grantRole = "user/grant"
    case revokeRole = "user/revoke"
    case addRole = "role/add"
    case getRole = "role/get"
    case listRoles = "role/list"
    case deleteRole = "role/delete"
    case grantPermission = "role/grant"
    case revokePermission = "role/revoke"
  }

  func administer(
    _ call: AccessCall, _ body: inout RequestReader, _ subject: Subject, _ host: String, _ timeout: Duration
  ) throws(APIError) -> Step {
    let fields = try body.readAccess()
    switch call {
    case .enable: return change(.enable, timeout)
    case .disable: return change(.disable, timeout)
    case .status:
      return look(timeout) { view, writer throws(AccessError) in
        let status = try view.access.status(for: subject)
        writer.field("enabled", status.isEnabled)
        writer.field("authRevision", status.revision)
      }
    case .addUser:
      if fields.hasNoPassword { return change(.addUser(fields.name, verifier: nil), timeout) }
      return .converse(try PasswordConversation(self, .addUser, fields, from: host, timeout: timeout))
    case .changePassword: return .converse(try PasswordConversation(self, .changePassword, fields, from: host, timeout: timeout))
    case .deleteUser: return change(.deleteUser(fields.name), timeout)
    case .getUser:
      return look(timeout) { view, writer throws(AccessError) in
        writer.array("roles", try view.access.roles(of: fields.name, for: subject)) { $0.element(text: $1.text) }
      }
    case .listUsers:
      return look(timeout) { view, writer throws(AccessError) in
        writer.array("users", try view.access.userNames(for: subject)) { $0.element(text: $1.text) }
      }
    // etcd's messages name the user `user` here and `name` there.
    case .grantRole: return change(.grantRole(fields.role, toUser: fields.user), timeout)
    case .revokeRole: return change(.revokeRole(fields.role, fromUser: fields.name), timeout)
    case .addRole: return change(.addRole(fields.name), timeout)
    case .deleteRole: return change(.deleteRole(fields.role), timeout)
    case .getRole:
      return look(timeout) { view, writer throws(AccessError) in
        writer.array("perm", try view.access.permissions(of: fields.role, for: subject)) { writer, permission in
          writer.object { $0.fields(of: permission) }
        }
      }
    case .listRoles:
      return look(timeout) { view, writer throws(AccessError) in
        writer.array("roles", try view.access.roleNames(for: subject)) { $0.element(text: $1.text) }
      }
    case .grantPermission:
      guard let permission = fields.permission else { throw APIError(.invalidArgument, "etcdserver: permission not given") }
      return change(.grantPermission(permission, toRole: fields.name), timeout)
    case .revokePermission: return change(.revokePermission(fields.range, fromRole: fields.role), timeout)
    }
  }

  private func change(_ request: AccessRequest, _ timeout: Duration) -> Step {
    .perform(Task(.access(request), .linearizable, timeout, purpose: .acknowledge))
  }

  private func look(
    _ timeout: Duration, _ write: @escaping @Sendable (KeyValueView, inout JSONWriter) throws(AccessError) -> Void
  ) -> Step {
    .look(
      Look(consistency: .linearizable, timeout: timeout) { gateway, result in
        switch result {
        case .failure(let error): return .error(APIError(error))
        case .success(let view):
          var writer = JSONWriter()
          var fault: AccessError?
          writer.object { body in
            body.header(gateway.service.status, revision: view.revision)
            do throws(AccessError) { try write(view, &body) } catch { fault = error }
          }
          if let fault { return .error(APIError(KeyValueError.access(fault))) }
          return GatewayResponse(status: 200, content: .json, body: ResponseBody(writer.bytes))
        }
      })
  }
}

extension JSONWriter {
  /// `authpb.Permission`; what is zero is left out.
  fileprivate mutating func fields(of permission: Permission) {
    switch permission.kind {
    case .read: break
    case .write: field("permType", text: "WRITE")
    case .readWrite: field("permType", text: "READWRITE")
    }
    field("key", base64: permission.range.start)
    if let end = permission.range.end { field("range_end", base64: end) }
  }
}
