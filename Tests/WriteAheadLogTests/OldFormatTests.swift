import ByteCoding
import Raft
import Simulation
import Testing
import WriteAheadLog

/// Segments of format version 1, which had zeros where nothing was written: they are read, and the log goes on in a new one.
@Suite struct OldFormatTests {
  /// Four segments of version 1. The last batch, of entry 9, has two sectors, from the fourth of the newest segment on.
  private func makeLog() throws -> SimulatedDisk {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    for index in LogIndex(1)...9 {
      try log.append([LogWrite(sequence: index, hardState: HardState(term: 1), entries: [entry(index, size: 900)], commit: index)])
      try log.sync()
    }
    #expect(log.segmentCount == 3)
    for (place, name) in disk.fileNames.filter({ $0 != "vote" }).enumerated() {
      disk.replace(name, with: asVersion1(try #require(disk.contents(of: name)), segment: UInt64(place + 1)))
    }
    return disk
  }

  private func asVersion1(_ bytes: [UInt8], segment: UInt64) -> [UInt8] {
    var bytes = bytes
    for place in 0..<bytes.count / 512 where bytes[place * 512..<(place + 1) * 512].elementsEqual(freeSector(place, of: segment)) {
      for offset in place * 512..<(place + 1) * 512 { bytes[offset] = 0 }
    }
    bytes[8] = 1
    var seed = ByteWriter()
    seed.write(segment)
    seed.write(UInt64(0))
    var checksum = ByteWriter()
    checksum.write(CRC32C.checksum(bytes[..<508], seed: CRC32C.checksum(seed.bytes)))
    bytes.replaceSubrange(508..<512, with: checksum.bytes)
    return bytes
  }

  @Test func itIsReadAndGoesOnInANewSegment() throws {
    let disk = try makeLog()
    let old = disk.fileNames.map { disk.contents(of: $0) }
    var (log, recovered) = try open(disk)
    #expect(recovered.entries == entries(1...9, size: 900) && recovered.commit == 9 && log.repairs.isEmpty)
    try log.append([write(10...10)])
    try log.sync()
    #expect(log.segmentCount == 4)
    #expect(zip(disk.fileNames, old).allSatisfy { $0 == "vote" || $0 == segment(4) || disk.contents(of: $0) == $1 })
    #expect(try recover(disk).get().entries == entries(1...9, size: 900) + [entry(10)])
    let piece = try log.read(after: 0, through: 10, limit: .max)
    #expect(piece?.entries.first == entry(1, size: 900))
    try log.compact(through: 10)
    #expect(log.segmentCount == 1)
  }

  @Test func itsTornBatchIsCut() throws {
    let disk = try makeLog()
    #expect(disk.zeroSector(segment(3), 6))
    let (cut, recovered) = try open(disk)
    cut.close()
    #expect(recovered.entries == entries(1...8, size: 900) && cut.repairs.count == 1)
    #expect(try repairs(disk).isEmpty)
  }

  /// Only behind a segment of version 1, and no larger than one that was just made.
  @Test func itsUnfinishedSegmentIsRemoved() throws {
    let disk = try makeLog()
    disk.replace(segment(4), with: [UInt8](repeating: 0, count: 4096))
    let (rest, recovered) = try open(disk)
    rest.close()
    #expect(recovered.entries == entries(1...9, size: 900) && rest.repairs.count == 1)
    #expect(disk.contents(of: segment(4)) == nil)
    disk.replace(segment(4), with: [UInt8](repeating: 0, count: (1 << 20) + 512))
    #expect(recover(disk).isDamage)
    try disk.remove(segment(4))
    var (log, _) = try open(disk)
    try log.append([write(10...10)])
    try log.sync()
    disk.replace(segment(5), with: [UInt8](repeating: 0, count: 4096))
    #expect(recover(disk).isDamage)
  }

  /// The first segment is made before the node votes: zeros there are no loss. Later they are.
  @Test func itsFirstSegmentIsMissedOnlyOnceTheNodeHasVoted() throws {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    disk.replace(segment(1), with: [UInt8](repeating: 0, count: 4096))
    (log, _) = try open(disk)
    try log.append([LogWrite(sequence: 1, hardState: HardState(term: 1))])
    disk.replace(segment(1), with: [UInt8](repeating: 0, count: 4096))
    #expect(recover(disk).isDamage)
    #expect(disk.contents(of: segment(1))?.count == 4096)
  }
}
