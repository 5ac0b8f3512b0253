import KeyValue
import Raft
import Testing

@testable import Replica

/// Pitfall 13: what is cut from the log must be in a snapshot that is durable by then.
@Suite struct CompactionTests {
  /// A follower that has applied so much that it takes a snapshot.
  static func due() throws -> (bench: ReplicaBench, descriptor: SnapshotDescriptor) {
    var settings = ReplicaSettings()
    settings.snapshotAfterBytes = 1000
    settings.logKeptBytes = 200
    var bench = try ReplicaBench(settings: settings)
    bench.follow()
    for index in 2...20 as ClosedRange<LogIndex> {
      let entry = Entry(index: index, term: 2, kind: .command, payload: [UInt8](repeating: 7, count: 50)[...])
      bench.receive(
        .append(previous: LogPosition(index: index - 1, term: index == 2 ? 1 : 2), entries: [entry], commit: index))
      for case .save(let descriptor, _) in bench.effects.snapshots { return (bench, descriptor) }
      #expect(bench.effects.compact == nil)
    }
    throw Missing()
  }

  struct Missing: Error {}

  @Test func nothingIsCutBeforeTheSnapshotIsDurable() throws {
    var (bench, descriptor) = try Self.due()
    #expect(bench.effects.compact == nil)
    let index = descriptor.position.index
    bench.receive(.commit(index))
    bench.tick(after: .milliseconds(10))
    #expect(bench.effects.compact == nil)
    #expect(bench.replica.raft?.logStart.index == 0)
    bench.step(.snapshotSaved(descriptor, bytes: 100))
    let compact = try #require(bench.effects.compact)
    #expect(compact < index, "what a peer may want that was away for a moment is kept")
    #expect(compact > 0)
    #expect(bench.replica.raft?.logStart.index == compact)
  }

  @Test func aSnapshotThatFailsCutsNothingAndIsTriedAgain() throws {
    var (bench, descriptor) = try Self.due()
    bench.step(.snapshotFailed(descriptor, "no space"))
    #expect(bench.effects.compact == nil)
    #expect(bench.effects.diagnostics.contains(.snapshotFailed(descriptor.position.index, "no space")))
    // Not at once: a disk that is full now may not be then.
    bench.now = bench.now + .milliseconds(5000)
    var saves = 0
    for index in (descriptor.position.index + 1)...(descriptor.position.index + 20) {
      let entry = Entry(index: index, term: 2, kind: .command, payload: [UInt8](repeating: 7, count: 50)[...])
      bench.receive(.append(previous: LogPosition(index: index - 1, term: 2), entries: [entry], commit: index))
      saves += bench.effects.snapshots.count
    }
    #expect(saves == 1)
  }

  // MARK: While a peer gets a snapshot

  /// A leader that sends c a snapshot, and takes another one meanwhile: what c needs behind the first is kept.
  @Test func whatFollowsASnapshotThatIsOnItsWayIsKept() throws {
    var settings = ReplicaSettings()
    settings.snapshotAfterBytes = 1000
    settings.logKeptBytes = 0
    var bench = try ReplicaBench(settings: settings)
    bench.becomeLeader()
    let first = try #require(Self.writeUntilSnapshot(&bench))
    bench.step(.snapshotSaved(first, bytes: 0))
    #expect(bench.replica.raft?.keptIndex == 0, "c was heard of so recently that its part of the log is kept")
    bench.passTimeWithoutC()
    #expect(bench.replica.raft?.keptIndex == first.position.index)
    bench.receive(.appendRejected(previous: 1, hint: .zero), from: 3)
    let isSending = bench.effects.snapshots.contains { if case .read(first, _, _) = $0 { true } else { false } }
    #expect(isSending)

    let second = try #require(Self.writeUntilSnapshot(&bench))
    bench.step(.snapshotSaved(second, bytes: 0))
    #expect(second.position.index > first.position.index)
    #expect(bench.replica.raft?.keptIndex == first.position.index)
  }

  // MARK: In proportion to the state

  /// Writing a large state costs no more than writing the log that makes it necessary, whatever its size.
  @Test func aLargeStateIsSavedLessOften() throws {
    var settings = ReplicaSettings()
    settings.snapshotAfterBytes = 1000
    var bench = try ReplicaBench(settings: settings)
    bench.becomeLeader()
    var written = 0
    for (state, expected) in [(100, 1000), (2000, 1000), (5000, 2500), (3000, 1500)] {
      let before = bench.replica.raft?.keptBytes ?? 0
      let descriptor = try #require(Self.writeUntilSnapshot(&bench))
      // What was written until now is what the state before asked for.
      let bytes = (bench.replica.raft?.keptBytes ?? 0) - before
      if written > 0 { #expect(abs(bytes - written) < 300, "\(bytes) bytes, \(written) expected") }
      written = expected
      bench.step(.snapshotSaved(descriptor, bytes: state))
    }
  }

  /// What is applied leaves memory, down to the bound; the disk keeps it.
  @Test func memoryHoldsTheNewestPartOfTheLog() throws {
    var settings = ReplicaSettings()
    settings.logMemoryBytes = 2000
    var bench = try ReplicaBench(settings: settings)
    bench.becomeLeader()
    for request in 1...200 as ClosedRange<RequestID> {
      bench.step(.propose(request, command: [UInt8](repeating: 7, count: 50)[...], deadline: .never))
      bench.receive(.appendAccepted(match: bench.replica.raft?.lastIndex ?? 0))
      #expect(bench.replica.raft?.logBytes ?? 0 <= 2000 + 200)
    }
    #expect(bench.replica.raft?.keptIndex == 0 && bench.replica.raft?.logStart.index ?? 0 > 150)
    // Nothing leaves it that is not applied.
    bench.step(.propose(999, command: [UInt8](repeating: 7, count: 5000)[...], deadline: .never))
    #expect(bench.replica.raft?.logStart.index ?? 0 <= bench.replica.status.appliedIndex)
  }

  /// Clients write, and b has everything, until the leader wants to take a snapshot.
  private static func writeUntilSnapshot(_ bench: inout ReplicaBench) -> SnapshotDescriptor? {
    for request in 1...80 as ClosedRange<RequestID> {
      let put = Request.put(PutRequest(key: [1], value: [UInt8](repeating: 7, count: 50)))
      let id = (bench.replica.raft?.lastIndex ?? 0) << 8 | request
      bench.step(.propose(id, command: put.encoded()[...], deadline: .never))
      bench.receive(.appendAccepted(match: bench.replica.raft?.lastIndex ?? 0))
      for case .save(let descriptor, _) in bench.effects.snapshots { return descriptor }
    }
    return nil
  }
}
