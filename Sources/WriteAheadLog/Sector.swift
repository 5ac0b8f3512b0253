import ByteCoding

/// 512 bytes, the most that a disk is trusted to write as a whole. Each sector of a segment verifies itself, so that one that never
/// arrived (free) can be told from one that is damaged: anything else that does not verify. Zeros too, since what a disk lost reads as
/// zeros, and a batch is only written where free sectors are durable.
///
/// Payload (496), batch number (8), position in the batch (2), sectors in the batch (2), CRC-32C (4). The checksum continues from the
/// segment's number and the sector's place in the file: a sector that was written to the wrong place does not verify there.
enum Sector {
  static let size = 512
  static let payloadSize = 496
  static let trailerSize = size - payloadSize

  /// Which part of which batch a sector holds. A segment's header is batch 0, position 0 of 0.
  struct Trailer: Equatable {
    let batch: UInt64
    let position: UInt16
    /// A batch never fills the field: it has 16 MiB at most (`LogOptions.batchSize`) and one entry more, 51,000 sectors.
    let count: UInt16

    static let header = Trailer(batch: 0, position: 0, count: 0)
  }

  enum State: Equatable {
    /// All zero: room that was never made ready, or something lost.
    case zero
    /// Made ready for a batch, which has not arrived.
    case free
    /// None of the others.
    case damaged
    case sealed(Trailer, checksum: UInt32)
  }

  /// Sectors that `count` bytes of payload fill.
  static func count(forPayload count: Int) -> Int { (count + payloadSize - 1) / payloadSize }

  /// Writes the trailer of one sector and returns its checksum.
  static func seal(_ sector: UnsafeMutableRawBufferPointer, _ trailer: Trailer, segment: UInt64, number: Int) -> UInt32 {
    sector.storeBytes(of: trailer.batch.littleEndian, toByteOffset: payloadSize, as: UInt64.self)
    sector.storeBytes(of: trailer.position.littleEndian, toByteOffset: payloadSize + 8, as: UInt16.self)
    sector.storeBytes(of: trailer.count.littleEndian, toByteOffset: payloadSize + 10, as: UInt16.self)
    let checksum = checksum(of: UnsafeRawBufferPointer(sector), segment: segment, number: number)
    sector.storeBytes(of: checksum.littleEndian, toByteOffset: size - 4, as: UInt32.self)
    return checksum
  }

  /// The bytes of free sectors of `segment`: a magic (8), the segment's number (8), the sector's place in the file (8), zeros. Where a
  /// batch's number and count would stand there are zeros, as in no sector of a batch.
  static func free(segment: UInt64, _ numbers: Range<Int>) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: numbers.count * size)
    bytes.withUnsafeMutableBytes { buffer in
      for number in numbers {
        let offset = (number - numbers.lowerBound) * size
        buffer.storeBytes(of: freeMagic.littleEndian, toByteOffset: offset, as: UInt64.self)
        buffer.storeBytes(of: segment.littleEndian, toByteOffset: offset + 8, as: UInt64.self)
        buffer.storeBytes(of: UInt64(number).littleEndian, toByteOffset: offset + 16, as: UInt64.self)
      }
    }
    return bytes
  }

  /// "CoracleF".
  private static let freeMagic: UInt64 = 0x46_65_6c_63_61_72_6f_43

  /// What stands in one sector of `segment`.
  static func state(of sector: UnsafeRawBufferPointer, segment: UInt64, number: Int) -> State {
    let first = UInt64(littleEndian: sector.loadUnaligned(as: UInt64.self))
    if first == 0, isZero(sector, from: 8) { return .zero }
    if first == freeMagic, isFree(sector, segment: segment, number: number) { return .free }
    let stored = UInt32(littleEndian: sector.loadUnaligned(fromByteOffset: size - 4, as: UInt32.self))
    guard stored == checksum(of: sector, segment: segment, number: number) else { return .damaged }
    let trailer = Trailer(
      batch: UInt64(littleEndian: sector.loadUnaligned(fromByteOffset: payloadSize, as: UInt64.self)),
      position: UInt16(littleEndian: sector.loadUnaligned(fromByteOffset: payloadSize + 8, as: UInt16.self)),
      count: UInt16(littleEndian: sector.loadUnaligned(fromByteOffset: payloadSize + 10, as: UInt16.self)))
    return .sealed(trailer, checksum: stored)
  }

  private static func checksum(of sector: UnsafeRawBufferPointer, segment: UInt64, number: Int) -> UInt32 {
    let place = (segment.littleEndian, UInt64(number).littleEndian)
    let seed = withUnsafeBytes(of: place) { CRC32C.checksum($0) }
    return CRC32C.checksum(UnsafeRawBufferPointer(rebasing: sector[..<(size - 4)]), seed: seed)
  }

  private static func isFree(_ sector: UnsafeRawBufferPointer, segment: UInt64, number: Int) -> Bool {
    UInt64(littleEndian: sector.loadUnaligned(fromByteOffset: 8, as: UInt64.self)) == segment
      && UInt64(littleEndian: sector.loadUnaligned(fromByteOffset: 16, as: UInt64.self)) == UInt64(number) && isZero(sector, from: 24)
  }

  private static func isZero(_ sector: UnsafeRawBufferPointer, from start: Int) -> Bool {
    var bits: UInt64 = 0
    for offset in stride(from: start, to: size, by: 8) { bits |= sector.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
    return bits == 0
  }
}

/// Ties each batch to all before it: the CRC-32C of the checksums of all their sectors.
struct Chain: Equatable {
  private(set) var value: UInt32

  init(_ value: UInt32 = 0) { self.value = value }

  mutating func add(_ checksum: UInt32) {
    value = withUnsafeBytes(of: checksum.littleEndian) { CRC32C.checksum($0, seed: value) }
  }
}
