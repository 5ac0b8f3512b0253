import ByteCoding

/// The bytes of a configuration, in log entries, snapshots, messages and the identity record.
///
/// Version 1 has voters and nothing else, and is what a configuration of voters alone is written as: so the first one of a cluster, whose
/// digest names it, has the same bytes in every release. Version 2 has a role for each member, and the identities that left.
extension Configuration {
  private enum Role {
    static let voter: UInt8 = 1
    static let outgoing: UInt8 = 2
    static let learner: UInt8 = 4
    /// Added for a learner: when it becomes a voter.
    static let whenCaughtUp: UInt8 = 8
    static let replacing: UInt8 = 16
  }

  public func encoded() -> [UInt8] {
    var writer = ByteWriter()
    let isPlain = outgoing.isEmpty && learners.isEmpty && removed.isEmpty
    writer.write(isPlain ? 1 as UInt8 : 2)
    let members = members
    writer.write(UInt16(members.count))
    for member in members {
      writer.write(member.id.rawValue)
      writer.write(member.name)
      writer.write(member.peerAddress)
      writer.write(member.clientAddress)
      if !isPlain { encodeRole(of: member.id, into: &writer) }
    }
    guard !isPlain else { return writer.bytes }
    writer.write(UInt16(removed.count))
    for id in removed { writer.write(id.rawValue) }
    return writer.bytes
  }

  private func encodeRole(of id: NodeID, into writer: inout ByteWriter) {
    switch learners.first(where: { $0.member.id == id })?.promotion {
    case nil: writer.write((voterIDs.contains(id) ? Role.voter : 0) | (outgoingIDs.contains(id) ? Role.outgoing : 0))
    case .onRequest: writer.write(Role.learner)
    case .whenCaughtUp: writer.write(Role.learner | Role.whenCaughtUp)
    case .replacing(let old):
      writer.write(Role.learner | Role.replacing)
      writer.write(old.rawValue)
    }
  }

  public init(decoding bytes: Bytes) throws(MalformedBytes) {
    var reader = ByteReader(bytes)
    let version = try reader.readUInt8()
    guard version == 1 || version == 2 else { throw MalformedBytes("configuration: version \(version)") }
    let count = Int(try reader.readUInt16())
    guard (1...Self.maximumMembers).contains(count) else { throw MalformedBytes("configuration: \(count) members") }
    var (voters, outgoing, learners): ([Member], [Member], [Learner]) = ([], [], [])
    var ids: [NodeID] = []
    for _ in 0..<count {
      let member = Member(
        id: NodeID(try reader.readUInt64()), name: try reader.readString(),
        peerAddress: try reader.readString(), clientAddress: try reader.readString())
      guard !ids.contains(member.id) else { throw MalformedBytes("configuration: node \(member.id) is named twice") }
      ids.append(member.id)
      let role = version == 1 ? Role.voter : try reader.readUInt8()
      switch role {
      case Role.learner: learners.append(Learner(member, .onRequest))
      case Role.learner | Role.whenCaughtUp: learners.append(Learner(member, .whenCaughtUp))
      case Role.learner | Role.replacing: learners.append(Learner(member, .replacing(NodeID(try reader.readUInt64()))))
      case 1...3:
        if role & Role.voter != 0 { voters.append(member) }
        if role & Role.outgoing != 0 { outgoing.append(member) }
      default: throw MalformedBytes("configuration: unknown role \(role)")
      }
    }
    guard !voters.isEmpty else { throw MalformedBytes("configuration: no voters") }
    let removed = version == 1 ? [] : try Self.readRemoved(from: &reader)
    guard removed.allSatisfy({ !ids.contains($0) }) else { throw MalformedBytes("configuration: a member that left") }
    try reader.expectEnd()
    self.init(voters: voters, outgoing: outgoing, learners: learners, removed: removed)
  }

  private static func readRemoved(from reader: inout ByteReader) throws(MalformedBytes) -> [NodeID] {
    let count = Int(try reader.readUInt16())
    guard count <= maximumRemoved else { throw MalformedBytes("configuration: \(count) that left") }
    var removed: [NodeID] = []
    for _ in 0..<count { removed.append(NodeID(try reader.readUInt64())) }
    return removed
  }
}
