import Raft
import Simulation
import Testing
import WriteAheadLog

/// Every way to zero a small log, to cut it and to change a bit of it, and what a start says of each. All of the log was confirmed, so that
/// no loss of power can leave less than all of it.
@Suite struct DamageTableTests {
  /// What starts say of one kind of damage, counted.
  struct Row: Equatable, CustomStringConvertible {
    /// Everything is there.
    var whole = 0
    /// The start is refused, and has changed nothing.
    var refused = 0
    /// The node starts with less than was confirmed.
    var lost = 0

    var description: String { "\(whole) whole, \(refused) refused, \(lost) lost" }
  }

  typealias Files = [(name: String, bytes: [UInt8])]

  /// Three segments of eight sectors. The newest: header, a batch of two sectors, one of three, and two free sectors.
  private func makeLog() throws -> (files: Files, recovered: DurableState) {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    for (index, size) in [(1, 20), (2, 900), (3, 1300), (4, 700), (5, 20), (6, 1300), (7, 700), (8, 1300)] as [(LogIndex, Int)] {
      let state = HardState(term: (index + 1) / 2, vote: NodeID(index))
      try log.append([LogWrite(sequence: index, hardState: state, entries: entries(index...index, size: size), commit: index - 1)])
      try log.sync()
    }
    #expect(log.segmentCount == 3)
    let files = disk.fileNames.map { ($0, disk.contents(of: $0) ?? []) }
    return (files, try recover(disk).get())
  }

  private func disk(_ files: Files) -> SimulatedDisk {
    let disk = SimulatedDisk()
    for (name, bytes) in files { disk.replace(name, with: bytes) }
    return disk
  }

  /// Counts what a start says of the log with some files changed.
  private func count(_ changed: Files, of log: (files: Files, recovered: DurableState), in row: inout Row) throws {
    var files = log.files
    for (name, bytes) in changed {
      let place = try #require(files.firstIndex { $0.name == name })
      if files[place].bytes == bytes { return }
      files[place].bytes = bytes
    }
    let disk = disk(files)
    let result = recover(disk)
    switch result {
    case .success(let found):
      let isPrefix = log.recovered.entries.starts(with: found.entries)
      #expect(found.start == log.recovered.start && found.hardState == log.recovered.hardState && isPrefix)
      if found.entries.count == log.recovered.entries.count { row.whole += 1 } else { row.lost += 1 }
    case .failure(let error):
      #expect(result.isDamage, "\(error)")
      row.refused += 1
      for (name, bytes) in files where name != "vote" { #expect(disk.contents(of: name) == bytes) }
    }
  }

  private func segments(of log: (files: Files, recovered: DurableState)) -> Files { log.files.filter { $0.name != "vote" } }

  // MARK: One file

  /// The second segment is as the first.
  private static let segmentsByByte = [0, 2]

  @Test func everyByteOfASegment() throws {
    let log = try makeLog()
    var (flipped, zeroed) = (Row(), Row())
    for (name, bytes) in Self.segmentsByByte.map({ segments(of: log)[$0] }) {
      for offset in bytes.indices {
        var changed = bytes
        changed[offset] ^= 1 << UInt8(offset % 8)
        try count([(name, changed)], of: log, in: &flipped)
        changed[offset] = 0
        try count([(name, changed)], of: log, in: &zeroed)
      }
    }
    #expect(flipped == Row(refused: 2 * 4096))
    #expect(zeroed == Row(refused: 4421), "the others are zero")
  }

  /// A cut that leaves one free sector behind the last batch takes nothing. Behind its place in the file, a free sector is zero.
  @Test func everyCutOfASegment() throws {
    let log = try makeLog()
    var row = Row()
    for (name, bytes) in segments(of: log).suffix(1) {
      for size in bytes.indices { try count([(name, Array(bytes[..<size]))], of: log, in: &row) }
    }
    #expect(row == Row(whole: 991, refused: 3105))
  }

  @Test func everyRunOfSectorsOfASegment() throws {
    let log = try makeLog()
    var row = Row()
    for (name, bytes) in segments(of: log) {
      for first in 0..<8 {
        for end in first + 1...8 {
          var changed = bytes
          for offset in first * 512..<end * 512 { changed[offset] = 0 }
          try count([(name, changed)], of: log, in: &row)
        }
      }
    }
    #expect(row == Row(whole: 1, refused: 107), "the last sector of all, behind one that is free")
  }

  /// Two copies, of which one is enough. `DamageTests` flip each byte.
  @Test func everyCutOfTheVote() throws {
    let log = try makeLog()
    let bytes = try #require(log.files.first { $0.name == "vote" }).bytes
    var (zeroed, cut, all) = (Row(), Row(), Row())
    for sector in 0..<9 {
      var changed = bytes
      for offset in sector * 512..<(sector + 1) * 512 { changed[offset] = 0 }
      try count([("vote", changed)], of: log, in: &zeroed)
    }
    for size in Array(0..<512) + Array(4096..<4608) { try count([("vote", Array(bytes[..<size]))], of: log, in: &cut) }
    #expect(zeroed == Row(whole: 2), "the others are zero")
    #expect(cut == Row(whole: 512, refused: 512))
    try count([("vote", [UInt8](repeating: 0, count: bytes.count))], of: log, in: &all)
    #expect(all == Row(refused: 1))
  }

  // MARK: Several files

  @Test func theLastSegmentsTogether() throws {
    let log = try makeLog()
    var row = Row()
    for count in 1...3 {
      for empty in [true, false] {
        let changed = segments(of: log).suffix(count).map { ($0.name, empty ? [] : [UInt8](repeating: 0, count: $0.bytes.count)) }
        try self.count(changed, of: log, in: &row)
      }
      // The end of the log from each of its sectors on.
      let newest = segments(of: log).suffix(count)
      for first in 0..<8 {
        let changed = newest.enumerated().map { place, file in
          (
            file.name,
            Array(file.bytes[..<(place == 0 ? first * 512 : 0)]) + [UInt8](repeating: 0, count: place == 0 ? (8 - first) * 512 : 4096)
          )
        }
        try self.count(changed, of: log, in: &row)
      }
    }
    #expect(row == Row(whole: 1, refused: 29))
  }

  // MARK: What cannot be known

  /// A disk that dropped a write has what lay there before: free sectors. Of the last batch that is what a loss of power leaves, and nobody
  /// can tell; of all that was written before it, it is found out.
  @Test func everyWriteThatWasDropped() throws {
    let log = try makeLog()
    var (sectors, lastBatch) = (Row(), Row())
    for (place, file) in segments(of: log).enumerated() {
      var batch = file.bytes
      for number in 1..<8 {
        let range = number * 512..<(number + 1) * 512
        var changed = file.bytes
        changed.replaceSubrange(range, with: freeSector(number, of: UInt64(place + 1)))
        try count([(file.name, changed)], of: log, in: &sectors)
        if number >= 3 { batch.replaceSubrange(range, with: freeSector(number, of: UInt64(place + 1))) }
      }
      if place == 2 { try count([(file.name, batch)], of: log, in: &lastBatch) }
    }
    #expect(sectors.lost == 3, "only the sectors of the last batch")
    #expect(lastBatch == Row(lost: 1))
  }
}
