import ByteCoding
import KeyValue
import Raft
import Simulation
import Testing
import WriteAheadLog

@testable import Replica

/// What becomes of a snapshot that a leader sent, and of the files around it.
@Suite struct ReceivedSnapshotTests {
  private typealias Storage = NodeStorage<KeyValueMachine, SimulatedDisk>
  private typealias Files = SnapshotFiles<KeyValueMachine, SimulatedDisk>

  private static func descriptor(_ index: LogIndex, _ configuration: Configuration = ReplicaBench.configuration) -> SnapshotDescriptor {
    SnapshotDescriptor(position: LogPosition(index: index, term: 1), configuration: configuration, configurationIndex: 1)
  }

  /// A newer release leads and sends its snapshot, whose format this release does not know. The node's own log and state are whole.
  @Test func oneThatIsNotUnderstoodDoesNotKeepTheNodeFromStarting() throws {
    let member = Member(id: NodeID(1), name: "a", peerAddress: "a:1", clientAddress: "a:2")
    let configuration = Configuration(voters: [member])
    let disk = SimulatedDisk()
    var storage = try Storage(opening: disk, name: "a", newborn: member.id)
    try storage.log.save(IdentityRecord(node: member.id, name: "a", phase: .formed(configuration)))
    let first = Entry(index: 1, term: 1, kind: .configuration, payload: configuration.encoded()[...])
    try storage.log.append([LogWrite(sequence: 1, hardState: HardState(term: 1), entries: [first])])
    try storage.log.sync()
    let new = Self.descriptor(20, configuration)
    let works: [SnapshotWork<KeyValueMachine>] = [.store(new, number: 0, block: [2, 0, 0], last: true), .restore(new)]
    let events = works.map { storage.snapshots.perform($0, cluster: configuration.digest) }
    guard case .snapshotStored = events[0], case .snapshotFailed = events[1] else {
      Issue.record("\(events)")
      return
    }
    #expect(try disk.list().allSatisfy { !$0.hasPrefix("snapshot-") })
    storage.log.close()
    storage.snapshots.close()
    let again = try Storage(opening: disk, name: "a", newborn: NodeID(9))
    #expect(again.recovered?.last.index == 1)
  }

  /// A block that cannot be read is the disk's failure, whatever the state machine makes of it; and it takes all blocks.
  @Test func damageIsSaidToBeDamage() throws {
    let disk = SimulatedDisk()
    let identity = IdentityRecord(node: NodeID(1), name: "a", phase: .formed(ReplicaBench.configuration))
    let new = Self.descriptor(20)
    func failure(spoilt: Bool, blocks: Int) throws -> String? {
      var files = SnapshotFiles<Careless, SimulatedDisk>(disk: disk, identity: identity)
      for number in 0..<blocks {
        let work = SnapshotWork<Careless>.store(new, number: number, block: [7, 7, 7], last: number == blocks - 1)
        _ = files.perform(work, cluster: ReplicaBench.cluster)
      }
      let file = try #require(try disk.list().first { $0.hasPrefix("snapshot-") })
      // Its end is the footer (24 bytes), and before it the last block.
      if spoilt { disk.flip(file, at: try disk.size(try disk.open(file, create: false)) - 25) }
      guard case .snapshotFailed(_, let what) = files.perform(.restore(new), cluster: ReplicaBench.cluster) else { return nil }
      return what
    }
    #expect(try failure(spoilt: true, blocks: 1)?.contains("block 0 does not verify") == true)
    #expect(try failure(spoilt: false, blocks: 2)?.contains("1 of 2 blocks left over") == true)
    #expect(try failure(spoilt: false, blocks: 1) == nil)
  }

  /// The disk was full in the middle of a call. While it waited a snapshot covered its first entries, and the log was cut there.
  @Test func aWriteThatWaitedForRoomGoesOnBehindWhatWasCut() throws {
    let member = Member(id: NodeID(1), name: "a", peerAddress: "a:1", clientAddress: "a:2")
    let configuration = Configuration(voters: [member])
    let disk = SimulatedDisk()
    let options = LogOptions(segmentSize: 4 << 10, fillStep: 4 << 10, batchSize: 1000)
    var storage = try Storage(opening: disk, name: "a", newborn: member.id, options: options)
    try storage.log.save(IdentityRecord(node: member.id, name: "a", phase: .formed(configuration)))
    let first = Entry(index: 1, term: 1, kind: .configuration, payload: configuration.encoded()[...])
    try storage.log.append([LogWrite(sequence: 1, hardState: HardState(term: 1), entries: [first])])
    try storage.log.sync()
    let entries = (2...60 as ClosedRange<LogIndex>).map {
      Entry(index: $0, term: 1, kind: .command, payload: Bytes(repeating: 7, count: 300))
    }
    let writes = [LogWrite(sequence: 2, entries: entries)]
    disk.capacity = disk.usedBytes + 12_000
    #expect(throws: StorageError.self) { try storage.log.append(writes) }
    try storage.log.compact(through: 15)
    disk.capacity = .max
    try storage.log.append(writes)
    try storage.log.sync()
    storage.log.close()
    let identity = StorageIdentity(node: member.id, cluster: configuration.digest)
    let (log, recovered) = try LogStore.open(disk, identity: identity, options: options)
    log.close()
    #expect(recovered.start.index > 1 && recovered.start.index <= 15)
    #expect(recovered.entries == entries.filter { $0.index > recovered.start.index })
  }

