import Raft
import Replica
import Testing

@testable import Simulation

/// Each bound is broken by hand, and named; and what is just within it is accepted.
@Suite struct BoundsCheckerTests {
  typealias Change = @Sendable (inout ReplicaSizes) -> Void

  static let settings: ReplicaSettings = {
    var settings = ReplicaSettings()
    settings.maximumPendingRequests = 24
    settings.maximumPendingBytes = 4000
    settings.maximumCommandSize = 1000
    settings.maximumForwardBytes = 500
    settings.maximumWithheldMessages = 10
    settings.maximumWithheldBytes = 2000
    settings.forgottenAtOnce = 8
    settings.applyBytesPerTurn = 300
    settings.maximumBlocksUnderWay = 2
    settings.snapshotWindowBytes = 1
    settings.maximumBlockBytesWaiting = 100
    settings.logMemoryBytes = 1000
    settings.logKeptBytes = 0
    settings.raft.maximumInflightMessages = 3
    settings.raft.maximumInflightBytes = 1500
    settings.raft.maximumAppendBytes = 200
    settings.raft.maximumUncommittedBytes = 3000
    settings.raft.maximumReads = 4
    return settings
  }()

  private func found(
    _ role: RaftCore.Role, turn: BoundsChecker.Turn = BoundsChecker.Turn(), applied: LogIndex = 5, bytesInMemory: Int = 0, _ change: Change
  ) -> [String] {
    var checker = BoundsChecker(names: ["a", "b", "c"])
    var sizes = ReplicaSizes()
    // As many as may be at once, so that nothing else is out of proportion.
    sizes.pendingRequests = 4
    change(&sizes)
    let state = ConsensusState(
      id: NodeID(1), role: role, term: 1, commitIndex: applied, appliedIndex: applied, lastIndex: applied, durableIndex: applied, voters: 3)
    checker.check(0, sizes, state, turn, Self.settings, segmentSize: 4096, now: .zero, bytesInMemory: { _ in bytesInMemory })
    #expect(checker.violations.allSatisfy { $0.checker == .bounds })
    return checker.violations.map(\.text)
  }

  @Test(
    arguments: [
      ("requests that wait", 24, { @Sendable in $0.pendingRequests = $1 }), ("bytes of commands", 4000, { $0.pendingBytes = $1 }),
      ("deadlines", 96, { $0.deadlines = $1 }), ("commands that wait for a leader", 4, { $0.queued = $1 }),
      ("reads that wait for a round", 4, { $0.waitingReads = $1 }), ("batches of reads", 4, { $0.readBatches = $1 }),
      ("commands in flight", 20, { $0.inFlight = $1 }), ("messages that wait", 10, { $0.withheldMessages = $1 }),
      ("bytes of messages", 2000, { $0.withheldBytes = $1 }), ("snapshots on their way", 2, { $0.transfers = $1 }),
      ("blocks under way", 2, { $0.blocksUnderWay = $1 }), ("bytes of blocks under way", 65_537, { $0.blockBytesUnderWay = $1 }),
      ("streams of forwarded", 2048, { $0.raft.streams = $1 }), ("batches of reads that wait for a majority", 4, { $0.raft.reads = $1 }),
      ("appends under way", 3, { $0.raft.inflightMessages = $1 }), ("bytes under way", 2564, { $0.raft.inflightBytes = $1 }),
      ("uncommitted bytes", 3000, { $0.raft.uncommittedBytes = $1 }),
      ("bytes of applied entries in memory", 1000, { $0.raft.logBytes = $1 }),
    ] as [(String, Int, @Sendable (inout ReplicaSizes, Int) -> Void)])
  func namesWhatIsBeyondItsBound(what: String, bound: Int, set: @Sendable (inout ReplicaSizes, Int) -> Void) {
    #expect(found(.leader) { set(&$0, bound) }.isEmpty)
    let beyond = found(.leader) { set(&$0, bound + 1) }
    #expect(beyond.count == 1 && beyond.first?.contains(what) == true, "\(beyond)")
  }

