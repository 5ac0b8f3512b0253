import ByteCoding
import KeyValue
import Raft
import Testing
import WriteAheadLog

@testable import Replica
@testable import Simulation

/// The rules of storage, each broken by hand.
@Suite struct DiskRulesTests {
  private let segment = "log-0000000000000001"

  private func free(_ place: Int) -> [UInt8] {
    var writer = ByteWriter()
    writer.write(raw: "CoracleF".utf8)
    writer.write(UInt64(1))
    writer.write(UInt64(place))
    writer.write(raw: repeatElement(0, count: 512 - writer.count))
    return writer.bytes
  }

  private func sectors(_ count: Int) -> [UInt8] { [UInt8](repeating: 7, count: count * 512) }

  /// A header, and three free sectors.
  private func makeSegment() throws -> (SimulatedDisk, SimulatedDisk.File) {
    let disk = SimulatedDisk()
    disk.replace(segment, with: sectors(1) + free(1) + free(2) + free(3))
    return (disk, try disk.open(segment, create: false))
  }

  @Test func aBatchIsWrittenOverDurableFreeSectorsWithOneBehind() throws {
    let (disk, file) = try makeSegment()
    try disk.write(file, offset: 512, sectors(1))
    try disk.sync(file)
    try disk.write(file, offset: 1024, sectors(1))
    #expect(disk.misuses.isEmpty)
    // What a start may do: write the last batch again, and mark sectors free.
    disk.crash()
    let again = try disk.open(segment, create: false)
    try disk.write(again, offset: 1024, sectors(1) + free(3))
    try disk.sync(again)
    #expect(disk.misuses.isEmpty)
    // The last free sector stays free.
    try disk.write(again, offset: 1536, sectors(1))
    #expect(disk.misuses.count == 1)
  }

  @Test func aBatchWaitsForTheOneBefore() throws {
    let (disk, file) = try makeSegment()
    try disk.write(file, offset: 512, sectors(1))
    try disk.write(file, offset: 1024, sectors(1))
    #expect(disk.misuses.count == 1)
  }

  @Test func aBatchWaitsForItsRoom() throws {
    let (disk, file) = try makeSegment()
    try disk.fill(file, offset: 2048, free(4) + free(5))
    try disk.sync(file)
    try disk.write(file, offset: 512, sectors(4))
    #expect(disk.misuses.isEmpty)
    let (other, late) = try makeSegment()
    try other.fill(late, offset: 2048, free(4) + free(5))
    try other.write(late, offset: 512, sectors(4))
    #expect(other.misuses.count == 2, "what was written before is not durable, nor is the room")
    let (third, zeros) = try makeSegment()
    third.zeroSector(segment, 2)
    third.isDamaged = false
    try third.write(zeros, offset: 512, sectors(2))
    #expect(third.misuses.count == 1)
  }

  @Test func aFileGetsItsNameWhenItIsDurable() throws {
    for isSynced in [true, false] {
      let disk = SimulatedDisk()
      let file = try disk.open("snapshot-1.part", create: true)
      try disk.write(file, offset: 0, [1])
      if isSynced { try disk.sync(file) }
      try disk.rename("snapshot-1.part", to: "snapshot-1")
      #expect(disk.misuses.isEmpty == isSynced)
    }
    let disk = SimulatedDisk()
    let file = try disk.open("snapshot-1.part", create: true)
    try disk.write(file, offset: 0, [1])
    disk.fail(.sync)
    #expect(throws: DiskError.self) { try disk.sync(file) }
    try disk.sync(file)
    try disk.rename("snapshot-1.part", to: "snapshot-1")
    #expect(disk.misuses.count == 1, "the second sync proves nothing")
  }

  @Test func aSnapshotHoldsTheLogOnceItIsDurable() throws {
    let disk = SimulatedDisk()
    let name = "snapshot-0000000000000010"
    let file = try disk.open(name + ".part", create: true)
    try disk.write(file, offset: 0, [1])
    try disk.sync(file)
    try disk.rename(name + ".part", to: name)
    #expect(!disk.holdsSnapshot(through: 1))
    try disk.syncDirectory()
    #expect(disk.holdsSnapshot(through: 16) && !disk.holdsSnapshot(through: 17))
    try disk.remove(name)
    #expect(!disk.holdsSnapshot(through: 1))
  }

  // MARK: The cluster looks

