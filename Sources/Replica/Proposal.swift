import ByteCoding
import Raft

/// A command with the request that it belongs to, as log entries carry it: wherever it is applied, its proposer recognises it and can
/// answer.
///
/// Bytes: proposing node (8), request (8), command.
package struct Proposal: Sendable {
  static let headerSize = 16
  /// The request of what a leader proposes by itself: nobody waits for the answer.
  package static let unasked: RequestID = 0

  package let origin: NodeID
  package let request: RequestID
  package let command: Bytes

  package init(origin: NodeID, request: RequestID, command: Bytes) {
    self.origin = origin
    self.request = request
    self.command = command
  }

  package init(decoding payload: Bytes) throws(MalformedBytes) {
    var reader = ByteReader(payload)
    origin = NodeID(try reader.readUInt64())
    request = try reader.readUInt64()
    command = try reader.read(count: reader.remaining)
  }

  package func encoded() -> Bytes {
    var writer = ByteWriter(capacity: Self.headerSize + command.count)
    writer.write(origin.rawValue)
    writer.write(request)
    writer.write(raw: command)
    return writer.slice
  }
}
