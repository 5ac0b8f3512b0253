import Raft
import Simulation
import Testing
import WriteAheadLog

/// A commit index speaks of the entries that it came with, and of no others.
@Suite struct CommitIndexTests {
  /// Found by the simulator (seed 7126): the header of the next segment is durable before the batch that the commit index came with.
  @Test(arguments: [SimulatedDisk.Verb.write, .sync, .syncDirectory], 0...3)
  func aSuffixThatWasToBeReplacedIsNotCommitted(verb: SimulatedDisk.Verb, skip: Int) throws {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    try log.append([write(1...4, commit: 2)])
    try log.sync()
    try log.append([write(5...5, size: 3000, commit: 2)])
    try log.sync()
    // A newer leader replaces what follows entry 2, and says that it is committed. It needs a new segment.
    disk.fail(verb, after: skip)
    let isWritten = (try? log.append([write(3...8, term: 2, size: 300, commit: 7)])) != nil && (try? log.sync()) != nil
    log.close()
    disk.stopFailing()
    let recovered = try recover(disk).get()
    let committed = recovered.entries.filter { $0.index <= recovered.commit }
    #expect(committed.allSatisfy { $0.index <= 2 || $0.term == 2 }, "what was to be replaced counts as committed")
    #expect(recovered.commit >= 2)
    if isWritten { #expect(recovered.commit == 7) }
  }

  /// What lies beyond the end of the log is not what its commit index spoke of, when it comes.
  @Test func aCommitIndexBeyondTheLogIsForgotten() throws {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    try log.append([write(1...4, commit: 9)])
    try log.sync()
    log.close()
    (log, _) = try open(disk)
    try log.append([write(5...12)])
    try log.sync()
    log.close()
    #expect(try recover(disk).get().commit == 4)
  }

  /// One call holds an old leader's suffix, and what a newer leader has in its place and committed. Whichever of its operations is the
  /// last: nothing of the old leader counts as committed.
  @Test(arguments: [LogOptions(batchSize: 64 << 10), small])
  func aSuffixThatTheSameCallReplacesIsNotCommitted(options: LogOptions) throws {
    let size = options.batchSize / 8 - Entry.headerSize
    let writes = [write(5...12, size: size, commit: 4), write(5...10, term: 2, size: size, commit: 10)]
    try cutThePower(after: [write(1...4, commit: 4)], writing: writes, options) { _ in }
  }

  /// The same after a full disk stopped the call somewhere, and it is made again.
  @Test func aCallThatIsMadeAgainDoesNotCommitWhatItReplaces() throws {
    let writes = [
      write(5...20, size: 200, commit: 4), write(5...8, term: 2, size: 230, commit: 8), write(9...20, term: 2, size: 230, commit: 20),
    ]
    for room in stride(from: 0, through: 12_000, by: 1000) {
      try cutThePower(after: [write(1...4, commit: 4)], writing: writes, small) { disk in disk.capacity = disk.usedBytes + room }
    }
  }

  /// The old leader's suffix is durable when the call comes that replaces it, in several batches: the first of them must not speak of what
  /// the last one brings.
  @Test func aBatchDoesNotSpeakOfTheNext() throws {
    let old = [write(1...4, commit: 4), write(5...20, size: 200, commit: 4)]
    try cutThePower(after: old, writing: [write(5...20, term: 2, size: 230, commit: 20)], small) { _ in }
  }

  /// Writes `durable`, then `writes`, and cuts the power after each operation that this takes. Entries from 5 on are committed in term 2.
  private func cutThePower(
    after durable: [LogWrite], writing writes: [LogWrite], _ options: LogOptions, prepare: (SimulatedDisk) -> Void
  ) throws {
    for operation in 1...200 {
      let disk = SimulatedDisk()
      var (log, _) = try open(disk, options)
      try log.append(durable)
      try log.sync()
      prepare(disk)
      disk.powerFailsAfter = disk.operationCount + operation
      _ = failure { () throws(StorageError) in try log.append(writes) }
      disk.capacity = .max
      let isDone =
        failure(of: { () throws(StorageError) in
          try log.append(writes)
          try log.sync()
        }) == nil
      var random = PseudoRandom(seed: UInt64(operation))
      disk.losePower(using: &random)
      let recovered = try recover(disk, options).get()
      let committed = recovered.entries.filter { $0.index <= recovered.commit }
      #expect(committed.allSatisfy { $0.index <= 4 || $0.term == 2 }, "after operation \(operation): commit \(recovered.commit)")
      if isDone { return }
    }
    Issue.record("the call takes more operations than were tried")
  }

  private func failure(of call: () throws(StorageError) -> Void) -> StorageError? {
    do throws(StorageError) {
      try call()
      return nil
    } catch {
      return error
    }
  }
}
