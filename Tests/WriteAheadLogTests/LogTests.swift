import Raft
import Simulation
import Testing
import WriteAheadLog

@Suite struct LogTests {
  @Test func aFreshLogIsEmptyAndSmall() throws {
    let disk = SimulatedDisk()
    let (log, recovered) = try Log.open(disk, identity: me)
    #expect(recovered.entries.isEmpty && recovered.start == .zero && recovered.hardState == HardState())
    #expect(log.lastIndex == 0 && log.segmentCount == 1)
    #expect(disk.usedBytes <= 512 << 10)
  }

  @Test func whatWasWrittenComesBack() throws {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    let state = HardState(term: 3, vote: NodeID(9))
    let first = write(1...5, size: 0, commit: 2)
    let second = write(6...9, term: 2, size: 2000, commit: 7)
    try log.append([LogWrite(sequence: 1, hardState: state), first, second])
    try log.sync()
    let (again, recovered) = try open(disk)
    #expect(again.repairs.isEmpty)
    #expect(recovered.hardState == state)
    #expect(recovered.entries == first.entries + second.entries)
    #expect(recovered.commit == 7)
    #expect(recovered.start == .zero)
  }

  @Test func theLargestEntryFits() throws {
    let disk = SimulatedDisk()
    var (log, _) = try Log.open(disk, identity: me)
    let large = Entry(index: 2, term: 1, kind: .command, payload: [UInt8](repeating: 7, count: Entry.maximumPayloadSize)[...])
    try log.append([LogWrite(sequence: 1, entries: [entry(1), large, entry(3)])])
    try log.sync()
    #expect(try recover(disk, LogOptions()).get().entries == [entry(1), large, entry(3)])
    let tooLarge = Entry(index: 4, term: 1, kind: .command, payload: [UInt8](repeating: 7, count: Entry.maximumPayloadSize + 1)[...])
    #expect(throws: StorageError.self) { try log.append([LogWrite(sequence: 2, entries: [tooLarge])]) }
  }

  @Test func anEntryAtOrBeforeTheEndReplacesWhatFollows() throws {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    try log.append([write(1...8), write(5...6, term: 2)])
    try log.append([write(3...3, term: 3)])
    try log.sync()
    #expect(log.lastIndex == 3)
    #expect(try recover(disk).get().entries == entries(1...2) + [entry(3, term: 3)])
  }

  /// A full disk stops a call that holds entries, a snapshot's reset and what follows it, at any point: the same call goes on.
  @Test func aCallWithAResetMayBeMadeAgain() throws {
    let position = LogPosition(index: 32, term: 2)
    let writes = [
      write(9...30, size: 300), LogWrite(sequence: 2, reset: position, entries: entries(33...50, term: 2, size: 300), commit: 32),
    ]
    for room in stride(from: 0, through: 16_000, by: 500) {
      let disk = SimulatedDisk()
      var (log, _) = try open(disk)
      try log.append([write(1...8)])
      try log.sync()
      disk.capacity = disk.usedBytes + room
      do throws(StorageError) {
        try log.append(writes)
      } catch {
        guard case .full = error else { throw error }
        disk.capacity = .max
        try log.append(writes)
      }
      try log.sync()
      let recovered = try recover(disk).get()
      #expect(recovered.start == position && recovered.entries == entries(33...50, term: 2, size: 300))
    }
  }

  @Test func aResetForgetsAllEntries() throws {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    try log.append([write(1...30, size: 300)])
    let position = LogPosition(index: 20, term: 4)
    try log.append([LogWrite(sequence: 2, reset: position, entries: entries(21...22, term: 5))])
    try log.sync()
    let recovered = try recover(disk).get()
    #expect(recovered.start == position)
    #expect(recovered.entries == entries(21...22, term: 5))
    try log.compact(through: 20)
    #expect(log.segmentCount == 1)
    #expect(try recover(disk).get().entries == entries(21...22, term: 5))
    #expect(try recover(disk).get().start == position)
  }

