/// Who sends a request, as far as the connection shows it.
public enum Caller: Hashable, Sendable {
  /// In plain text: whoever reaches the port.
  case anyone
  /// Over TLS, without a certificate.
  case stranger
  /// A node of this cluster, or one that is to become one.
  case node(UInt64)
  /// A client by the name in its certificate.
  case client(String)
}

extension Caller {
  var isNode: Bool { if case .node = self { true } else { false } }
}

/// What a caller must be to be heard.
enum Clearance {
  /// Nothing: it says nothing about the store, or carries its own proof.
  case none
  /// A client that is known, or a member.
  case known
  /// That, or a node that is to become a member, as far as it concerns itself.
  case joining

  init(_ route: Route) {
    switch route {
    case .unknown, .information, .administration(.join), .call(.authenticate): self = .none
    case .call(.memberList), .call(.memberAdd): self = .joining
    case .call, .administration: self = .known
    }
  }

  /// Throws what the caller is told.
  func check(_ caller: Caller, isMember: (UInt64) -> Bool, isFormer: (UInt64) -> Bool) throws(APIError) {
    guard self != .none else { return }
    switch caller {
    case .anyone, .client: return
    case .stranger:
      throw APIError(
        .unauthenticated,
        "coracle: show a client certificate of this cluster; `coracle client-cert NAME` on one of its servers makes one")
    case .node(let id):
      guard !isFormer(id) else { throw .formerMember }
      guard isMember(id) || self == .joining else {
        throw APIError(.permissionDenied, "coracle: this node is no member of the cluster yet")
      }
    }
  }
}

extension APIError {
  static let formerMember = APIError(.permissionDenied, "coracle: this node was removed from the cluster; its certificate is void")
}
