import Raft
import Simulation
import Testing
import WriteAheadLog

@Suite struct DamageTests {
  /// Three batches of two sectors each, at sectors 1, 3 and 5; all durable.
  private func makeLog() throws -> SimulatedDisk {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    for index in LogIndex(1)...3 {
      try log.append([LogWrite(sequence: index, hardState: HardState(term: index), entries: [entry(index, size: 700)])])
      try log.sync()
    }
    return disk
  }

  @Test func everyFlippedByteOfTheVoteIsRepaired() throws {
    let disk = try makeLog()
    let size = try #require(disk.contents(of: "vote")).count
    for offset in 0..<size {
      disk.flip("vote", at: offset)
      let (log, found) = try open(disk)
      log.close()
      #expect(found.hardState == HardState(term: 3))
      let isInACopy = offset < 512 || offset >= 4096
      #expect(log.repairs.isEmpty != isInACopy, "byte \(offset)")
      #expect(try repairs(disk).isEmpty)
    }
  }

  @Test func aVoteWithBothCopiesDamagedIsRefused() throws {
    let disk = try makeLog()
    disk.flip("vote", at: 40)
    disk.flip("vote", at: 4096 + 40)
    #expect(recover(disk).isDamage)
    disk.zeroSector("vote", 0)
    disk.zeroSector("vote", 8)
    #expect(recover(disk).isDamage)
  }

  /// Only in the last batch is a missing sector a torn one; and only where free sectors lie, as before the batch was written.
  @Test func aFreeSectorIsTornInTheLastBatchAndDamageElsewhere() throws {
    for sector in 0..<7 {
      let disk = try makeLog()
      let written = try #require(disk.contents(of: segment(1)))
      disk.zeroSector(segment(1), sector)
      #expect(recover(disk).isDamage, "sector \(sector)")
      disk.replace(segment(1), with: written[..<(sector * 512)] + freeSector(sector, of: 1) + written[((sector + 1) * 512)...])
      if sector < 5 {
        #expect(recover(disk).isDamage, "sector \(sector)")
      } else {
        let (repaired, found) = try open(disk)
        repaired.close()
        #expect(found.entries == entries(1...2, size: 700))
        #expect(repaired.repairs.count == 1)
        let after = try #require(disk.contents(of: segment(1)))
        #expect(after[(5 * 512)...].elementsEqual((5..<8).flatMap { freeSector($0, of: 1) }))
        // The place is used again, and the next start finds nothing to repair.
        var (log, _) = try open(disk)
        try log.append([write(3...3, term: 9, size: 1)])
        try log.sync()
        #expect(try recover(disk).get().entries.last == entry(3, term: 9, size: 1))
        #expect(try repairs(disk).isEmpty)
      }
    }
  }

  @Test func damageIsNotTruncated() throws {
    let disk = try makeLog()
    disk.zeroSector(segment(1), 5)
    disk.flip(segment(1), at: 6 * 512 + 3)
    let before = disk.contents(of: segment(1))
    #expect(recover(disk).isDamage)
    #expect(disk.contents(of: segment(1)) == before)
  }

  @Test func aMisdirectedSectorIsDetected() throws {
    for source in 0..<7 {
      for destination in 0..<8 where destination != source {
        let disk = try makeLog()
        disk.copySector(segment(1), from: source, to: destination)
        #expect(recover(disk).isDamage, "\(source) to \(destination)")
      }
    }
  }

  @Test func segmentsThatAreMissingOrExchangedAreDetected() throws {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    for index in LogIndex(1)...40 { try log.append([write(index...index, size: 900)]) }
    try log.sync()
    #expect(log.segmentCount > 4)
    let gap = disk.copy()
    try gap.remove(segment(3))
    #expect(recover(gap).isDamage)
    let exchanged = disk.copy()
    exchanged.replace(segment(2), with: try #require(disk.contents(of: segment(3))))
    #expect(recover(exchanged).isDamage)
    let short = disk.copy()
    short.replace(segment(2), with: Array(try #require(disk.contents(of: segment(2))).prefix(2048)))
    #expect(recover(short).isDamage)
    // A beginning that is missing shows when the log is held against the snapshot.
    let beheaded = disk.copy()
    try beheaded.remove(segment(1))
    #expect(throws: StorageError.self) { try recover(beheaded).get().reconciled(with: nil) }
  }

  /// A segment has its name when all of it is durable; before, it is a file that nobody looks at.
  @Test func aSegmentThatWasNotFinishedIsRemoved() throws {
    for bytes in [[], [UInt8](repeating: 0, count: 100), [UInt8](repeating: 0, count: 4096), [1]] {
      let disk = try makeLog()
      disk.replace(segment(2) + ".part", with: bytes)
      #expect(try recover(disk).get().entries == entries(1...3, size: 700))
      #expect(disk.fileNames == [segment(1), "vote"])
      disk.replace(segment(2), with: bytes)
      #expect(recover(disk).isDamage)
      #expect(disk.contents(of: segment(2)) == bytes)
    }
  }
}