  @Test func cuttingRemovesOnlySegmentsThatAreCovered() throws {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    for index in LogIndex(1)...60 {
      try log.append([write(index...index, size: 900)])
      try log.sync()
    }
    let before = log.segmentCount
    #expect(before > 5)
    try log.compact(through: 30)
    #expect(log.segmentCount < before)
    let recovered = try recover(disk).get()
    #expect(recovered.start.index <= 30 && recovered.start.index > 15)
    #expect(recovered.start.term == 1)
    #expect(recovered.entries == entries((recovered.start.index + 1)...60, size: 900))
    try log.compact(through: 60)
    #expect(log.segmentCount == 1)
    try log.append([write(61...61)])
    try log.sync()
    #expect(try recover(disk).get().entries.last == entry(61))
  }

  /// A segment goes only when all that follows it is durable.
  @Test(arguments: 1...8 as ClosedRange<UInt64>) func compactionMakesTheLogDurableFirst(seed: UInt64) throws {
    var random = PseudoRandom(seed: seed)
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    for index in LogIndex(1)...10 { try log.append([write(index...index, size: 900)]) }
    try log.compact(through: 6)
    #expect(log.start.index > 0, "a segment was removed")
    disk.losePower(using: &random)
    #expect(try recover(disk).get().entries.last == entry(10, size: 900))
  }

  /// Entries 8 to 10 were replaced from a later segment, whose base is one of the replaced ones: it is no place to start from.
  @Test func cuttingLeavesABaseThatStands() throws {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    for index in LogIndex(1)...10 { try log.append([write(index...index, size: 900)]) }
    for index in LogIndex(8)...40 {
      try log.append([write(index...index, term: 2, size: 900)])
      for through in [index - 2, index] {
        try log.compact(through: through)
        let recovered = try recover(disk.copy()).get()
        let expected = (1...index).map { entry($0, term: $0 < 8 ? 1 : 2, size: 900) }
        #expect(recovered.start.index <= through)
        #expect(recovered.start.term == (recovered.start.index == 0 ? 0 : recovered.start.index < 8 ? 1 : 2))
        #expect(recovered.entries == Array(expected.dropFirst(Int(recovered.start.index))))
      }
    }
    #expect(log.start.index > 30)
  }

  @Test func refusesWhatDoesNotFollow() throws {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    try log.append([LogWrite(sequence: 1, reset: LogPosition(index: 10, term: 1), entries: entries(11...12))])
    #expect(throws: StorageError.self) { try log.append([write(14...14)]) }
    #expect(throws: StorageError.self) { try log.append([write(10...10)]) }
    #expect(log.poison == nil)
    try log.append([write(13...13)])
    try log.sync()
    #expect(try recover(disk).get().entries == entries(11...13))
  }

  @Test func oneAppendIsOneWriteAndOneSync() throws {
    let disk = SimulatedDisk()
    var (log, _) = try Log.open(disk, identity: me)
    let before = disk.operationCount
    try log.append((1...100).map { write($0...$0) })
    try log.sync()
    #expect(disk.operationCount - before == 2)
  }

  /// Room is made ahead, and durable with the batch before: it costs no sync of its own.
  @Test func aBatchFindsItsRoomReady() throws {
    let disk = SimulatedDisk()
    let options = LogOptions(segmentSize: 1 << 20, fillStep: 64 << 10)
    var (log, _) = try open(disk, options)
    let before = disk.operationCount
    for index in LogIndex(1)...200 {
      try log.append([write(index...index, size: 20 << 10)])
      try log.sync()
    }
    let segments = log.segmentCount - 1
    let steps = log.bytesOnDisk / options.fillStep
    #expect(segments == 4)
    // A segment takes six operations: open, write, sync, rename, sync of the directory, open.
    #expect(disk.operationCount - before <= 2 * 200 + steps + 6 * segments)
  }

  @Test func aBatchLargerThanTheRoomAheadSyncsTheRoomFirst() throws {
    let disk = SimulatedDisk()
    let options = LogOptions(segmentSize: 1 << 20, fillStep: 64 << 10)
    var (log, _) = try open(disk, options)
    try log.append([write(1...1)])
    try log.sync()
    // Of so large a batch nothing but its last sectors may be missing, and they were never zero.
    for operation in 1...8 {
      let copy = disk.copy()
      (log, _) = try open(copy, options)
      copy.powerFailsAfter = copy.operationCount + operation
      _ = try? log.append([write(2...2, size: 300 << 10)])
      _ = try? log.sync()
      var random = PseudoRandom(seed: UInt64(operation))
      copy.losePower(using: &random)
      let found = try recover(copy, options).get()
      #expect(found.entries == [entry(1)] || found.entries == [entry(1), entry(2, size: 300 << 10)])
    }
  }
}

