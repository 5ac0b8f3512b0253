import ByteCoding

/// One member of the cluster. Raft counts it by `id` alone; name and addresses are data for people and transports.
public struct Member: Hashable, Sendable {
  public let id: NodeID
  /// Unique in the cluster, chosen by the operator.
  public let name: String
  /// Where its peers reach it, as `host:port`.
  public let peerAddress: String
  /// Where clients reach it, as `host:port`.
  public let clientAddress: String

  public init(id: NodeID, name: String, peerAddress: String, clientAddress: String) {
    self.id = id
    self.name = name
    self.peerAddress = peerAddress
    self.clientAddress = clientAddress
  }
}

/// The members of the cluster: a log entry like any other, in force from the moment it is appended (Raft paper, section 6).
public struct Configuration: Hashable, Sendable {
  /// Most members of a cluster.
  public static let maximumMembers = 16

  /// The voters, ordered by name, so that all nodes encode the same configuration in the same bytes.
  public let voters: [Member]

  public init(voters: [Member]) {
    self.voters = voters.sorted { $0.name < $1.name }
  }

  public func member(_ id: NodeID) -> Member? { voters.first { $0.id == id } }

  /// FNV-1a over the encoding: the cluster's identity, when this is its first configuration.
  public var digest: ClusterID {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in encoded() { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return ClusterID(hash == 0 ? 1 : hash)
  }

  public func encoded() -> [UInt8] {
    var writer = ByteWriter()
    writer.write(Self.formatVersion)
    writer.write(UInt16(voters.count))
    for voter in voters {
      writer.write(voter.id.rawValue)
      writer.write(voter.name)
      writer.write(voter.peerAddress)
      writer.write(voter.clientAddress)
    }
    return writer.bytes
  }

  public init(decoding bytes: Bytes) throws(MalformedBytes) {
    var reader = ByteReader(bytes)
    guard try reader.readUInt8() == Self.formatVersion else { throw MalformedBytes("configuration: unknown version") }
    let count = Int(try reader.readUInt16())
    guard (1...Self.maximumMembers).contains(count) else { throw MalformedBytes("configuration: \(count) voters") }
    var voters: [Member] = []
    for _ in 0..<count {
      voters.append(
        Member(
          id: NodeID(try reader.readUInt64()), name: try reader.readString(),
          peerAddress: try reader.readString(), clientAddress: try reader.readString()))
    }
    try reader.expectEnd()
    self.init(voters: voters)
  }

  private static let formatVersion: UInt8 = 1
}
