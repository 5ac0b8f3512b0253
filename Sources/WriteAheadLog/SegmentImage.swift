import ByteCoding
import Raft

/// A segment's file in memory, and the judgement of what stands in it: a batch, the end, a torn batch, or damage.
///
/// What a loss of power can leave behind the last durable batch is little, since each step of writing is durable before the next begins:
/// some sectors of one batch, the others free; and behind the free sectors that were durable then, some more of them, and zeros. Before
/// the first batch it can leave nothing at all: a segment has its name when its header and its first free sectors are durable.
/// `Docs/Formats.md` has the whole list. Everything else is damage.
struct SegmentImage {
  /// No segment grows beyond this, in bytes: a longer file is not one.
  static let maximumSize = 256 << 20

  let name: String
  let number: UInt64
  /// Bytes of the file, when it was read.
  let size: Int
  /// Version 1 wrote batches over zeros, and made a segment under its own name.
  let isOfVersion1: Bool
  /// Whole sectors: what lies beyond the file's end counts as zero.
  private let bytes: [UInt8]

  enum Next: Equatable {
    case batch(sectors: Int, chain: Chain)
    /// Nothing is written to the end of the file.
    case end
    /// Some sectors of the batch; the others never arrived. Nothing stands at or behind sector `end`.
    case torn(end: Int)
  }

  /// Reads the segment's file.
  init<D: Disk>(_ number: UInt64, on disk: D) throws(StorageError) {
    self.number = number
    name = NumberedName.make(Segment.prefix, number)
    let name = name
    let file = try onDisk { () throws(DiskError) in try disk.open(name, create: false) }
    defer { disk.close(file) }
    let size = try onDisk { () throws(DiskError) in try disk.size(file) }
    guard size <= Self.maximumSize else { throw .damaged(file: name, offset: 0, what: "\(size) bytes are more than a segment can have") }
    var bytes = try onDisk { () throws(DiskError) in try disk.read(file, offset: 0, count: size) }
    guard bytes.count == size else { throw .damaged(file: name, offset: bytes.count, what: "\(size) bytes expected, \(bytes.count) read") }
    if size % Sector.size != 0 { bytes.append(contentsOf: repeatElement(0, count: Sector.size - size % Sector.size)) }
    self.bytes = bytes
    self.size = bytes.count
    isOfVersion1 = FileHeader.version(of: bytes[...]) == 1
  }

  var sectorCount: Int { bytes.count / Sector.size }

  /// Such as version 1 could leave of a segment that it was making.
  var isUnfinished: Bool { size <= LogOptions.largestFillStep && (0..<sectorCount).allSatisfy { state(of: $0) == .zero } }

  func header(for identity: StorageIdentity) throws(StorageError) -> SegmentHeader {
    guard sectorCount > 0, case .sealed(.header, _) = state(of: 0) else {
      throw .damaged(file: name, offset: 0, what: "its header does not verify")
    }
    return try SegmentHeader(bytes[..<Sector.size], of: name, expected: number, identity: identity)
  }

  /// What stands at sector `start`, where batch `batch` begins, if there is one.
  ///
  /// A batch is written only when the one before is durable, and only over durable free sectors, with one more behind it. So if some of
  /// its sectors are missing, it was never durable, and nothing may follow it; what does not verify, or belongs to another batch, was
  /// durable and is damaged; and so are zeros that stand at `start`, in the batch, or right behind it.
  func next(at start: Int, batch: UInt64, chain: Chain) throws(StorageError) -> Next {
    if let complete = completeBatch(at: start, batch: batch, chain: chain) { return complete }
    var count: UInt16?
    var end = start
    for number in start..<max(start, sectorCount) {
      switch state(of: number) {
      case .zero: continue
      case .free where !isOfVersion1: continue
      case .free, .damaged: throw damage(at: number, "the sector neither verifies nor is free (batch \(batch) or nothing expected)")
      case .sealed(let trailer, _):
        guard trailer.batch == batch, Int(trailer.position) == number - start, trailer.position < trailer.count,
          count == nil || count == trailer.count
        else {
          throw damage(
            at: start,
            "batch \(batch) is not complete, but sector \(number) holds sector \(trailer.position) of batch \(trailer.batch), written later"
          )
        }
        count = trailer.count
        end = number + 1
      }
    }
    if !isOfVersion1 { try checkRoom(start...start + Int(count ?? 0), for: batch) }
    return end == start ? .end : .torn(end: end)
  }

  private func checkRoom(_ sectors: ClosedRange<Int>, for batch: UInt64) throws(StorageError) {
    for number in sectors where number >= sectorCount || state(of: number) == .zero {
      let found = number < sectorCount ? "is zero" : "is missing"
      throw damage(at: number, "the sector \(found), where one was durable before batch \(batch): what was written there is lost")
    }
  }

  /// The payload of `sectors` sectors that `next` found complete.
  private func payload(at start: Int, sectors: Int) -> [UInt8] {
    var payload: [UInt8] = []
    payload.reserveCapacity(sectors * Sector.payloadSize)
    for number in start..<start + sectors {
      payload.append(contentsOf: bytes[number * Sector.size..<number * Sector.size + Sector.payloadSize])
    }
    return payload
  }

  /// What batch `batch`, which `next` found complete, puts into the log, in order, and the commit index that was known then.
  func records(
    at start: Int, sectors: Int, batch: UInt64, chain: Chain
  ) throws(StorageError) -> (records: [BatchRecord], commit: LogIndex) {
    let payload = payload(at: start, sectors: sectors)
    do throws(MalformedBytes) {
      var reader = ByteReader(payload[...])
      let length = Int(try reader.readUInt32())
      guard try reader.readUInt32() == chain.value else { throw MalformedBytes("batch \(batch): it follows another batch") }
      let commit = try reader.readUInt64()
      guard Sector.count(forPayload: BatchBuilder.headerSize + length) == sectors else { throw MalformedBytes("batch \(batch): length") }
      var bytes = ByteReader(try reader.read(count: length))
      var records: [BatchRecord] = []
      while !bytes.isAtEnd { records.append(try BatchRecord(from: &bytes)) }
      return (records, commit)
    } catch {
      throw damage(at: start, error.description)
    }
  }

  /// `sectors` sectors as they stand in the file.
  func raw(at start: Int, sectors: Int) -> [UInt8] { Array(bytes[start * Sector.size..<(start + sectors) * Sector.size]) }

  func damage(at sector: Int, _ what: String) -> StorageError { .damaged(file: name, offset: sector * Sector.size, what: what) }

  private func completeBatch(at start: Int, batch: UInt64, chain: Chain) -> Next? {
    guard start < sectorCount, case .sealed(let first, _) = state(of: start) else { return nil }
    let count = Int(first.count)
    guard count > 0, start + count <= sectorCount else { return nil }
    var chain = chain
    for position in 0..<count {
      let expected = Sector.Trailer(batch: batch, position: UInt16(position), count: first.count)
      guard case .sealed(expected, let checksum) = state(of: start + position) else { return nil }
      chain.add(checksum)
    }
    return .batch(sectors: count, chain: chain)
  }

  private func state(of sector: Int) -> Sector.State {
    bytes.withUnsafeBytes { bytes in
      let sector = (number: sector, bytes: UnsafeRawBufferPointer(rebasing: bytes[sector * Sector.size..<(sector + 1) * Sector.size]))
      return Sector.state(of: sector.bytes, segment: number, number: sector.number)
    }
  }
}
