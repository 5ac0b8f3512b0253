import ByteCoding
import Raft

/// What one node sends another, whole: it says by itself which cluster and which nodes it is between, so that connections carry no state.
///
/// Bytes: CRC-32C of all that follows (4), format version (1), kind (1), cluster (8), sender (8), receiver (8), body.
package struct Frame: Equatable, Sendable {
  package enum Body: Equatable, Sendable {
    case message(Message)
    case bootstrap(BootstrapMessage)
    /// The sender is of another cluster, and wants no part of this.
    case wrongCluster
    /// Says who sends what will follow. The first on each connection to a member, so that the receiver knows whose the large ones are.
    case greeting
  }

  /// Before the cluster is formed there is none.
  package let cluster: ClusterID?
  package let from: NodeID
  /// Bootstrap messages have no receiver: they go to an address.
  package let to: NodeID?
  package let body: Body

  static let formatVersion: UInt8 = 1

  package func encoded() -> [UInt8] {
    var writer = ByteWriter(capacity: room)
    writer.write(UInt32(0))
    writer.write(Self.formatVersion)
    writer.write(kind)
    writer.write(cluster?.rawValue ?? 0)
    writer.write(from.rawValue)
    writer.write(to?.rawValue ?? 0)
    switch body {
    case .message(let message): message.encode(into: &writer)
    case .bootstrap(let bootstrap): bootstrap.encode(into: &writer)
    case .wrongCluster, .greeting: break
    }
    writer.patch(checksum(of: writer.slice.dropFirst(4)), at: 0)
    return writer.bytes
  }

  /// Of `bytes`, the encoded frame: entries stand at its end.
  private func checksum(of bytes: Bytes) -> UInt32 {
    guard case .message(let message) = body, case .append(_, let entries, _) = message.body else { return CRC32C.checksum(bytes) }
    return entries.reduce(CRC32C.checksum(bytes.dropLast(message.longPartSize))) { $1.checksum(after: $0) }
  }

  /// About as many bytes as it takes; exactly, where there may be many.
  private var room: Int {
    guard case .message(let message) = body else { return 256 }
    return 96 + message.longPartSize
  }

  package init(cluster: ClusterID?, from: NodeID, to: NodeID?, body: Body) {
    self.cluster = cluster
    self.from = from
    self.to = to
    self.body = body
  }

  package init(decoding bytes: Bytes) throws(MalformedBytes) {
    var reader = ByteReader(bytes)
    guard try reader.readUInt32() == CRC32C.checksum(bytes.dropFirst(4)) else { throw MalformedBytes("frame: checksum does not match") }
    let version = try reader.readUInt8()
    guard version == Self.formatVersion else { throw MalformedBytes("frame: version \(version), this node speaks \(Self.formatVersion)") }
    let kind = try reader.readUInt8()
    let cluster = try reader.readUInt64()
    let from = NodeID(try reader.readUInt64())
    let to = NodeID(try reader.readUInt64())
    guard from.rawValue != 0 else { throw MalformedBytes("frame: no sender") }
    let body: Body
    switch kind {
    case 1: body = .bootstrap(try BootstrapMessage(from: &reader))
    case 2: body = .wrongCluster
    case 3: body = .greeting
    default: body = .message(try Message(kind: kind, from: from, to: to, reader: &reader))
    }
    try reader.expectEnd()
    self.init(
      cluster: cluster == 0 ? nil : ClusterID(cluster), from: from, to: to.rawValue == 0 ? nil : to, body: body)
  }

  private var kind: UInt8 {
    switch body {
    case .bootstrap: 1
    case .wrongCluster: 2
    case .greeting: 3
    case .message(let message): message.kind
    }
  }
}