  /// A release that was taken back finds a snapshot that it does not understand, but the log holds what is in it.
  @Test func oneOfANewerReleaseIsPassedOverWhereTheLogHasAll() throws {
    let member = Member(id: NodeID(1), name: "a", peerAddress: "a:1", clientAddress: "a:2")
    let configuration = Configuration(voters: [member])
    let disk = SimulatedDisk()
    var storage = try Storage(opening: disk, name: "a", newborn: member.id)
    try storage.log.save(IdentityRecord(node: member.id, name: "a", phase: .formed(configuration)))
    let first = Entry(index: 1, term: 1, kind: .configuration, payload: configuration.encoded()[...])
    let others = (2...30 as ClosedRange<LogIndex>).map { Entry(index: $0, term: 1, kind: .command, payload: [1]) }
    try storage.log.append([LogWrite(sequence: 1, hardState: HardState(term: 1), entries: [first] + others)])
    try storage.log.sync()
    let store = SnapshotStore(disk, identity: StorageIdentity(node: member.id, cluster: configuration.digest))
    var writer = try store.begin(Self.descriptor(20, configuration))
    try writer.append([2, 0, 0])
    try writer.finish()
    storage.log.close()
    let again = try Storage(opening: disk, name: "a", newborn: NodeID(9))
    #expect(again.snapshot == nil && again.recovered?.entries.count == 30)
    #expect(again.repairs.contains { $0.contains("another application or release") })
  }

  /// A snapshot was received, but the log came first, so it is not taken up: the one that the node counts on is still there. Then it leads,
  /// and a peer needs that.
  @Test func theOneThatIsCountedOnStays() throws {
    let disk = SimulatedDisk()
    let identity = IdentityRecord(node: NodeID(1), name: "a", phase: .formed(ReplicaBench.configuration))
    var files = Files(disk: disk, identity: identity)
    let entries = (2...30 as ClosedRange<LogIndex>).map {
      Entry(
        index: $0, term: 1, kind: .command,
        payload: Proposal(origin: NodeID(9), request: $0, command: Bytes(repeating: 0, count: $0 <= 10 ? 1000 : 1)).encoded())
    }
    var settings = ReplicaSettings()
    settings.snapshotAfterBytes = 5000
    settings.logKeptBytes = 0
    var bench = try ReplicaBench(settings: settings)
    func work() -> [SnapshotWork<KeyValueMachine>] { bench.effects.snapshots }
    // It follows b, applies 2...10 and takes a snapshot at 10; its log begins behind it.
    bench.receive(.append(previous: LogPosition(index: 1, term: 1), entries: Array(entries[..<9]), commit: 10), term: 2)
    var events = work().map { files.perform($0, cluster: ReplicaBench.cluster) }
    for event in events { bench.step(event) }
    #expect(bench.replica.status.snapshotIndex == 10 && bench.replica.raft?.keptIndex ?? 0 > 5)
    // b sends a snapshot at 20, whole. It is stored; restoring it takes a while.
    var writer = ByteWriter()
    writer.write(UInt8(1))
    writer.write(UInt64(1))
    writer.write(UInt64(0))
    bench.receive(.snapshotBlock(Self.descriptor(20), number: 0, block: writer.slice, last: true), term: 2)
    events = work().map { files.perform($0, cluster: ReplicaBench.cluster) }
    bench.step(events[0])
    events = work().map { files.perform($0, cluster: ReplicaBench.cluster) }
    guard case .restored = events[0] else {
      Issue.record("\(events)")
      return
    }
    // Meanwhile c leads, whose log still has 11...22: they come by the log, and are committed and applied.
    bench.receive(.append(previous: LogPosition(index: 10, term: 1), entries: Array(entries[9..<21]), commit: 22), from: 3, term: 3)
    #expect(bench.replica.status.appliedIndex == 22)
    for event in events { bench.step(event) }
    #expect(bench.replica.status.snapshotIndex == 10)
    #expect(try disk.list().contains("snapshot-" + NodeID(10).description))
    // c goes; it leads; b lost much and needs a snapshot.
    bench.tick(after: .milliseconds(1001))
    bench.receive(.preVoteResponse(granted: true), term: (bench.replica.raft?.term ?? 0) + 1)
    bench.receive(.voteResponse(granted: true))
    bench.receive(.appendAccepted(match: 23), from: 3)
    bench.receive(.appendRejected(previous: 22, hint: LogPosition(index: 1, term: 1)), from: 2)
    #expect(bench.replica.status.role == .leader)
    var asForPeers = Files(disk: disk, identity: identity)
    let read = try #require(work().first { $0.isForPeers })
    guard case .snapshotBlock = asForPeers.perform(read, cluster: ReplicaBench.cluster) else {
      Issue.record("the snapshot that is counted on cannot be read")
      return
    }
  }

