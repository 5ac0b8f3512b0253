import ByteCoding
import Raft

/// Who this data directory is: the first file written, before there is a log.
public struct IdentityRecord: Hashable, Sendable {
  /// How far the node has come in forming a cluster.
  public enum Phase: Hashable, Sendable {
    /// It belongs to no cluster.
    case undecided
    /// It has agreed to form this cluster and no other.
    case voted(Configuration)
    /// It belongs to this cluster, which formed without it, and has got nothing of its log yet.
    case joined(Configuration)
    /// It is a member of the cluster that began with this configuration; its log exists.
    case formed(Configuration)
  }

  /// Most bytes of the encoded record.
  public static let maximumSize = 64 << 10

  public let node: NodeID
  /// Unique in the cluster, chosen by the operator.
  public let name: String
  public let phase: Phase
  /// The cluster that it has agreed to, or belongs to. Kept, since every frame names it.
  public let cluster: ClusterID?

  public init(node: NodeID, name: String, phase: Phase) {
    self.node = node
    self.name = name
    self.phase = phase
    cluster =
      switch phase {
      case .undecided: nil
      case .voted(let configuration), .joined(let configuration), .formed(let configuration): configuration.digest
      }
  }

  static let file = "identity"
  static let temporaryFile = "identity.part"

  /// The record in `disk`, whose files are `names`; nil when there is none.
  static func read<D: Disk>(_ disk: D, names: [String]) throws(StorageError) -> IdentityRecord? {
    guard names.contains(file) else { return nil }
    let bytes = try onDisk { () throws(DiskError) in
      let file = try disk.open(Self.file, create: false)
      defer { disk.close(file) }
      return try disk.read(file, offset: 0, count: maximumSize + 1)
    }
    return try IdentityRecord(decoding: bytes)
  }

  func encoded() -> [UInt8] {
    var writer = ByteWriter()
    FileHeader.write(.identity, node: node, cluster: cluster?.rawValue ?? 0, into: &writer)
    writer.write(name)
    switch phase {
    case .undecided:
      writer.write(UInt8(0))
      writer.write(prefixed: [])
    case .voted(let configuration):
      writer.write(UInt8(1))
      writer.write(prefixed: configuration.encoded())
    case .formed(let configuration):
      writer.write(UInt8(2))
      writer.write(prefixed: configuration.encoded())
    case .joined(let configuration):
      writer.write(UInt8(3))
      writer.write(prefixed: configuration.encoded())
    }
    writer.write(CRC32C.checksum(writer.bytes))
    return writer.bytes
  }

  init(decoding bytes: [UInt8]) throws(StorageError) {
    var reader = ByteReader(bytes.dropLast(4))
    let header = try FileHeader.read(.identity, of: Self.file, from: &reader)
    let record = try decoding(Self.file, at: FileHeader.size) { () throws(MalformedBytes) in
      var trailer = ByteReader(bytes.suffix(4))
      guard bytes.count <= Self.maximumSize, try trailer.readUInt32() == CRC32C.checksum(bytes.dropLast(4)) else {
        throw MalformedBytes("identity: checksum does not match")
      }
      let name = try reader.readString()
      let phase = try Self.readPhase(from: &reader)
      try reader.expectEnd()
      return IdentityRecord(node: header.node, name: name, phase: phase)
    }
    guard header.cluster == record.cluster?.rawValue ?? 0 else {
      throw .damaged(file: Self.file, offset: 12, what: "its cluster is not the one of its configuration")
    }
    self = record
  }

  private static func readPhase(from reader: inout ByteReader) throws(MalformedBytes) -> Phase {
    let phase = try reader.readUInt8()
    let configuration = try reader.readPrefixed()
    switch phase {
    case 0 where configuration.isEmpty: return .undecided
    case 1: return .voted(try Configuration(decoding: configuration))
    case 2: return .formed(try Configuration(decoding: configuration))
    case 3: return .joined(try Configuration(decoding: configuration))
    default: throw MalformedBytes("identity: phase \(phase)")
    }
  }
}
