import ByteCoding
import Raft

/// The wire form of consensus messages: the term, and then what the kind asks for.
extension Message {
  var kind: FrameKind {
    switch body {
    case .preVoteRequest: .preVoteRequest
    case .preVoteResponse: .preVoteResponse
    case .voteRequest: .voteRequest
    case .voteResponse: .voteResponse
    case .append: .append
    case .appendAccepted: .appendAccepted
    case .appendRejected: .appendRejected
    case .heartbeat: .heartbeat
    case .heartbeatResponse: .heartbeatResponse
    case .commit: .commit
    case .snapshotBlock: .snapshotBlock
    case .snapshotProgress: .snapshotProgress
    case .readRequest: .readRequest
    case .readResponse: .readResponse
    case .proposals: .proposals
    case .proposalsRefused: .proposalsRefused
    case .outdated: .outdated
    case .timeoutNow: .timeoutNow
    case .transferVoteRequest: .transferVoteRequest
    case .removed: .removed
    }
  }

  /// Bytes of what may be long in it.
  var longPartSize: Int {
    switch body {
    case .append(_, let entries, _): entries.reduce(0) { $0 + $1.record.count }
    case .snapshotBlock(_, _, let block, _, _): block.count
    case .proposals(_, _, let payloads): payloads.reduce(0) { $0 + 4 + $1.count }
    default: 0
    }
  }

  func encode(into writer: inout ByteWriter) {
    writer.write(term)
    switch body {
    case .preVoteRequest(let last), .voteRequest(let last), .transferVoteRequest(let last): writer.write(last)
    case .preVoteResponse(let granted), .voteResponse(let granted): writer.write(granted)
    case .append(let previous, let entries, let commit):
      writer.write(previous)
      writer.write(commit)
      writer.write(UInt32(entries.count))
      for entry in entries { writer.write(raw: entry.record) }
    case .appendAccepted(let index), .commit(let index): writer.write(index)
    case .appendRejected(let previous, let hint):
      writer.write(previous)
      writer.write(hint)
    case .heartbeat(let round, let commit, let confirmed): writer.write([round, commit, confirmed])
    case .heartbeatResponse(let round, let confirmed, let received, let match):
      writer.write([round, confirmed, received, match])
    case .snapshotBlock(let descriptor, let number, let block, let last, let file):
      descriptor.encode(into: &writer)
      file.encode(into: &writer)
      writer.write(UInt32(number))
      writer.write(last)
      writer.write(prefixed: block)
    case .snapshotProgress(let position, let next):
      writer.write(position)
      writer.write(UInt32(next))
    case .readRequest(let id): writer.write(id)
    case .readResponse(let id, let index): writer.write([id, index])
    case .proposals(let stream, let sequence, let payloads):
      writer.write([stream, sequence])
      writer.write(UInt32(payloads.count))
      for payload in payloads { writer.write(prefixed: payload) }
    case .proposalsRefused(let stream, let sequence): writer.write([stream, sequence])
    case .outdated, .timeoutNow, .removed: break
    }
  }

  init(kind: FrameKind, from: NodeID, to: NodeID, reader: inout ByteReader) throws(MalformedBytes) {
    let term = try reader.readUInt64()
    self.init(from: from, to: to, term: term, body: try Self.body(kind: kind, from: &reader))
  }

  static func body(kind: FrameKind, from reader: inout ByteReader) throws(MalformedBytes) -> Body {
    switch kind {
    case .preVoteRequest: return .preVoteRequest(last: try reader.readPosition())
    case .preVoteResponse: return .preVoteResponse(granted: try reader.readBool())
    case .voteRequest: return .voteRequest(last: try reader.readPosition())
    case .voteResponse: return .voteResponse(granted: try reader.readBool())
    case .append: return try append(from: &reader)
    case .appendAccepted: return .appendAccepted(match: try reader.readUInt64())
    case .appendRejected: return .appendRejected(previous: try reader.readUInt64(), hint: try reader.readPosition())
    case .heartbeat:
      return .heartbeat(round: try reader.readUInt64(), commit: try reader.readUInt64(), confirmed: try reader.readUInt64())
    case .heartbeatResponse:
      return .heartbeatResponse(
        round: try reader.readUInt64(), confirmed: try reader.readUInt64(), received: try reader.readUInt64(),
        match: try reader.readUInt64())
    case .commit: return .commit(try reader.readUInt64())
    case .snapshotBlock: return try snapshotBlock(from: &reader)
    case .snapshotProgress: return .snapshotProgress(try reader.readPosition(), next: Int(try reader.readUInt32()))
    case .readRequest: return .readRequest(try reader.readUInt64())
    case .readResponse: return .readResponse(try reader.readUInt64(), index: try reader.readUInt64())
    case .proposals: return try proposals(from: &reader)
    case .proposalsRefused: return .proposalsRefused(stream: try reader.readUInt64(), sequence: try reader.readUInt64())
    case .outdated: return .outdated
    case .timeoutNow: return .timeoutNow
    case .transferVoteRequest: return .transferVoteRequest(last: try reader.readPosition())
    case .removed: return .removed
    case .bootstrap, .wrongCluster, .greeting, .introduction, .questions, .answers:
      throw MalformedBytes("frame: \(kind) is no consensus message")
    }
  }

  private static func append(from reader: inout ByteReader) throws(MalformedBytes) -> Body {
    let previous = try reader.readPosition()
    let commit = try reader.readUInt64()
    let count = try reader.readCount(elementSize: Entry.headerSize)
    var entries: [Entry] = []
    entries.reserveCapacity(count)
    for _ in 0..<count { entries.append(try Entry(from: &reader)) }
    return .append(previous: previous, entries: entries, commit: commit)
  }

  private static func snapshotBlock(from reader: inout ByteReader) throws(MalformedBytes) -> Body {
    let descriptor = try SnapshotDescriptor(from: &reader)
    let file = try SnapshotFingerprint(from: &reader)
    let number = Int(try reader.readUInt32())
    let last = try reader.readBool()
    let block = try reader.readPrefixed()
    guard block.count <= SnapshotBlockSize.maximum else { throw MalformedBytes("snapshot block: \(block.count) bytes") }
    return .snapshotBlock(descriptor, number: number, block: block, last: last, file: file)
  }

  private static func proposals(from reader: inout ByteReader) throws(MalformedBytes) -> Body {
    let stream = try reader.readUInt64()
    let sequence = try reader.readUInt64()
    let count = try reader.readCount(elementSize: 4)
    var payloads: [Bytes] = []
    payloads.reserveCapacity(count)
    for _ in 0..<count {
      let payload = try reader.readPrefixed()
      guard payload.count <= Entry.maximumPayloadSize else { throw MalformedBytes("proposal: \(payload.count) bytes") }
      payloads.append(payload)
    }
    return .proposals(stream: stream, sequence: sequence, payloads)
  }
}

extension ByteWriter {
  mutating func write(_ position: LogPosition) {
    write(position.index)
    write(position.term)
  }

  mutating func write(_ integers: [UInt64]) {
    for integer in integers { write(integer) }
  }
}

extension ByteReader {
  mutating func readPosition() throws(MalformedBytes) -> LogPosition {
    LogPosition(index: try readUInt64(), term: try readUInt64())
  }

  /// A number of elements that can be there: each takes at least `elementSize` bytes.
  mutating func readCount(elementSize: Int) throws(MalformedBytes) -> Int {
    let count = Int(try readUInt32())
    guard count <= remaining / elementSize else { throw MalformedBytes("count: \(count) elements in \(remaining) bytes") }
    return count
  }
}