@Suite struct FailureTests {
  @Test func aFailedSyncPoisons() throws {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    try log.append([write(1...3)])
    disk.fail(.sync, prefix: "log-")
    #expect(throws: StorageError.disk(DiskError(operation: "sync", file: segment(1), reason: .failed("injected")))) { try log.sync() }
    #expect(throws: StorageError.self) { try log.sync() }
    #expect(throws: StorageError.self) { try log.append([write(4...4)]) }
    #expect(throws: StorageError.self) { try log.compact(through: 1) }
    #expect(log.poison != nil)
  }

  /// The page cache holds the batch and calls it clean: a sync alone would succeed, and prove nothing.
  @Test func whatIsRecoveredAfterAFailedSyncIsDurable() throws {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    try log.append([write(1...3, size: 500)])
    disk.fail(.sync, prefix: "log-")
    #expect(throws: StorageError.self) { try log.sync() }
    disk.crash()
    let recovered = try recover(disk).get()
    #expect(recovered.entries == entries(1...3, size: 500))
    var random = PseudoRandom(seed: 1)
    disk.losePower(using: &random)
    #expect(try recover(disk).get().entries == recovered.entries)
  }

  @Test func aFullDiskIsAStateThatPasses() throws {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    try log.append([write(1...60, size: 300)])
    try log.sync()
    disk.capacity = disk.usedBytes
    var written: LogIndex = 60
    var failure: StorageError?
    while failure == nil {
      do {
        try log.append([LogWrite(sequence: 1, hardState: HardState(term: written), entries: [entry(written + 1, size: 300)])])
        written += 1
      } catch {
        failure = error
      }
    }
    guard case .full = failure else {
      Issue.record("\(String(describing: failure))")
      return
    }
    try log.sync()
    // What was written is safe, whatever the attempt has left, and the hard state needs no room.
    #expect(try recover(disk.copy()).get().entries == entries(1...written, size: 300))
    #expect(try recover(disk.copy()).get().hardState.term == written)
    try log.compact(through: 30)
    try log.append([LogWrite(sequence: 2, entries: [entry(written + 1, size: 300)])])
    try log.sync()
    #expect(try recover(disk).get().entries.last?.index == written + 1)
  }

  @Test func errorsOfEveryVerbAreTyped() throws {
    for verb in SimulatedDisk.Verb.allCases {
      for skip in 0..<6 {
        let disk = SimulatedDisk()
        var (log, _) = try open(disk)
        try log.append([write(1...3)])
        try log.sync()
        disk.fail(verb, after: skip)
        // Either it does not matter, or it is a typed error; and the next start finds everything.
        if case .failure(let error) = recover(disk) {
          #expect(error == .disk(DiskError(operation: verb.rawValue, file: error.file, reason: .failed("injected"))))
        }
        disk.stopFailing()
        #expect(try recover(disk).get().entries == entries(1...3))
      }
    }
  }

  @Test func foreignFilesAreRefused() throws {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    try log.append([LogWrite(sequence: 1, hardState: HardState(term: 1), entries: [entry(1)])])
    try log.sync()
    for other in [StorageIdentity(node: NodeID(0xa2), cluster: me.cluster), StorageIdentity(node: me.node, cluster: ClusterID(2))] {
      for keep in ["vote", segment(1)] {
        let mixed = SimulatedDisk()
        _ = try Log.open(mixed, identity: other, options: small)
        mixed.replace(keep, with: try #require(disk.contents(of: keep)))
        do {
          _ = try Log.open(mixed, identity: other, options: small)
          Issue.record("\(keep) of another node was taken")
        } catch {
          guard case .foreign(keep, _) = error else {
            Issue.record(error)
            continue
          }
        }
      }
    }
  }

  @Test func aMissingLogOrVoteIsDamage() throws {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    try log.append([LogWrite(sequence: 1, hardState: HardState(term: 2), entries: [entry(1)])])
    try log.sync()
    let withoutVote = disk.copy()
    try withoutVote.remove("vote")
    #expect(recover(withoutVote).isDamage)
    let withoutLog = disk.copy()
    try withoutLog.remove(segment(1))
    #expect(recover(withoutLog).isDamage)
  }
}
