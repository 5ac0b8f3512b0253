import ByteCoding

/// One log entry, held in the form in which it goes to disk and wire: encoded once, by the leader that made it.
///
/// Record: checksum (4), payload length (4), index (8), term (8), kind (1), payload. The CRC-32C covers all that follows it and is
/// verified wherever the bytes come from outside: at every hop, at recovery, in the background.
public struct Entry: Sendable, Equatable {
  public enum Kind: UInt8, Sendable {
    /// Nothing: a new leader commits it to learn what is committed (dissertation, section 6.4).
    case noop = 1
    /// A `Configuration`; counts from the moment it is appended.
    case configuration = 2
    /// Bytes of the application, unknown to Raft.
    case command = 3
  }

  /// Bytes before the payload.
  public static let headerSize = 25
  /// Most bytes that a payload may have: 8 MiB. Applications may propose less, `maximumCommandSize` of the replica's settings.
  public static let maximumPayloadSize = 8 << 20

  public let index: LogIndex
  public let term: Term
  public let kind: Kind
  /// Header and payload.
  public let record: Bytes

  public var payload: Bytes { record.dropFirst(Self.headerSize) }
  public var position: LogPosition { LogPosition(index: index, term: term) }

  /// The checksum of bytes that end with this record, from that of those before it: the record is not gone through again, since it has a
  /// checksum of its own.
  public func checksum(after checksum: UInt32) -> UInt32 {
    let own = record.prefix(4)
    let rest = own.reversed().reduce(0) { $0 << 8 | UInt32($1) }
    return CRC32C.combine(CRC32C.checksum(own, seed: checksum), rest, count: record.count - own.count)
  }

  public init(index: LogIndex, term: Term, kind: Kind, payload: Bytes = []) {
    var writer = ByteWriter(capacity: Self.headerSize + payload.count)
    Self.encode(index: index, term: term, kind: kind, payload: payload, into: &writer)
    self.init(index: index, term: term, kind: kind, record: writer.slice)
  }

  private init(index: LogIndex, term: Term, kind: Kind, record: Bytes) {
    self.index = index
    self.term = term
    self.kind = kind
    self.record = record
  }

  /// Entries for a batch of payloads, encoded into one shared buffer. The first gets index `first`.
  public static func batch(of payloads: [Bytes], kind: Kind, first: LogIndex, term: Term) -> [Entry] {
    var writer = ByteWriter(capacity: payloads.reduce(0) { $0 + $1.count + headerSize })
    for (offset, payload) in payloads.enumerated() {
      encode(index: first + UInt64(offset), term: term, kind: kind, payload: payload, into: &writer)
    }
    let buffer = writer.slice
    var entries: [Entry] = []
    entries.reserveCapacity(payloads.count)
    var start = 0
    for (offset, payload) in payloads.enumerated() {
      let end = start + headerSize + payload.count
      entries.append(Entry(index: first + UInt64(offset), term: term, kind: kind, record: buffer[start..<end]))
      start = end
    }
    return entries
  }

  /// Reads and verifies the next record. The entry shares the reader's buffer.
  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    var header = reader
    let checksum = try header.readUInt32()
    let length = try header.readUInt32()
    guard length <= Self.maximumPayloadSize else { throw MalformedBytes("entry: payload of \(length) bytes") }
    let index = try header.readUInt64()
    let term = try header.readUInt64()
    guard let kind = Kind(rawValue: try header.readUInt8()) else { throw MalformedBytes("entry: unknown kind") }
    let record = try reader.read(count: Self.headerSize + Int(length))
    guard CRC32C.checksum(record.dropFirst(4)) == checksum else { throw MalformedBytes("entry \(index): checksum does not match") }
    guard index > 0, term > 0 else { throw MalformedBytes("entry: index and term start at 1") }
    self.init(index: index, term: term, kind: kind, record: record)
  }

  private static func encode(index: LogIndex, term: Term, kind: Kind, payload: Bytes, into writer: inout ByteWriter) {
    let start = writer.count
    writer.write(UInt32(0))
    writer.write(UInt32(payload.count))
    writer.write(index)
    writer.write(term)
    writer.write(kind.rawValue)
    writer.write(raw: payload)
    writer.patch(CRC32C.checksum(writer.slice[(start + 4)...]), at: start)
  }
}
