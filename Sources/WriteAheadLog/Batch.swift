import ByteCoding
import Raft

/// All that one write and one sync put into the log, laid out in sectors. The buffer is reused from batch to batch.
///
/// Payload: length of the records (4), chain before this batch (4), commit index (8), records. A record is an entry's, byte for byte, or a
/// reset in the same form: checksum (4), zero (4), index (8), term (8), kind 255.
struct BatchBuilder {
  static let headerSize = 16
  static let resetKind: UInt8 = 255
  /// What an unusually large batch may leave allocated, in bytes.
  private static let keptCapacity = 1 << 20

  private(set) var bytes: [UInt8] = []
  private(set) var recordBytes = 0
  private(set) var effect = BatchEffect()

  var isEmpty: Bool { recordBytes == 0 }
  var sectors: Int { Sector.count(forPayload: Self.headerSize + recordBytes) }

  mutating func removeAll() {
    if bytes.capacity > Self.keptCapacity { bytes = [] }
    bytes.removeAll(keepingCapacity: true)
    recordBytes = 0
    effect = BatchEffect()
  }

  mutating func append(_ entry: Entry) {
    append(record: entry.record)
    effect.append(entry.position)
  }

  mutating func append(reset position: LogPosition) {
    var writer = ByteWriter(capacity: Entry.headerSize)
    writer.write(UInt32(0))
    writer.write(UInt32(0))
    writer.write(position.index)
    writer.write(position.term)
    writer.write(Self.resetKind)
    writer.patch(CRC32C.checksum(writer.slice[4...]), at: 0)
    append(record: writer.slice)
    effect.reset(to: position)
  }

  /// Pads and seals every sector, as they will stand in `segment` from sector `first` on. Returns the chain after this batch.
  mutating func seal(batch: UInt64, segment: UInt64, first: Int, chain: Chain, commit: LogIndex) -> Chain {
    if bytes.count % Sector.size != 0 { bytes.append(contentsOf: repeatElement(0, count: Sector.size - bytes.count % Sector.size)) }
    let count = bytes.count / Sector.size
    let length = UInt32(recordBytes)
    return bytes.withUnsafeMutableBytes { buffer in
      buffer.storeBytes(of: length.littleEndian, as: UInt32.self)
      buffer.storeBytes(of: chain.value.littleEndian, toByteOffset: 4, as: UInt32.self)
      buffer.storeBytes(of: commit.littleEndian, toByteOffset: 8, as: UInt64.self)
      var chain = chain
      for position in 0..<count {
        let sector = UnsafeMutableRawBufferPointer(rebasing: buffer[position * Sector.size..<(position + 1) * Sector.size])
        let trailer = Sector.Trailer(batch: batch, position: UInt16(position), count: UInt16(count))
        chain.add(Sector.seal(sector, trailer, segment: segment, number: first + position))
      }
      return chain
    }
  }

  private mutating func append(record: Bytes) {
    if isEmpty { bytes.append(contentsOf: repeatElement(0, count: Self.headerSize)) }
    recordBytes += record.count
    record.withUnsafeBytes { record in
      var start = 0
      while start < record.count {
        let room = Sector.payloadSize - bytes.count % Sector.size
        let end = min(start + room, record.count)
        bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: record[start..<end]))
        if end - start == room { bytes.append(contentsOf: repeatElement(0, count: Sector.trailerSize)) }
        start = end
      }
    }
  }
}

/// What a batch does to the log, in the order: reset, void, append.
struct BatchEffect: Equatable {
  /// The last reset in it; whatever the batch did before that is void.
  private(set) var reset: LogPosition?
  /// The lowest index that it wrote since: entries from there on that other batches wrote are void.
  private(set) var lowest: LogIndex = .max
  /// The last entry that it wrote since.
  private(set) var last: LogPosition?

  /// Where the log ends after it; nil if it did nothing.
  var end: LogIndex? { (last ?? reset)?.index }

  mutating func reset(to position: LogPosition) { self = BatchEffect(reset: position) }

  mutating func append(_ position: LogPosition) {
    lowest = min(lowest, position.index)
    last = position
  }
}

/// What a batch's payload holds, read back.
enum BatchRecord {
  case entry(Entry)
  case reset(LogPosition)

  init(from reader: inout ByteReader) throws(MalformedBytes) {
    var header = reader
    let checksum = try header.readUInt32()
    _ = try header.read(count: 20)
    guard try header.readUInt8() == BatchBuilder.resetKind else {
      self = .entry(try Entry(from: &reader))
      return
    }
    let record = try reader.read(count: Entry.headerSize)
    guard CRC32C.checksum(record.dropFirst(4)) == checksum else { throw MalformedBytes("reset: checksum does not match") }
    var fields = ByteReader(record.dropFirst(4))
    guard try fields.readUInt32() == 0 else { throw MalformedBytes("reset: it has a payload") }
    self = .reset(LogPosition(index: try fields.readUInt64(), term: try fields.readUInt64()))
  }
}
