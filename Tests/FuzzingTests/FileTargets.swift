import ByteCoding
import KeyValue
import Raft
import Replica
import Simulation
import WriteAheadLog

/// What stands in a data directory. Checksums are made right before the bytes are read: otherwise nothing would come further than to them.
extension FuzzTarget {
  static let files = [
    FuzzTarget(name: "log", seeds: { try [logBytes(batches: 1), logBytes(batches: 3), logBytes(batches: 0)] }, run: replayLog),
    FuzzTarget(name: "vote", seeds: { try [file("vote", of: directory(batches: 1))] }, run: readVote),
    FuzzTarget(name: "identity", seeds: { identities.map { Array($0.dropLast(4)) } }, run: readIdentity),
    FuzzTarget(name: "snapshot", seeds: { [try snapshotBytes()] }, run: readSnapshot),
    FuzzTarget(name: "blocks", seeds: { blockSeeds }, run: restoreBlocks),
  ]

  private static let owner = StorageIdentity(node: NodeID(1), cluster: ClusterID(1))
  private static let small = LogOptions(segmentSize: 4 << 10, fillStep: 4 << 10, batchSize: 1500)
  private static let segment = "log-0000000000000001"
  private static let snapshotName = "snapshot-0000000000000007"

  private static func directory(batches: UInt64) throws -> SimulatedDisk {
    let disk = SimulatedDisk()
    var (log, _) = try LogStore.open(disk, identity: owner, options: small)
    for index in 1..<batches + 1 {
      let entry = Entry(index: index, term: 1, kind: .command, payload: Bytes(repeating: 7, count: Int(index) * 250))
      try log.append([LogWrite(sequence: index, hardState: HardState(term: 1), entries: [entry], commit: index - 1)])
      try log.sync()
    }
    log.close()
    return disk
  }

  private static func file(_ name: String, of disk: SimulatedDisk) throws -> [UInt8] {
    guard let bytes = disk.contents(of: name) else { throw BrokenProperty(description: "\(name) is missing") }
    return bytes
  }

  private static func logBytes(batches: UInt64) throws -> [UInt8] { try file(segment, of: directory(batches: batches)) }

  /// A segment whose records and sectors verify. What recovery takes, it finds again.
  private static func replayLog(_ bytes: [UInt8]) throws -> Bool {
    guard bytes.count <= 64 << 10 else { return false }
    let disk = try directory(batches: 0)
    disk.replace(segment, with: resealedSectors(bytes))
    guard let (log, recovered) = try? LogStore.open(disk, identity: owner, options: small) else { return false }
    log.close()
    let (opened, again) = try LogStore.open(disk, identity: owner, options: small)
    try BrokenProperty.check(again.entries == recovered.entries && again.start == recovered.start, "recovery finds another log")
    try BrokenProperty.check(opened.repairs.isEmpty && again.commit == recovered.commit, "recovery repairs what it has repaired")
    return true
  }

  /// Each sector that is neither zero nor free gets its checksum, and so does the first record of a batch.
  private static func resealedSectors(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    for place in 0..<bytes.count / 512 {
      let sector = place * 512..<(place + 1) * 512
      guard bytes[sector].contains(where: { $0 != 0 }), !bytes[sector].starts(with: "CoracleF".utf8) else { continue }
      if place > 0, sector.lowerBound + 45 <= sector.upperBound {
        resealRecord(&bytes, at: sector.lowerBound + 16, before: sector.upperBound - 16)
      }
      var seed = ByteWriter()
      seed.write(UInt64(1))
      seed.write(UInt64(place))
      let checksum = CRC32C.checksum(bytes[sector.dropLast(4)], seed: CRC32C.checksum(seed.bytes))
      patch(&bytes, checksum, at: sector.upperBound - 4)
    }
    return bytes
  }

  private static func resealRecord(_ bytes: inout [UInt8], at start: Int, before end: Int) {
    let length = Int(number(bytes, at: start + 4))
    guard length <= end - start - 25 else { return }
    patch(&bytes, CRC32C.checksum(bytes[(start + 4)..<(start + 25 + length)]), at: start)
  }

  private static func readVote(_ bytes: [UInt8]) throws -> Bool {
    guard bytes.count <= 64 << 10 else { return false }
    let disk = try directory(batches: 1)
    var bytes = bytes
    for offset in [0, 4096] where bytes.count >= offset + 512 {
      guard bytes[offset..<offset + 512].contains(where: { $0 != 0 }) else { continue }
      patch(&bytes, CRC32C.checksum(bytes[offset..<offset + 508], seed: UInt32(offset)), at: offset + 508)
    }
    disk.replace("vote", with: bytes)
    guard let (log, recovered) = try? LogStore.open(disk, identity: owner, options: small) else { return false }
    log.close()
    let (opened, again) = try LogStore.open(disk, identity: owner, options: small)
    try BrokenProperty.check(again.hardState == recovered.hardState && opened.repairs.isEmpty, "the vote is another one when read again")
    return true
  }

