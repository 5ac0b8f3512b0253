import Raft
import Simulation
import Testing
import WriteAheadLog

/// Reading the log back while it goes on: for peers that lag.
@Suite struct ReadTests {
  /// Whatever was appended, overwritten, reset and cut: each index gives what a recovery would find there.
  @Test(arguments: 1...20 as ClosedRange<UInt64>) func whatIsReadIsWhatARecoveryFinds(seed: UInt64) throws {
    var random = PseudoRandom(seed: seed)
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    var term: Term = 1
    for _ in 0..<40 {
      switch random.below(8) {
      case 0:
        term += 1
        try log.append([LogWrite(sequence: 1, reset: LogPosition(index: log.lastIndex + 3, term: term))])
      case 1: try log.compact(through: log.start.index + random.below(log.lastIndex - log.start.index + 1))
      default:
        let kept = log.lastIndex - log.start.index
        let back = random.below(4) == 0 ? min(kept, random.below(12)) : 0
        if back > 0 { term += 1 }
        let first = log.lastIndex + 1 - back
        try log.append([write(first...first + random.below(10), term: term, size: Int(random.below(700)))])
      }
      try log.sync()
      // Sometimes it goes on in another process.
      if random.below(10) == 0 {
        log.close()
        log = try open(disk).0
      }
      try compare(&log, with: try recover(disk.copy()).get(), limit: Int(random.below(3000)))
    }
  }

  private func compare(_ log: inout Log, with recovered: DurableState, limit: Int) throws {
    let last = recovered.last.index
    var index = recovered.start.index
    #expect(try log.read(after: last, through: .max, limit: limit) == nil)
    while index < last {
      let piece = try #require(try log.read(after: index, through: last, limit: limit))
      let at = Int(index - recovered.start.index)
      #expect(piece.previous == (at == 0 ? recovered.start : recovered.entries[at - 1].position))
      #expect(piece.entries == Array(recovered.entries[at..<at + piece.entries.count]))
      #expect(piece.entries.count == 1 || piece.entries.reduce(0) { $0 + $1.record.count } <= limit)
      index += UInt64(piece.entries.count)
    }
  }

  /// The newest segment was read, then its end was overwritten in place, and the log went on in another.
  @Test func whatWasReadOfTheNewestSegmentDoesNotHideWhatCameLater() throws {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk, LogOptions())
    try log.append([write(1...20, size: 300)])
    try log.sync()
    #expect(try log.read(after: 10, through: 20, limit: 1 << 20)?.entries == entries(11...20, size: 300))
    try log.append([write(15...20, term: 2, size: 300)])
    try log.append([write(21...30, term: 2, size: 500_000)])
    try log.sync()
    #expect(log.segmentCount > 1)
    #expect(try log.read(after: 14, through: 20, limit: 1 << 20)?.entries == entries(15...20, term: 2, size: 300))
  }

  @Test func whatIsCutIsNotThere() throws {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    for index in 1...60 as ClosedRange<LogIndex> { try log.append([write(index...index, size: 500)]) }
    try log.compact(through: 40)
    #expect(log.start.index > 0)
    #expect(try log.read(after: log.start.index - 1, through: 60, limit: 1) == nil)
    #expect(try log.read(after: log.start.index, through: 60, limit: 1)?.entries == [entry(log.start.index + 1, size: 500)])
  }

  @Test func damageIsFoundAndHarmsNothingElse() throws {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    for index in 1...60 as ClosedRange<LogIndex> { try log.append([write(index...index, size: 500)]) }
    try log.sync()
    disk.flip(segment(1), at: 1000)
    #expect(throws: StorageError.self) { try log.read(after: 1, through: 60, limit: 1 << 20) }
    #expect(try log.read(after: 55, through: 60, limit: 1 << 20)?.entries.first == entry(56, size: 500))
    try log.append([write(61...61)])
    try log.sync()
    #expect(log.poison == nil)
  }
}
