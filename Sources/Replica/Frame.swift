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
    /// Where the sender is reached, and what it knows of others.
    case introduction(Introduction)
    /// Of the sender's clients, to the leader.
    case questions(QuestionFrame)
    /// The leader's, under the number of the questions.
    case answers(QuestionFrame)
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
    writer.write(kind.rawValue)
    writer.write(cluster?.rawValue ?? 0)
    writer.write(from.rawValue)
    writer.write(to?.rawValue ?? 0)
    switch body {
    case .message(let message): message.encode(into: &writer)
    case .bootstrap(let bootstrap): bootstrap.encode(into: &writer)
    case .introduction(let introduction): introduction.encode(into: &writer)
    case .questions(let frame), .answers(let frame): frame.encode(into: &writer)
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
    let header = try Header(from: &reader)
    guard header.from.rawValue != 0 else { throw MalformedBytes("frame: no sender") }
    let body: Body
    switch header.kind {
    case .bootstrap: body = .bootstrap(try BootstrapMessage(from: &reader))
    case .wrongCluster: body = .wrongCluster
    case .greeting: body = .greeting
    case .introduction: body = .introduction(try Introduction(from: &reader))
    case .questions: body = .questions(try QuestionFrame(from: &reader))
    case .answers: body = .answers(try QuestionFrame(from: &reader))
    default: body = .message(try Message(kind: header.kind, from: header.from, to: header.to, reader: &reader))
    }
    try reader.expectEnd()
    self.init(
      cluster: header.cluster == 0 ? nil : ClusterID(header.cluster), from: header.from, to: header.to.rawValue == 0 ? nil : header.to,
      body: body)
  }

  var kind: FrameKind {
    switch body {
    case .bootstrap: .bootstrap
    case .wrongCluster: .wrongCluster
    case .greeting: .greeting
    case .introduction: .introduction
    case .questions: .questions
    case .answers: .answers
    case .message(let message): message.kind
    }
  }

  /// What stands between the checksum and the body.
  struct Header {
    let kind: FrameKind
    /// 0 for none.
    let cluster: UInt64
    let from: NodeID
    /// 0 for none.
    let to: NodeID

    init(from reader: inout ByteReader) throws(MalformedBytes) {
      let version = try reader.readUInt8()
      guard version == Frame.formatVersion else {
        throw MalformedBytes("frame: version \(version), this node speaks \(Frame.formatVersion)")
      }
      let number = try reader.readUInt8()
      guard let kind = FrameKind(rawValue: number) else { throw MalformedBytes("frame: unknown kind \(number)") }
      self.kind = kind
      cluster = try reader.readUInt64()
      from = NodeID(try reader.readUInt64())
      to = NodeID(try reader.readUInt64())
    }
  }

  /// Who sent a whole frame, as it says; `nil` for what is none.
  package static func sender(of frame: [UInt8]) -> NodeID? { (try? open(frame))?.header.from }

  /// The header of a whole frame, whose checksum is not looked at, and its body, which is not read yet.
  static func open(_ frame: [UInt8]) throws(MalformedBytes) -> (header: Header, body: ByteReader) {
    var reader = ByteReader(frame[...])
    _ = try reader.readUInt32()
    return (try Header(from: &reader), reader)
  }
}