  private static var identities: [[UInt8]] {
    [IdentityRecord.Phase.undecided, .voted(configuration), .formed(configuration)].compactMap { phase in
      let disk = SimulatedDisk()
      try? DataDirectory.write(IdentityRecord(node: NodeID(1), name: "a", phase: phase), to: disk)
      return disk.contents(of: "identity")
    }
  }

  private static func readIdentity(_ bytes: [UInt8]) throws -> Bool {
    guard bytes.count <= 128 << 10 else { return false }
    let disk = try directory(batches: 0)
    var checksum = ByteWriter()
    checksum.write(CRC32C.checksum(bytes))
    disk.replace("identity", with: bytes + checksum.bytes)
    guard let record = try? DataDirectory.load(disk).identity else { return false }
    try DataDirectory.write(record, to: disk)
    try BrokenProperty.check(try DataDirectory.load(disk).identity == record, "an identity is written as another one")
    return true
  }

  private static func snapshotBytes() throws -> [UInt8] {
    let disk = SimulatedDisk()
    var writer = try SnapshotStore.open(disk, identity: owner).begin(descriptor)
    try writer.append([1, 2, 3])
    try writer.append([4])
    try writer.finish()
    return try file(snapshotName, of: disk)
  }

  private static func readSnapshot(_ bytes: [UInt8]) throws -> Bool {
    guard bytes.count <= 64 << 10 else { return false }
    let disk = SimulatedDisk()
    disk.replace(snapshotName, with: resealedSnapshot(bytes))
    guard let reader = try? SnapshotStore(disk, identity: owner).read(7), (try? reader.verify()) != nil else { return false }
    let blocks = try (0..<reader.blockCount).map { try reader.block($0) }
    try BrokenProperty.check(blocks.reduce(0) { $0 + $1.count } == Int(reader.totalBytes), "the blocks have another size")
    return true
  }

  /// Header, blocks and footer get their checksums, as far as their lengths lead to them.
  private static func resealedSnapshot(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    guard bytes.count >= 36, Int(number(bytes, at: 28)) <= bytes.count - 36 else { return bytes }
    var offset = 32 + Int(number(bytes, at: 28))
    patch(&bytes, CRC32C.checksum(bytes[..<offset]), at: offset)
    offset += 4
    var whole = CRC32C.checksum(bytes[..<offset])
    var block: UInt32 = 0
    while offset + 8 <= bytes.count, number(bytes, at: offset) > 0, Int(number(bytes, at: offset)) <= bytes.count - offset - 8 {
      let length = number(bytes, at: offset)
      var place = ByteWriter()
      place.write(UInt64(7))
      place.write(block)
      place.write(length)
      let end = offset + 8 + Int(length)
      patch(&bytes, CRC32C.checksum(bytes[(offset + 8)..<end], seed: CRC32C.checksum(place.bytes)), at: offset + 4)
      whole = CRC32C.checksum(bytes[(offset + 4)..<(offset + 8)], seed: whole)
      (block, offset) = (block + 1, end)
    }
    guard offset + 24 <= bytes.count else { return bytes }
    patch(&bytes, whole, at: offset + 16)
    patch(&bytes, CRC32C.checksum(bytes[offset..<(offset + 20)]), at: offset + 20)
    return bytes
  }

  /// In one block, and in two: the second begins with the second change.
  private static var blockSeeds: [[UInt8]] {
    var machine = KeyValueMachine()
    for key in ["a", "b", "a"] {
      _ = machine.apply([Command(index: 1, term: 1, payload: Request.put(PutRequest(key: Array(key.utf8), value: [1])).encoded()[...])])
    }
    return Array(IteratorSequence(machine.view.makeBlocks())).flatMap { [[0] + $0, [69] + $0] }
  }

  /// The first byte says where the others are cut into two blocks, if there are so many.
  private static func restoreBlocks(_ bytes: [UInt8]) throws -> Bool {
    guard let cut = bytes.first else { return false }
    let blocks = [bytes.dropFirst().prefix(Int(cut)), bytes.dropFirst().dropFirst(Int(cut))].filter { !$0.isEmpty }
    guard let machine = try? KeyValueMachine(restoring: blocks.map(Array.init)) else { return false }
    let again = try KeyValueMachine(restoring: Array(IteratorSequence(machine.view.makeBlocks())))
    try BrokenProperty.check(again.view.digest == machine.view.digest, "a restored store is written as another one")
    return true
  }

  private static func number(_ bytes: [UInt8], at offset: Int) -> UInt32 {
    bytes[offset..<offset + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }

  private static func patch(_ bytes: inout [UInt8], _ value: UInt32, at offset: Int) {
    for place in 0..<4 { bytes[offset + place] = UInt8(truncatingIfNeeded: value >> UInt32(8 * place)) }
  }
}