  /// A cluster of one that has written for a while.
  private func makeCluster() throws -> SimulatedCluster<KeyValueMachine> {
    let cluster = SimulatedCluster<KeyValueMachine>(names: ["a"], seed: 3)
    try cluster.startAll()
    for index in 0..<20 {
      let request = cluster.propose(put("k", "\(index)").encoded(), on: "a")
      #expect(cluster.run(within: .milliseconds(5000)) { cluster.outcome(of: request) != nil })
    }
    #expect(cluster.violations.isEmpty)
    return cluster
  }

  private func put(_ key: String, _ value: String) -> Request { .put(PutRequest(key: Array(key.utf8), value: Array(value.utf8))) }

  private func texts(_ cluster: SimulatedCluster<KeyValueMachine>) -> [String] {
    cluster.violations.map { "\($0.checker): \($0.text)" }
  }

  @Test func anUnsyncedNameIsFound() throws {
    let cluster = try makeCluster()
    let disk = cluster.disk(of: "a")
    _ = try disk.open("other.part", create: true)
    cluster.auditDisk(of: 0)
    #expect(cluster.violations.isEmpty)
    _ = try disk.open("other", create: true)
    cluster.auditDisk(of: 0)
    #expect(texts(cluster).count == 1 && texts(cluster)[0].contains("other was made, renamed or removed"))
    // What a failed call left is for the next start.
    disk.fail(.remove)
    #expect(throws: DiskError.self) { try disk.remove("other") }
    try disk.remove("other")
    cluster.auditDisk(of: 0)
    #expect(cluster.violations.count == 1)
  }

  @Test func aConfirmationThatStandsOnNothingIsFound() throws {
    let cluster = try makeCluster()
    let disk = cluster.disk(of: "a")
    for _ in 0..<512 { cluster.auditConfirmation(of: 0) }
    #expect(cluster.violations.isEmpty)
    // The disk's own copy is that of a moment ago.
    let node = try #require(disk.names[segment])
    disk.nodes[node].durable.replaceSubrange(1024..<1536, with: free(2))
    for _ in 0..<512 { cluster.auditConfirmation(of: 0) }
    #expect(texts(cluster).count == 1 && texts(cluster)[0].contains("had the power gone when writes were confirmed"))
  }

  @Test func aRemovalOfWhatIsNeededIsFound() throws {
    let cluster = try makeCluster()
    let disk = cluster.disk(of: "a")
    disk.removalsPerImage = 1
    try disk.remove(segment)
    try disk.syncDirectory()
    cluster.auditDisk(of: 0)
    #expect(texts(cluster).count == 1 && texts(cluster)[0].contains("when \(segment) was removed, it would not start"))
  }

  @Test func aLogThatIsLetGoBeforeItsSnapshotIsFound() throws {
    let cluster = try makeCluster()
    var effects = ReplicaEffects<KeyValueMachine>()
    cluster.auditTurn(of: 0, effects)
    #expect(cluster.violations.isEmpty)
    effects.control.compact = 4
    effects.control.writes = [LogWrite(sequence: 9, reset: LogPosition(index: 7, term: 2))]
    cluster.auditTurn(of: 0, effects)
    #expect(texts(cluster).count == 2)
    let snapshot = try cluster.disk(of: "a").open("snapshot-0000000000000007", create: true)
    try cluster.disk(of: "a").sync(snapshot)
    try cluster.disk(of: "a").syncDirectory()
    cluster.auditTurn(of: 0, effects)
    #expect(texts(cluster).count == 2)
  }

  /// The bytes of the first segment are in the page cache, and nowhere else, when its sync has failed.
  @Test func aFirstSegmentWhoseSyncFailedIsMadeAnew() throws {
    let disk = SimulatedDisk()
    let identity = StorageIdentity(node: NodeID(1), cluster: ClusterID(1))
    disk.fail(.sync, prefix: "log-")
    #expect(throws: StorageError.self) { try LogStore.open(disk, identity: identity) }
    var (log, _) = try LogStore.open(disk, identity: identity)
    try log.append([LogWrite(sequence: 1, entries: [Entry(index: 1, term: 1, kind: .command, payload: [1])])])
    try log.sync()
    #expect(disk.misuses.isEmpty)
    #expect(!disk.fileNames.contains { $0.hasSuffix(".part") })
    var random = PseudoRandom(seed: 1)
    disk.losePower(using: &random)
    #expect(try LogStore.open(disk, identity: identity).1.last.index == 1)
  }
}