  @Test(
    arguments: [{ @Sendable in $0.raft.reads = 1 }, { $0.raft.peers = 1 }, { $0.raft.uncommittedBytes = 1 }] as [Change])
  func namesALeadersTableWithoutALeader(change: Change) {
    #expect(found(.leader, change).isEmpty)
    #expect(found(.follower, change).first?.contains("without leading") == true)
  }

  @Test func namesTooMuchWorkInOneTurn() {
    var turn = BoundsChecker.Turn()
    (turn.entriesApplied, turn.bytesApplied) = (2, 301)
    #expect(found(.follower, turn: turn) { _ in }.first?.contains("applied in one turn") == true)
    turn.entriesApplied = 1
    #expect(found(.follower, turn: turn) { _ in }.isEmpty, "one that is larger goes alone")
    turn = BoundsChecker.Turn()
    turn.frames = 100
    #expect(found(.follower, turn: turn) { _ in }.first?.contains("frames in one turn") == true)
  }

  @Test func namesAnsweredCommandsThatAreKept() {
    var checker = BoundsChecker(names: ["a", "b", "c"])
    for applied in 1...30 as ClosedRange<LogIndex> {
      var sizes = ReplicaSizes()
      (sizes.pendingRequests, sizes.inFlight) = (1, Int(applied))
      let state = ConsensusState(
        id: NodeID(1), role: .leader, term: 1, commitIndex: applied, appliedIndex: applied, lastIndex: applied, durableIndex: applied,
        voters: 3)
      checker.check(0, sizes, state, BoundsChecker.Turn(), Self.settings, segmentSize: 4096, now: .zero, bytesInMemory: { _ in 0 })
    }
    #expect(checker.violations.first?.text.contains("14 commands in flight") == true, "\(checker.violations)")
  }

  @Test func namesALogThatGrowsForGood() {
    #expect(found(.leader) { ($0.snapshotInterval, $0.bytesApplied) = (1000, 999) }.isEmpty)
    #expect(found(.leader) { ($0.snapshotInterval, $0.bytesApplied) = (1000, 1000) }.first?.contains("and takes none") == true)
    #expect(found(.leader) { ($0.snapshotInterval, $0.raft.keptBytes) = (1000, 15_192) }.isEmpty)
    #expect(found(.leader) { ($0.snapshotInterval, $0.raft.keptBytes) = (1000, 15_193) }.first?.contains("the disk alone") == true)
    var turn = BoundsChecker.Turn()
    turn.failedSnapshot = true
    #expect(found(.leader, turn: turn) { ($0.snapshotInterval, $0.raft.keptBytes) = (1000, 100_000) }.isEmpty, "no snapshot, no cut")
  }

  @Test func entriesThatAreNotAppliedMayStay() {
    #expect(found(.leader, bytesInMemory: 600) { $0.raft.logBytes = 1600 }.isEmpty)
    #expect(found(.leader, bytesInMemory: 599) { $0.raft.logBytes = 1600 }.count == 1)
  }

  @Test func oneBlockMayBeLargerThanItsRoom() {
    #expect(found(.follower) { ($0.blocksWaiting, $0.blockBytesWaiting) = (1, 500) }.isEmpty)
    #expect(found(.follower) { ($0.blocksWaiting, $0.blockBytesWaiting) = (2, 101) }.first?.contains("wait for the disk") == true)
  }

  /// The cluster shows its checker what nodes really hold.
  @Test func aClusterIsLookedAt() {
    var story = HealthWatchTests.quiet(lasting: .milliseconds(3000))
    story.scale.snapshotBytes = 500
    let run = Run<KeyValueWorkload>(story)
    run.cluster.settings.snapshotAfterBytes = 1_000_000
    #expect(run.run().violations.isEmpty)
    let strict = Run<KeyValueWorkload>(story)
    // The nodes keep what they were started with, and the checker holds them to less.
    let commit = strict.cluster.onCommit
    strict.cluster.onCommit = { entry in
      commit?(entry)
      if entry.index == 10 { strict.cluster.settings.logMemoryBytes = 0 }
    }
    #expect(strict.run().violations.first?.checker == .bounds)
  }
}
