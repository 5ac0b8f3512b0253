import KeyValue
import Raft
import Replica
import Simulation
import Testing
import WriteAheadLog

/// A full disk is a state that passes, from the first byte on that a node writes. And what a start reads.
@Suite struct FullDiskTests {
  private typealias Storage = NodeStorage<KeyValueMachine, SimulatedDisk>

  private static let member = Member(id: NodeID(1), name: "a", peerAddress: "a:1", clientAddress: "a:2")
  private static let record = IdentityRecord(node: member.id, name: "a", phase: .formed(Configuration(voters: [member])))
  private static let write = LogWrite(
    sequence: 1, hardState: HardState(term: 1),
    entries: [Entry(index: 1, term: 1, kind: .configuration, payload: Configuration(voters: [member]).encoded()[...])])
  private static let options = LogOptions(segmentSize: 32 << 10, fillStep: 8 << 10)

  /// The disk is full at any byte of what a node writes when it becomes a member; then there is room again.
  @Test func becomingAMemberWaitsForRoom() throws {
    var waits = 0
    for room in stride(from: 0, through: 10_000, by: 61) {
      let disk = SimulatedDisk()
      var files = try Storage(opening: disk, name: "a", newborn: Self.member.id, options: Self.options).log
      disk.capacity = disk.usedBytes + room
      func attempt() throws {
        try files.save(Self.record)
        try files.append([Self.write])
        try files.sync()
      }
      do {
        try attempt()
      } catch let error as StorageError {
        guard case .full = error else { throw error }
        waits += 1
        disk.capacity = .max
        try attempt()
      }
      var random = PseudoRandom(seed: UInt64(room))
      disk.losePower(using: &random)
      disk.capacity = .max
      let recovered = try Storage(opening: disk, name: "a", newborn: NodeID(9), options: Self.options).recovered
      #expect(recovered?.last.index == 1 && recovered?.hardState.term == 1, "with room for \(room) bytes")
    }
    #expect(waits > 100)
  }
}

extension FullDiskTests {
  /// The second time that a start opened its identity would fail.
  @Test func aStartReadsItsIdentityOnce() throws {
    let disk = SimulatedDisk()
    var files = try Storage(opening: disk, name: "a", newborn: Self.member.id, options: Self.options).log
    try files.save(Self.record)
    try files.append([Self.write])
    try files.sync()
    files.close()
    disk.fail(.open, prefix: "identity", after: 1)
    #expect(try Storage(opening: disk, name: "a", newborn: NodeID(9), options: Self.options).identity == Self.record)
    disk.stopFailing()
    let known = try DataDirectory.load(disk)
    disk.fail(.open, prefix: "identity")
    #expect(try Storage(opening: disk, holding: known, name: "a", newborn: NodeID(9), options: Self.options).identity == Self.record)
  }
}
