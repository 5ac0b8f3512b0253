import ByteCoding
import Raft

/// The wire form of consensus messages: the term, and then what the kind asks for. Kinds below 16 are not consensus messages.
extension Message {
  var kind: UInt8 {
    switch body {
    case .preVoteRequest: 16
    case .preVoteResponse: 17
    case .voteRequest: 18
    case .voteResponse: 19
    case .append: 20
    case .appendAccepted: 21
    case .appendRejected: 22
    case .heartbeat: 23
    case .heartbeatResponse: 24
    case .commit: 25
    case .snapshotBlock: 26
    case .snapshotProgress: 27
    case .readRequest: 28
    case .readResponse: 29
    case .proposals: 30
    case .proposalsRefused: 31
    case .outdated: 32
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
    case .preVoteRequest(let last), .voteRequest(let last): writer.write(last)
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
    case .heartbeat(let round, let commit, let sentThrough): writer.write([round, commit, sentThrough])
    case .heartbeatResponse(let round, let sentThrough, let received, let match):
      writer.write([round, sentThrough, received, match])
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
    case .outdated: break
    }
  }

  init(kind: UInt8, from: NodeID, to: NodeID, reader: inout ByteReader) throws(MalformedBytes) {
    let term = try reader.readUInt64()
    self.init(from: from, to: to, term: term, body: try Self.body(kind: kind, from: &reader))
  }

  private static func body(kind: UInt8, from reader: inout ByteReader) throws(MalformedBytes) -> Body {
    switch kind {
    case 16: return .preVoteRequest(last: try reader.readPosition())
    case 17: return .preVoteResponse(granted: try reader.readBool())
    case 18: return .voteRequest(last: try reader.readPosition())
    case 19: return .voteResponse(granted: try reader.readBool())
    case 20: return try append(from: &reader)
    case 21: return .appendAccepted(match: try reader.readUInt64())
    case 22: return .appendRejected(previous: try reader.readUInt64(), hint: try reader.readPosition())
    case 23:
      return .heartbeat(round: try reader.readUInt64(), commit: try reader.readUInt64(), sentThrough: try reader.readUInt64())
    case 24:
      return .heartbeatResponse(
        round: try reader.readUInt64(), sentThrough: try reader.readUInt64(), received: try reader.readUInt64(),
        match: try reader.readUInt64())
    case 25: return .commit(try reader.readUInt64())
    case 26: return try snapshotBlock(from: &reader)
    case 27: return .snapshotProgress(try reader.readPosition(), next: Int(try reader.readUInt32()))
    case 28: return .readRequest(try reader.readUInt64())
    case 29: return .readResponse(try reader.readUInt64(), index: try reader.readUInt64())
    case 30: return try proposals(from: &reader)
    case 31: return .proposalsRefused(stream: try reader.readUInt64(), sequence: try reader.readUInt64())
    case 32: return .outdated
    default: throw MalformedBytes("frame: unknown kind \(kind)")
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
