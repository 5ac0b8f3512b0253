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

  /// The hint of a log that is shorter now does not come back when it grows again.
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
}
