import KeyValue
import Raft
import Testing

@testable import Replica

/// A leader's snapshot on its way to a peer that lacks what was cut from the log.
@Suite struct TransferTests {
  /// A leader with a snapshot that node 3 needs, just after it has found that out.
  static func begun() throws -> (bench: ReplicaBench, descriptor: SnapshotDescriptor) {
    var settings = ReplicaSettings()
    settings.snapshotAfterBytes = 1000
    settings.logKeptBytes = 0
    var bench = try ReplicaBench(settings: settings)
    bench.becomeLeader()
    for request in 1...20 as ClosedRange<RequestID> {
      bench.step(.propose(request, command: [UInt8](repeating: 7, count: 50)[...], deadline: .never))
      bench.receive(.appendAccepted(match: bench.replica.status.lastIndex))
      guard case .save(let descriptor, _)? = bench.effects.snapshots.first else { continue }
      bench.step(.snapshotSaved(descriptor, bytes: 100))
      bench.receive(.appendRejected(previous: 1, hint: .zero), from: 3)
      return (bench, descriptor)
    }
    throw Missing()
  }

  struct Missing: Error {}

  /// The blocks that the last turn asked the disk for.
  static func reads(_ bench: ReplicaBench) -> [Int] {
    bench.effects.snapshots.compactMap { if case .read(_, let number, _) = $0 { number } else { nil } }
  }

  @Test func noBlockIsReadBehindTheLast() throws {
    var (bench, descriptor) = try Self.begun()
    #expect(Self.reads(bench) == [0])
    bench.step(.snapshotBlock(descriptor, number: 0, block: [1], count: 2, for: NodeID(3)))
    #expect(Self.reads(bench) == [1])
    bench.step(.snapshotBlock(descriptor, number: 1, block: [2], count: 2, for: NodeID(3)))
    #expect(Self.reads(bench).isEmpty)
    let sent = bench.sent(to: "c")
    #expect(sent.contains(.snapshotBlock(descriptor, number: 1, block: [2], last: true)))
  }

  @Test func noMoreIsReadThanTheWindowHolds() throws {
    var (bench, descriptor) = try Self.begun()
    bench.step(.snapshotBlock(descriptor, number: 0, block: [1], count: 10, for: NodeID(3)))
    #expect(Self.reads(bench) == Array(1..<Snapshots.window))
    bench.step(.snapshotBlock(descriptor, number: 1, block: [1], count: 10, for: NodeID(3)))
    #expect(Self.reads(bench).isEmpty)
    bench.receive(.snapshotProgress(descriptor.position, next: 2), from: 3)
    #expect(Self.reads(bench) == [Snapshots.window, Snapshots.window + 1])
  }
  /// The peer may have ended between the last block and its restoring, and has nothing then: only a block makes it say so.
  @Test func theLastBlockIsSentAgainUntilTheStateIsTakenUp() throws {
    var (bench, descriptor) = try Self.begun()
    for number in 0...1 {
      bench.step(.snapshotBlock(descriptor, number: number, block: [1], count: 2, for: NodeID(3)))
      bench.receive(.snapshotProgress(descriptor.position, next: number + 1), from: 3)
    }
    #expect(Self.reads(bench).isEmpty)
    let half = ReplicaSettings().raft.electionTimeout / 2 + 1
    bench.tick(after: half)
    #expect(Self.reads(bench).isEmpty)
    bench.receive(.appendAccepted(match: bench.replica.status.lastIndex))
    bench.tick(after: half)
    #expect(Self.reads(bench) == [1])
    bench.receive(.snapshotProgress(descriptor.position, next: 0), from: 3)
    #expect(Self.reads(bench) == [0, 1])
  }
  @Test func aTransferThatFailsBeginsAnew() throws {
    var (bench, descriptor) = try Self.begun()
    bench.step(.snapshotFailed(descriptor, "block 0 does not verify"))
    var read = Self.reads(bench)
    for _ in 0..<3 {
      bench.tick(after: ReplicaSettings().raft.heartbeatInterval)
      read += Self.reads(bench)
    }
    #expect(read.contains(0))
  }
  /// The leader has gone over to a newer snapshot: what was stored of the older one is of no use.
  @Test func blocksOfTwoSnapshotsAreNotPutTogether() throws {
    var bench = try ReplicaBench()
    bench.follow()
    let snapshots = [10, 20].map {
      SnapshotDescriptor(
        position: LogPosition(index: $0, term: 2), configuration: ReplicaBench.configuration, configurationIndex: 1)
    }
    func stores(_ snapshot: SnapshotDescriptor) -> [Int] {
      bench.effects.snapshots.compactMap { if case .store(snapshot, let number, _, _) = $0 { number } else { nil } }
    }
    bench.receive(.snapshotBlock(snapshots[0], number: 0, block: [1], last: false))
    #expect(stores(snapshots[0]) == [0])
    bench.step(.snapshotStored(snapshots[0], number: 0, last: false))
    bench.receive(.snapshotBlock(snapshots[1], number: 1, block: [2], last: true))
    #expect(bench.effects.snapshots.isEmpty)
    #expect(bench.sent(to: "b") == [.snapshotProgress(snapshots[1].position, next: 0)])
    bench.receive(.snapshotBlock(snapshots[1], number: 0, block: [2], last: false))
    #expect(stores(snapshots[1]) == [0])
  }
}
