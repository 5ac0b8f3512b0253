import ByteCoding
import Raft

/// Whose files these are.
public struct StorageIdentity: Hashable, Sendable {
  public let node: NodeID
  public let cluster: ClusterID

  public init(node: NodeID, cluster: ClusterID) {
    self.node = node
    self.cluster = cluster
  }
}

/// How every file begins: magic (8), format version (4), cluster (8), node (8).
enum FileHeader {
  static let size = 28

  enum Kind: String {
    case segment = "CoracleL"
    case vote = "CoracleV"
    case identity = "CoracleI"
    case snapshot = "CoracleS"

    /// The format versions that are read; the last is the one that is written.
    var versions: ClosedRange<UInt32> { self == .segment ? 1...2 : 1...1 }
  }

  static func write(_ kind: Kind, node: NodeID, cluster: UInt64, into writer: inout ByteWriter) {
    writer.write(raw: kind.rawValue.utf8)
    writer.write(kind.versions.upperBound)
    writer.write(cluster)
    writer.write(node.rawValue)
  }

  static func write(_ kind: Kind, _ identity: StorageIdentity, into writer: inout ByteWriter) {
    write(kind, node: identity.node, cluster: identity.cluster.rawValue, into: &writer)
  }

  /// Magic and version, then cluster and node as they stand there. Both come first in every version.
  static func read(_ kind: Kind, of file: String, from reader: inout ByteReader) throws(StorageError) -> (cluster: UInt64, node: NodeID) {
    var header = reader
    let magic = try decoding(file, at: 0) { () throws(MalformedBytes) in try header.read(count: 8) }
    guard magic.elementsEqual(kind.rawValue.utf8) else {
      throw .damaged(file: file, offset: 0, what: "it does not begin with \(kind.rawValue)")
    }
    let version = try decoding(file, at: 8) { () throws(MalformedBytes) in try header.readUInt32() }
    guard kind.versions.contains(version) else { throw .unsupportedVersion(file: file, version: version) }
    let (cluster, node) = try decoding(file, at: 12) { () throws(MalformedBytes) in (try header.readUInt64(), try header.readUInt64()) }
    reader = header
    return (cluster, NodeID(node))
  }

  /// The format version of a file that begins with these bytes; 0 if they are too few.
  static func version(of bytes: Bytes) -> UInt32 {
    var reader = ByteReader(bytes.dropFirst(8))
    return (try? reader.readUInt32()) ?? 0
  }

  /// Refuses what another node or cluster wrote. To be asked once the checksum is known to hold.
  static func check(_ found: (cluster: UInt64, node: NodeID), is identity: StorageIdentity, in file: String) throws(StorageError) {
    guard found.cluster == identity.cluster.rawValue else {
      throw .foreign(file: file, what: "it is of cluster \(ClusterID(found.cluster)), and this is \(identity.cluster)")
    }
    guard found.node == identity.node else {
      throw .foreign(file: file, what: "it is of node \(found.node), and this is \(identity.node)")
    }
  }
}

/// Names that end in sixteen hexadecimal digits, so that they sort by number.
enum NumberedName {
  static func make(_ prefix: String, _ number: UInt64) -> String { prefix + NodeID(number).description }

  /// The number, if `name` is exactly what `make` gives for one.
  static func parse(_ name: String, prefix: String) -> UInt64? {
    guard name.hasPrefix(prefix), let number = UInt64(name.dropFirst(prefix.count), radix: 16), make(prefix, number) == name else {
      return nil
    }
    return number
  }

  /// The numbers of all such names, ascending.
  static func parse(_ names: [String], prefix: String) -> [UInt64] {
    names.compactMap { parse($0, prefix: prefix) }.sorted()
  }
}
