import Raft

/// What a request says of one member.
struct MemberFields {
  var id = NodeID(0)
  var name: String?
  var peerAddress: String?
  var clientAddress: String?
  var isLearner = false
  /// The member whose place the new one takes.
  var replaces: NodeID?
}

/// The fields of etcd's messages about members, and those that Coracle adds: `clientURLs`, and in a request to add one `ID`, `name` and
/// `replaces`. A node of Coracle has its identity before it is a member; etcd makes one up when a member is added.
private enum MemberField: String, MessageField {
  case id = "ID"
  case name, peerURLs, clientURLs, isLearner, replaces

  static let names = FieldNames<Self>()
}

private enum TransferField: String, MessageField {
  case targetID

  static let names = FieldNames<Self>()
}

extension RequestReader {
  /// `MemberAddRequest`. It becomes a voter by itself once it has caught up, unless the client wants a learner.
  mutating func readNewMember() throws(APIError) -> Learner {
    let fields = try readFields()
    guard let peerAddress = fields.peerAddress else { throw APIError(.invalidArgument, "etcdserver: peerURLs is not provided") }
    guard fields.id != NodeID(0), let name = fields.name, !name.isEmpty else {
      throw APIError(
        .invalidArgument,
        "coracle: ID and name are not provided: `coracle join` starts a node that has both, and adds it; or look for them in its log")
    }
    guard name.utf8.count <= Self.maximumNameSize, name.utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != 0x2c && $0 != 0x3d }) else {
      throw APIError(
        .invalidArgument,
        "coracle: a name has 1 to \(Self.maximumNameSize) printable ASCII characters, without space, comma and equals sign")
    }
    let member = Member(id: fields.id, name: name, peerAddress: peerAddress, clientAddress: fields.clientAddress ?? "")
    if let replaced = fields.replaces { return Learner(member, .replacing(replaced)) }
    return Learner(member, fields.isLearner ? .onRequest : .whenCaughtUp)
  }

  /// `MemberRemoveRequest`, `MemberPromoteRequest`, `MemberUpdateRequest`.
  mutating func readMember() throws(APIError) -> MemberFields {
    let fields = try readFields()
    guard fields.id != NodeID(0) else { throw APIError(.notFound, "etcdserver: member not found") }
    return fields
  }

  /// `MoveLeaderRequest`; without a target, the best one is chosen, which etcd does not do.
  mutating func readTransferTarget() throws(APIError) -> NodeID? {
    var message = try json.openBody(TransferField.self)
    var target: NodeID?
    while try json.next(&message) != nil { target = NodeID(try json.readUnsigned()) }
    try json.closeBody()
    return target == NodeID(0) ? nil : target
  }

  private mutating func readFields() throws(APIError) -> MemberFields {
    var message = try json.openBody(MemberField.self)
    var fields = MemberFields()
    while let field = try json.next(&message) {
      switch field {
      case .id: fields.id = NodeID(try json.readUnsigned())
      case .name: fields.name = try json.readText()
      case .peerURLs: fields.peerAddress = try readAddress()
      case .clientURLs: fields.clientAddress = try readAddress()
      case .isLearner: fields.isLearner = try json.readFlag()
      case .replaces: fields.replaces = NodeID(try json.readUnsigned())
      }
    }
    try json.closeBody()
    return fields
  }

  /// A list of URLs, of which a member has one here.
  private mutating func readAddress() throws(APIError) -> String? {
    var address: String?
    var list = try json.openList()
    while try json.next(&list) {
      let url = try json.readText()
      guard address == nil else { throw APIError(.invalidArgument, "coracle: a member has one address of each kind, so give one URL") }
      guard let scheme = ["http://", "https://"].first(where: url.hasPrefix),
        let text = Self.hostAndPort(String(url.dropFirst(scheme.count)))
      else {
        throw APIError(.invalidArgument, "coracle: \(url) is no URL of a member: write http://host:port or https://host:port")
      }
      address = text
    }
    return address
  }

  /// As a node's own name.
  private static var maximumNameSize: Int { 64 }

  /// The text, if it is a host and a port; an IPv6 address stands in brackets.
  private static func hostAndPort(_ text: String) -> String? {
    guard let colon = text.lastIndex(of: ":"), colon > text.startIndex else { return nil }
    let (host, digits) = (text[..<colon], text[text.index(after: colon)...])
    guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits), port > 0 else { return nil }
    let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
    let name = isBracketed ? host.dropFirst().dropLast() : host
    let isPlain = name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
      case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): true
      case UInt8(ascii: ":"), UInt8(ascii: "%"): isBracketed
      default: false
      }
    }
    return isPlain && !name.isEmpty ? text : nil
  }
}
