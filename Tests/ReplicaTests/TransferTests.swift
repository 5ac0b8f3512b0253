import ByteCoding
import KeyValue
import Raft
import Testing

@testable import Replica

/// A leader's snapshot on its way to a peer that lacks what was cut from the log.
@Suite struct TransferTests {
  /// A leader with a snapshot that node 3 needs, just after it has found that out.
  static func begun(window: Int = ReplicaSettings().snapshotWindowBytes) throws -> (bench: ReplicaBench, descriptor: SnapshotDescriptor) {
    var settings = ReplicaSettings()
    settings.snapshotAfterBytes = 1000
    settings.logKeptBytes = 0
    settings.snapshotWindowBytes = window
    var bench = try ReplicaBench(settings: settings)
    bench.becomeLeader()
    for request in 1...20 as ClosedRange<RequestID> {
      bench.step(.propose(request, command: [UInt8](repeating: 7, count: 50)[...], deadline: .never))
      bench.receive(.appendAccepted(match: bench.replica.status.lastIndex))
      guard case .save(let descriptor, _)? = bench.effects.snapshots.first else { continue }
      bench.step(.snapshotSaved(descriptor, bytes: 100))
      bench.passTimeWithoutC()
      bench.receive(.appendRejected(previous: 1, hint: .zero), from: 3)
      return (bench, descriptor)
    }
    throw Missing()
  }

  struct Missing: Error {}

  /// A file of so many blocks.
  static func file(_ blocks: UInt32) -> SnapshotFingerprint { SnapshotFingerprint(checksum: 1, blocks: blocks, bytes: UInt64(blocks)) }

  /// The blocks that the last turn asked the disk for.
  static func reads(_ bench: ReplicaBench) -> [Int] {
    bench.effects.snapshots.compactMap { if case .read(_, let number, _) = $0 { number } else { nil } }
  }

  @Test func noBlockIsReadBehindTheLast() throws {
    var (bench, descriptor) = try Self.begun()
    #expect(Self.reads(bench) == [0])
    bench.step(.snapshotBlock(descriptor, number: 0, block: [1], file: Self.file(2), for: NodeID(3)))
    #expect(Self.reads(bench) == [1])
    bench.step(.snapshotBlock(descriptor, number: 1, block: [2], file: Self.file(2), for: NodeID(3)))
    #expect(Self.reads(bench).isEmpty)
    let sent = bench.sent(to: "c")
    #expect(sent.contains(.snapshotBlock(descriptor, number: 1, block: [2], last: true, file: Self.file(2))))
  }

  /// The window is in bytes. Of a block that was not read yet only its usual size is known.
  @Test func noMoreIsReadThanTheWindowHolds() throws {
    let size = SnapshotBlockSize.preferred
    let block = Bytes(repeating: 1, count: size)
    var (bench, descriptor) = try Self.begun(window: 3 * size)
    bench.step(.snapshotBlock(descriptor, number: 0, block: block, file: Self.file(10), for: NodeID(3)))
    #expect(Self.reads(bench) == [1, 2])
    bench.step(.snapshotBlock(descriptor, number: 1, block: block, file: Self.file(10), for: NodeID(3)))
    #expect(Self.reads(bench).isEmpty)
    bench.receive(.snapshotProgress(descriptor.position, next: 1), from: 3)
    #expect(Self.reads(bench) == [3])
    // A larger one fills it alone.
    bench.step(.snapshotBlock(descriptor, number: 2, block: Bytes(repeating: 1, count: 4 * size), file: Self.file(10), for: NodeID(3)))
    bench.receive(.snapshotProgress(descriptor.position, next: 2), from: 3)
    #expect(Self.reads(bench).isEmpty)
    bench.receive(.snapshotProgress(descriptor.position, next: 4), from: 3)
    #expect(Self.reads(bench) == [4, 5, 6])
  }

  /// The peer may have ended between the last block and its restoring, and has nothing then: only a block makes it say so.
  @Test func theLastBlockIsSentAgainUntilTheStateIsTakenUp() throws {
    var (bench, descriptor) = try Self.begun()
    for number in 0...1 {
      bench.step(.snapshotBlock(descriptor, number: number, block: [1], file: Self.file(2), for: NodeID(3)))
      bench.receive(.snapshotProgress(descriptor.position, next: number + 1), from: 3)
    }
    #expect(Self.reads(bench).isEmpty)
    let half = ReplicaSettings().raft.electionTimeout / 2 + Nanoseconds(1)
    bench.tick(after: half)
    #expect(Self.reads(bench).isEmpty)
    bench.receive(.appendAccepted(match: bench.replica.status.lastIndex))
    bench.tick(after: half)
    #expect(Self.reads(bench) == [1])
    bench.receive(.snapshotProgress(descriptor.position, next: 0), from: 3)
    #expect(Self.reads(bench) == [0, 1])
  }
  /// A snapshot that cannot be read is of no use: another takes its place, and goes to the peer. Nothing is tried again at once.
  @Test func aSnapshotThatCannotBeReadIsReplaced() throws {
    var (bench, descriptor) = try Self.begun()
    bench.step(.snapshotFailed(descriptor, "block 0 does not verify"))
    guard case .save(let other, _)? = bench.effects.snapshots.last else {
      Issue.record("no other is taken: \(bench.effects.snapshots)")
      return
    }
    #expect(other.position.index >= descriptor.position.index)
    #expect(Self.reads(bench).isEmpty)
    // That one fails too, since the disk is full: there is a pause before the next.
    bench.step(.snapshotFailed(other, "no space left"))
    var saves: [Instant] = []
    for _ in 0..<300 {
      bench.beatWithoutC()
      for case .save(let again, _) in bench.effects.snapshots {
        saves.append(bench.now)
        if saves.count < 3 { bench.step(.snapshotFailed(again, "no space left")) } else { bench.step(.snapshotSaved(again, bytes: 100)) }
      }
      if saves.count == 3 { break }
    }
    #expect(saves.count == 3)
    #expect(zip(saves, saves.dropFirst()).allSatisfy { $1 - $0 >= .milliseconds(5000) })
    #expect(Self.reads(bench) == [0])
  }

  /// The peer is gone: what was read for it stays open no longer than that is known.
  @Test func theFileIsClosedWhenTheTransferEnds() throws {
    var (bench, descriptor) = try Self.begun()
    bench.step(.snapshotBlock(descriptor, number: 0, block: [1], file: Self.file(1), for: NodeID(3)))
    bench.receive(.appendAccepted(match: descriptor.position.index), from: 3)
    bench.tick(after: .milliseconds(50))
    #expect(bench.effects.snapshots.contains { if case .release(for: NodeID(3)) = $0 { true } else { false } })
  }
}
