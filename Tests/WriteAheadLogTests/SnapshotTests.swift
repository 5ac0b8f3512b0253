import ByteCoding
import Raft
import Simulation
import Testing
import WriteAheadLog

@Suite struct SnapshotTests {
  typealias Store = SnapshotStore<SimulatedDisk>
  private let blocks: [[UInt8]] = [[1, 2, 3], [UInt8](repeating: 9, count: 300), [4]]

  private func makeSnapshot(_ index: LogIndex, on disk: SimulatedDisk) throws -> Store {
    let store = try Store.open(disk, identity: me)
    var writer = try store.begin(descriptor(index))
    for block in blocks { try writer.append(block[...]) }
    try writer.finish()
    return store
  }

  private func log(from start: LogIndex, through last: LogIndex) -> DurableState {
    DurableState(
      hardState: HardState(), start: LogPosition(index: start, term: start == 0 ? 0 : 1),
      entries: start < last ? entries((start + 1)...last) : [], commit: start)
  }

  private func verify(_ reader: SnapshotReader<SimulatedDisk>) throws(StorageError) { try reader.verify() }

  @Test func whatWasWrittenComesBack() throws {
    let disk = SimulatedDisk()
    let store = try makeSnapshot(7, on: disk)
    var random = PseudoRandom(seed: 3)
    disk.losePower(using: &random)
    #expect(try store.list() == [7])
    let reader = try store.read(7)
    #expect(reader.descriptor == descriptor(7))
    #expect(reader.blockCount == 3 && reader.totalBytes == 304)
    for number in [2, 0, 1] { #expect(try reader.block(number) == blocks[number]) }
    #expect(throws: StorageError.self) { try reader.block(3) }
  }

  @Test func everyFlippedByteIsDetected() throws {
    let disk = SimulatedDisk()
    let store = try makeSnapshot(7, on: disk)
    let name = "snapshot-" + NodeID(7).description
    let size = try #require(disk.contents(of: name)).count
    for offset in 0..<size {
      disk.flip(name, at: offset)
      #expect(throws: StorageError.self, "byte \(offset)") { try store.read(7).verify() }
      disk.flip(name, at: offset)
    }
    for length in 0..<size {
      let cut = disk.copy()
      cut.replace(name, with: Array(try #require(disk.contents(of: name)).prefix(length)))
      #expect(throws: StorageError.self, "cut to \(length)") { try Store.open(cut, identity: me).read(7).verify() }
    }
    try store.read(7).verify()
  }

  @Test func theLossOfPowerLeavesAllOrNothing() throws {
    for operation in 0..<20 {
      for seed in UInt64(0)..<8 {
        let disk = SimulatedDisk()
        disk.powerFailsAfter = operation
        let finished = (try? makeSnapshot(7, on: disk)) != nil
        var random = PseudoRandom(seed: seed)
        disk.losePower(using: &random)
        let store = try Store.open(disk, identity: me)
        #expect(disk.fileNames.allSatisfy { !$0.hasSuffix(".part") })
        let listed = try store.list()
        #expect(!finished || listed == [7])
        for index in listed { try store.read(index).verify() }
      }
    }
  }

  @Test func olderOnesAreRemoved() throws {
    let disk = SimulatedDisk()
    for index in LogIndex(1)...3 { _ = try makeSnapshot(index, on: disk) }
    let store = try Store.open(disk, identity: me)
    try store.remove(before: 3)
    #expect(try store.list() == [3])
  }

  @Test func aDamagedOneIsPassedOverOnlyIfTheLogHoldsItsEntries() throws {
    let disk = SimulatedDisk()
    _ = try makeSnapshot(4, on: disk)
    let store = try makeSnapshot(8, on: disk)
    #expect(try store.newest(connectingTo: log(from: 8, through: 8), restore: verify).snapshot?.descriptor == descriptor(8))
    disk.flip("snapshot-" + NodeID(8).description, at: 300)
    let (older, repairs) = try store.newest(connectingTo: log(from: 2, through: 9), restore: verify)
    #expect(older?.descriptor == descriptor(4))
    #expect(repairs.count == 1)
    #expect(throws: StorageError.self) { try store.newest(connectingTo: log(from: 5, through: 9), restore: verify) }
    #expect(throws: StorageError.self) { try store.newest(connectingTo: log(from: 2, through: 7), restore: verify) }
    disk.flip("snapshot-" + NodeID(4).description, at: 300)
    #expect(throws: StorageError.self) { try store.newest(connectingTo: log(from: 2, through: 9), restore: verify) }
    #expect(try store.newest(connectingTo: log(from: 0, through: 9), restore: verify).snapshot == nil)
  }

  @Test func blocksHaveBounds() throws {
    let store = try Store.open(SimulatedDisk(), identity: me)
    var writer = try store.begin(descriptor(1))
    #expect(throws: StorageError.self) { try writer.append([]) }
    #expect(throws: StorageError.self) { try writer.append([UInt8](repeating: 0, count: (4 << 20) + 1)[...]) }
    try writer.append([UInt8](repeating: 0, count: 4 << 20)[...])
    try writer.finish()
    try store.read(1).verify()
  }

  @Test func aFullDiskEndsASnapshotAndNothingElse() throws {
    let disk = SimulatedDisk()
    let store = try makeSnapshot(1, on: disk)
    disk.capacity = disk.usedBytes + 200
    var writer = try store.begin(descriptor(2))
    do {
      try writer.append([UInt8](repeating: 1, count: 300)[...])
      Issue.record("it fitted")
    } catch {
      guard case .full = error else { throw error }
    }
    try writer.abandon()
    #expect(try store.list() == [1])
    #expect(disk.fileNames.count == 1)
  }

  @Test func foreignSnapshotsAreRefused() throws {
    let disk = SimulatedDisk()
    _ = try makeSnapshot(1, on: disk)
    let other = try Store.open(disk, identity: StorageIdentity(node: me.node, cluster: ClusterID(5)))
    #expect(throws: StorageError.self) { try other.newest(connectingTo: log(from: 0, through: 9), restore: verify) }
  }

  // MARK: The log beside it (Raft paper, section 7)

  @Test func entriesBehindAMatchingSnapshotStay() throws {
    let result = try log(from: 2, through: 9).reconciled(with: descriptor(6))
    #expect(result.start == LogPosition(index: 6, term: 1))
    #expect(result.entries == entries(7...9))
    #expect(result.commit == 6)
    #expect(try log(from: 6, through: 9).reconciled(with: descriptor(6)).entries == entries(7...9))
  }

  @Test func aShorterOrDifferentLogGoes() throws {
    for result in [
      try log(from: 2, through: 5).reconciled(with: descriptor(6)), try log(from: 2, through: 9).reconciled(with: descriptor(6, term: 2)),
    ] {
      #expect(result.entries.isEmpty)
      #expect(result.start.index == 6)
    }
  }

  /// Up to its commit index a log does not differ from a snapshot: one of them is not this node's, or has lost something.
  @Test func aLogWithAnotherCommittedEntryIsDamage() throws {
    var found = log(from: 2, through: 9)
    found.commit = 6
    #expect(throws: StorageError.self) { try found.reconciled(with: descriptor(6, term: 2)) }
    #expect(try found.reconciled(with: descriptor(6)).entries == entries(7...9))
    #expect(try found.reconciled(with: descriptor(7, term: 2)).entries.isEmpty)
    #expect(throws: StorageError.self) { try log(from: 6, through: 9).reconciled(with: descriptor(6, term: 2)) }
  }

  @Test func aGapIsDamage() throws {
    #expect(throws: StorageError.self) { try log(from: 7, through: 9).reconciled(with: descriptor(6)) }
    #expect(throws: StorageError.self) { try log(from: 7, through: 9).reconciled(with: nil) }
    #expect(try log(from: 0, through: 3).reconciled(with: nil).entries == entries(1...3))
  }

  @Test func theFilesFollowTheReconciledLog() throws {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    try log.append([write(1...5)])
    try log.sync()
    let reconciled = try recover(disk.copy()).get().reconciled(with: descriptor(9, term: 2))
    try log.adopt(reconciled)
    try log.append([write(10...11, term: 2)])
    try log.sync()
    let recovered = try recover(disk).get()
    #expect(recovered.start == LogPosition(index: 9, term: 2))
    #expect(recovered.entries == entries(10...11, term: 2))
  }
}

@Suite struct DataDirectoryTests {
  private let node = NodeID(0xa1)

  @Test func theIdentityComesBack() throws {
    let disk = SimulatedDisk()
    #expect(try DataDirectory.load(disk).identity == nil)
    for phase in [IdentityRecord.Phase.undecided, .voted(configuration)] {
      let record = IdentityRecord(node: node, name: "a", phase: phase)
      try DataDirectory.write(record, to: disk)
      #expect(try DataDirectory.load(disk).identity == record)
    }
  }

  @Test func everyFlippedByteAndEveryCutIsDetected() throws {
    let disk = SimulatedDisk()
    try DataDirectory.write(IdentityRecord(node: node, name: "a", phase: .voted(configuration)), to: disk)
    let bytes = try #require(disk.contents(of: "identity"))
    for offset in bytes.indices {
      disk.flip("identity", at: offset)
      #expect(throws: StorageError.self, "byte \(offset)") { try DataDirectory.load(disk) }
      disk.flip("identity", at: offset)
      let cut = SimulatedDisk()
      cut.replace("identity", with: Array(bytes[..<offset]))
      #expect(throws: StorageError.self, "cut to \(offset)") { try DataDirectory.load(cut) }
    }
  }

  @Test func theLossOfPowerLeavesTheOldOrTheNew() throws {
    let old = IdentityRecord(node: node, name: "a", phase: .undecided)
    let new = IdentityRecord(node: node, name: "a", phase: .voted(configuration))
    for operation in 0..<8 {
      for seed in UInt64(0)..<16 {
        let disk = SimulatedDisk()
        try DataDirectory.write(old, to: disk)
        disk.powerFailsAfter = disk.operationCount + operation
        let isDone = (try? DataDirectory.write(new, to: disk)) != nil
        var random = PseudoRandom(seed: seed)
        disk.losePower(using: &random)
        let found = try DataDirectory.load(disk).identity
        #expect(found == new || (found == old && !isDone))
      }
    }
  }

  @Test func aMemberNeedsItsLog() throws {
    let disk = SimulatedDisk()
    let record = IdentityRecord(node: node, name: "a", phase: .formed(configuration))
    let identity = StorageIdentity(node: node, cluster: configuration.digest)
    try DataDirectory.write(record, to: disk)
    #expect(throws: StorageError.self) { try DataDirectory.load(disk) }
    let good = SimulatedDisk()
    try DataDirectory.write(IdentityRecord(node: node, name: "a", phase: .voted(configuration)), to: good)
    _ = try Log.open(good, identity: identity)
    try DataDirectory.write(record, to: good)
    _ = try Log.open(good, identity: identity)
    #expect(try DataDirectory.load(good).hasLog)
    #expect(throws: StorageError.self) { try Log.open(good, identity: StorageIdentity(node: NodeID(3), cluster: configuration.digest)) }
  }

  @Test func aLogWithoutAnIdentityIsDamage() throws {
    let disk = SimulatedDisk()
    _ = try Log.open(disk, identity: me)
    #expect(throws: StorageError.self) { try DataDirectory.load(disk) }
  }
}