  /// Two leaders have a snapshot of the same position, in other blocks.
  @Test(arguments: [true, false]) func blocksOfTwoFilesAreNotMixed(filesAreNamed: Bool) throws {
    let same = Self.descriptor(10)
    let files: [SnapshotFingerprint] =
      filesAreNamed
      ? [SnapshotFingerprint(checksum: 1, blocks: 2, bytes: 6), SnapshotFingerprint(checksum: 2, blocks: 2, bytes: 6)]
      : [.unknown, .unknown]
    var bench = try ReplicaBench()
    var stored: [(Int, Bytes)] = []
    func note() { for case .store(_, let number, let block, _) in bench.effects.snapshots { stored.append((number, block)) } }
    bench.receive(.snapshotBlock(same, number: 0, block: [1, 2, 3], last: false, file: files[0]), from: 2, term: 2)
    note()
    bench.step(.snapshotStored(same, number: 0, last: false))
    // b goes. c's blocks are cut in other places.
    bench.receive(.snapshotBlock(same, number: 1, block: [9], last: true, file: files[1]), from: 3, term: 3)
    note()
    #expect(bench.sent(to: "c").contains(.snapshotProgress(same.position, next: 0)))
    bench.receive(.snapshotBlock(same, number: 0, block: [1], last: false, file: files[1]), from: 3, term: 3)
    note()
    bench.receive(.snapshotBlock(same, number: 1, block: [2, 3], last: true, file: files[1]), from: 3, term: 3)
    note()
    #expect(stored.map(\.0) == [0, 0, 1] && stored.map(\.1) == [[1, 2, 3], [1], [2, 3]])
  }

  /// The same file goes on where it stopped, whoever leads.
  @Test func theSameFileGoesOnUnderAnotherLeader() throws {
    let file = SnapshotFingerprint(checksum: 1, blocks: 3, bytes: 9)
    var bench = try ReplicaBench()
    bench.receive(.snapshotBlock(Self.descriptor(10), number: 0, block: [1, 2, 3], last: false, file: file), from: 2, term: 2)
    bench.step(.snapshotStored(Self.descriptor(10), number: 0, last: false))
    bench.receive(.snapshotBlock(Self.descriptor(10), number: 0, block: [1, 2, 3], last: false, file: file), from: 3, term: 3)
    #expect(bench.sent(to: "c").contains(.snapshotProgress(Self.descriptor(10).position, next: 1)))
  }

  /// What could not be taken up is not asked for at once again, and each time later.
  @Test func aSnapshotThatWasRefusedIsLeftWaiting() throws {
    let descriptor = Self.descriptor(10)
    var bench = try ReplicaBench()
    bench.follow()
    var pauses: [Nanoseconds] = []
    var refusedAt = bench.now
    while pauses.count < 4 {
      bench.tick(after: .milliseconds(50))
      bench.receive(.snapshotBlock(descriptor, number: 0, block: [1], last: true))
      guard !bench.effects.snapshots.isEmpty else { continue }
      pauses.append(bench.now - refusedAt)
      refusedAt = bench.now
      bench.step(.snapshotFailed(descriptor, "of another release"))
    }
    #expect(pauses.dropFirst() == [.milliseconds(500), .milliseconds(1000), .milliseconds(2000)])
  }

  /// Blocks that the disk does not take wait in memory, up to a bound; the leader sends again what is dropped.
  @Test func blocksThatWaitForTheDiskAreBounded() throws {
    let descriptor = Self.descriptor(10)
    var bench = try ReplicaBench()
    bench.follow()
    var bytes = 0
    for number in 0..<40 {
      bench.receive(.snapshotBlock(descriptor, number: number, block: Bytes(repeating: 1, count: 1 << 20), last: false))
      for case .store(_, _, let block, _) in bench.effects.snapshots { bytes += block.count }
    }
    #expect(bytes == 16 << 20)
    bench.step(.snapshotStored(descriptor, number: 0, last: false))
    bench.receive(.snapshotBlock(descriptor, number: 16, block: [1], last: false))
    #expect(bench.effects.snapshots.count == 1)
  }
}

/// Takes one block, or does without.
private struct Careless: StateMachine, SnapshotSource {
  typealias View = Careless

  init() {}
  init(restoring blocks: inout SnapshotBlocks) { _ = try? blocks.next() }
  mutating func apply(_ commands: [Command]) -> [Bool] { commands.map { _ in true } }
  func makeBlocks() -> CollectionOfOne<[UInt8]>.Iterator { CollectionOfOne([1]).makeIterator() }
}
