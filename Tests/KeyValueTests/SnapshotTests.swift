import ByteCoding
import Replica
import Testing

@testable import KeyValue

@Suite struct SnapshotTests {
  @Test(arguments: [0, 1, 10, 3000], [false, true])
  func restoresWhatWasTaken(changes: Int, compacted: Bool) throws {
    var generator = Generator(seed: 31)
    var machine = KeyValueMachine()
    for _ in 0..<changes { machine.perform(.put(PutRequest(key: generator.bytes(count: 2), value: generator.bytes(upTo: 200)))) }
    for number in 0..<changes / 30 {
      machine.perform(.delete(DeleteRequest(range: KeyRange(start: [UInt8(number)], end: [UInt8(number), 40]))))
    }
    if compacted { _ = machine.compact(at: machine.view.revision / 2) }
    // Keys that are made anew while their deletions are forgotten.
    for number in 0..<changes / 10 { machine.perform(.put(PutRequest(key: [UInt8(truncatingIfNeeded: number), 7], value: [1]))) }
    for number in 0..<changes / 30 { machine.perform(.delete(DeleteRequest(range: KeyRange([UInt8(number), 7])))) }
    for number in 0..<changes / 30 { machine.perform(.put(PutRequest(key: [UInt8(number), 7], value: [2]))) }
    if compacted { _ = machine.compact(at: machine.view.revision - Int64(changes / 60)) }
    for _ in 0..<changes / 10 { machine.perform(.get("x")) }
    var restored = try KeyValueMachine(restoring: machine.view.blocks)
    #expect(restored.view.revision == machine.view.revision)
    #expect(Array(restored.view.pairs()) == Array(machine.view.pairs()))
    #expect(restored.view.digest == machine.view.digest)
    // And goes on as the original does.
    for _ in 0..<200 {
      let request = generator.request()
      let outputs = (restored.perform(request), machine.perform(request))
      #expect(outputs.0 == outputs.1)
    }
    #expect(restored.view.digest == machine.view.digest)
  }

  @Test func blocksKeepToTheirSizes() throws {
    var machine = KeyValueMachine()
    let sizes = [10, SnapshotBlockSize.preferred, 100, 1 << 20, Limits.requestBytes - 100, 30_000, 30_000, 30_000]
    for (index, size) in sizes.enumerated() {
      machine.perform(.put(PutRequest(key: [UInt8(index)], value: [UInt8](repeating: 1, count: size))))
    }
    let blocks = machine.view.blocks
    #expect(blocks.allSatisfy { $0.count <= SnapshotBlockSize.maximum })
    // Only a block with a single record may be larger than preferred.
    #expect(blocks.filter { $0.count > SnapshotBlockSize.preferred }.count == 3)
    let restored = try KeyValueMachine(restoring: blocks)
    #expect(restored.view.digest == machine.view.digest)
  }

  @Test func staysTheSameWhileWritesGoOn() throws {
    var generator = Generator(seed: 32)
    var machine = KeyValueMachine()
    for number in 0..<2000 { machine.perform(.put("key\(number)", String(repeating: "v", count: 100))) }
    let view = machine.view
    let expected = (pairs: Array(view.pairs()), digest: view.digest)
    var blocks = view.makeBlocks()
    var taken: [[UInt8]] = []
    while let block = blocks.next() {
      taken.append(block)
      for _ in 0..<100 {
        machine.perform(.put("key\(generator.below(3000))", "new"))
        machine.perform(.delete("key\(generator.below(3000))"))
      }
    }
    #expect(taken.count > 2)
    #expect(view.digest == expected.digest)
    #expect(machine.view.digest != expected.digest)
    let restored = try KeyValueMachine(restoring: taken)
    #expect(Array(restored.view.pairs()) == expected.pairs)
  }

  /// What older releases wrote: only the newest revision, nothing of before can be read.
  @Test func theFormatWithoutAPastIsStillRead() throws {
    var writer = ByteWriter()
    writer.write(UInt8(1))
    writer.write(Revision(9))
    writer.write(UInt64(1))
    for number in [2, 5, 3] as [Int64] { writer.write(number) }
    writer.write(prefixed: k("a"))
    writer.write(prefixed: k("x"))
    var machine = try KeyValueMachine(restoring: [writer.bytes])
    #expect(Array(machine.view.pairs()) == [KeyValuePair("a", "x", create: 2, mod: 5, version: 3)])
    #expect(machine.view.compactRevision == 9)
    machine.perform(.put("a", "y"))
    #expect(machine.view.answer(.get("a", revision: 8)) == .failure(.compacted))
    let old = machine.view.answer(.get("a", revision: 9)).map { $0.result }
    #expect(old == .success(.range(RangeResponse(pairs: [KeyValuePair("a", "x", create: 2, mod: 5, version: 3)], count: 1))))
    #expect((try KeyValueMachine(restoring: machine.view.blocks)).view.digest == machine.view.digest)
  }

  /// What older releases wrote: it is not said which grant a lease is, so any expiry of its number ends it.
  @Test func theFormatWithoutGrantsIsStillRead() throws {
    var writer = ByteWriter()
    writer.write(UInt8(2))
    for number in [9, -1, 1000, 0, 0] as [Int64] { writer.write(number) }
    writer.write(UInt8(0))
    writer.write(Int64(16))
    for id in [7, 8] as [LeaseID] {
      writer.write(UInt8(6))
      for number in [id, 5] { writer.write(number) }
    }
    writer.write(UInt8(0))
    var machine = try KeyValueMachine(restoring: [writer.bytes])
    #expect(machine.view.timeToLive(of: 7) == 5 && machine.view.grant(of: 7) == 0)
    machine.perform(.leaseExpiry(7, grant: 3))
    #expect(machine.view.leaseCount == 1)
    #expect((try KeyValueMachine(restoring: machine.view.blocks)).view.digest == machine.view.digest)
  }

  /// What does not fit together is refused, and leaves nothing.
  @Test func changesMustBePossible() {
    typealias Record = (kind: UInt8, revision: Int64, key: String)
    func isMalformed(
      _ records: [Record], revision: Int64 = 9, compact: Int64 = -1, quota: Int64 = 1000, age: Int64 = 0, bytes: Int64 = 0,
      alarm: UInt8 = 0, start: Int64 = 0, version: UInt8 = 3, tail: [UInt8] = [0]
    ) -> Bool {
      var writer = ByteWriter()
      writer.write(version)
      for number in [revision, compact, quota, age, bytes] { writer.write(number) }
      writer.write(alarm)
      writer.write(start)
      for (kind, revision, key) in records {
        writer.write(kind)
        if kind == 1 { for number in [revision, revision, 1] { writer.write(number) } } else { writer.write(revision) }
        if kind == 2 || kind == 4 { writer.write(Int64(0)) }
        writer.write(prefixed: k(key))
        if kind != 5 { writer.write(prefixed: k("value")) }
      }
      writer.write(raw: tail)
      return (try? KeyValueMachine(restoring: [writer.bytes])) == nil
    }
    #expect(!isMalformed([(1, 3, "a"), (3, 5, "a"), (5, 6, "a"), (3, 7, "a"), (3, 7, "b")], compact: 5, alarm: 1, start: 32))
    #expect(isMalformed([(3, 5, "a"), (1, 3, "b")]))
    #expect(isMalformed([(1, 5, "a"), (3, 5, "a")]))
    #expect(isMalformed([(3, 5, "a"), (3, 5, "a")]))
    #expect(isMalformed([(3, 5, "a"), (3, 4, "b")]))
    #expect(isMalformed([(3, 5, "a"), (5, 5, "a")]))
    #expect(isMalformed([(5, 5, "a")]))
    #expect(isMalformed([(1, 3, "a"), (5, 5, "a"), (5, 6, "a")]))
    #expect(isMalformed([(1, 3, "a"), (5, 5, "a"), (3, 5, "a")]))
    #expect(isMalformed([(3, 10, "a")]))
    #expect(isMalformed([(3, 1, "a")]))
    #expect(isMalformed([(3, 5, "")]))
    #expect(isMalformed([(4, 5, "a")]))
    #expect(isMalformed([(7, 5, "a")]))
    #expect(isMalformed([], compact: 10))
    #expect(isMalformed([], compact: -2))
    #expect(isMalformed([], quota: 0))
    #expect(isMalformed([], age: -1))
    #expect(isMalformed([], bytes: -1))
    #expect(!isMalformed([(3, 5, "a"), (3, 6, "b")], compact: 5, alarm: 2))
    #expect(isMalformed([], alarm: 2, version: 2))
    #expect(isMalformed([], alarm: 4))
    #expect(isMalformed([], start: -16))
    #expect(isMalformed([], start: 5))
    #expect(isMalformed([], tail: [0, 0]))
  }

  /// Leases come first, in order; whoever is with one names one of them, but for what is past.
  @Test func leasesMustBeThere() {
    func bytes(_ kind: UInt8, _ numbers: [Int64], key: String? = nil) -> [UInt8] {
      var writer = ByteWriter()
      writer.write(kind)
      for number in numbers { writer.write(number) }
      if let key { for part in [key, ""] { writer.write(prefixed: k(part)) } }
      return writer.bytes
    }
    func isMalformed(_ records: [UInt8]...) -> Bool {
      let header = bytes(3, [9, -1, 1000, 0, 0]) + bytes(0, [0])
      return (try? KeyValueMachine(restoring: [header + records.flatMap { $0 } + [0]])) == nil
    }
    func lease(_ id: Int64, _ seconds: Int64 = 5) -> [UInt8] { bytes(6, [id, seconds, 1]) }
    func pair(_ key: String, lease: Int64) -> [UInt8] { bytes(2, [3, 3, 1, lease], key: key) }
    func put(_ key: String, lease: Int64, at revision: Int64) -> [UInt8] { bytes(4, [revision, lease], key: key) }
    #expect(!isMalformed(lease(-1), lease(7, 2), pair("a", lease: 7), put("b", lease: -1, at: 5)))
    #expect(!isMalformed(lease(7), pair("a", lease: 8), put("a", lease: 9, at: 5), put("a", lease: 7, at: 6)))
    #expect(isMalformed(lease(7), pair("a", lease: 8)))
    #expect(isMalformed(lease(7), pair("a", lease: 7), put("a", lease: 8, at: 5)))
    #expect(isMalformed(lease(7), lease(7)))
    #expect(isMalformed(lease(7), lease(-7)))
    #expect(isMalformed(lease(7), pair("a", lease: 7), lease(8)))
    #expect(isMalformed(lease(7), put("a", lease: 7, at: 5), lease(8)))
    #expect(isMalformed(lease(0)))
    #expect(isMalformed(lease(7, 1)))
    #expect(isMalformed(lease(7, Limits.maximumLeaseSeconds + 1)))
  }

  @Test func aSnapshotIsTakenAsAWholeOrNotAtAll() throws {
    var machine = KeyValueMachine()
    for number in 0..<1700 { machine.perform(.put("key\(number)", String(repeating: "v", count: 100))) }
    let blocks = machine.view.blocks
    try #require(blocks.count == 4)
    func refusal(_ numbers: [Int]) -> String? {
      do {
        _ = try KeyValueMachine(restoring: numbers.map { blocks[$0] })
        return nil
      } catch {
        return error.what
      }
    }
    #expect(refusal([0, 1, 2, 3]) == nil)
    // Cut short.
    #expect(refusal([]) == "snapshot: cut short, 0 blocks are not all of it")
    #expect(refusal([0, 1, 2]) == "snapshot: cut short, 3 blocks are not all of it")
    // Out of order, or not from its beginning.
    #expect(refusal([0, 2, 1, 3]) == "snapshot: a change's revision")
    #expect(refusal([0, 1, 1, 3]) == "snapshot: a change's revision")
    #expect(refusal([1, 2, 3])?.hasPrefix("snapshot: ") == true)
    // One too many.
    #expect(refusal([0, 1, 2, 3, 3]) == "snapshot: 1 of 5 blocks left over")
    #expect(refusal([0, 1, 2, 3, 0]) == "snapshot: 1 of 5 blocks left over")
  }

  @Test func pairsMustBeInOrderAndPossible() {
    func block(_ revision: Int64, _ pairs: [(String, create: Int64, mod: Int64, version: Int64)], count: Int? = nil) -> [UInt8] {
      var writer = ByteWriter()
      writer.write(UInt8(1))
      writer.write(revision)
      writer.write(UInt64(count ?? pairs.count))
      for (key, create, mod, version) in pairs {
        for number in [create, mod, version] { writer.write(number) }
        writer.write(prefixed: k(key))
        writer.write(prefixed: k("value"))
      }
      return writer.bytes
    }
    func isMalformed(_ bytes: [UInt8]) -> Bool {
      (try? KeyValueMachine(restoring: [bytes])) == nil
    }
    #expect(!isMalformed(block(5, [("a", 2, 3, 2), ("b", 5, 5, 1)])))
    #expect(isMalformed(block(5, [("b", 2, 2, 1), ("a", 3, 3, 1)])))
    #expect(isMalformed(block(5, [("a", 2, 2, 1), ("a", 3, 3, 1)])))
    #expect(isMalformed(block(5, [("", 2, 2, 1)])))
    #expect(isMalformed(block(5, [("a", 2, 6, 1)])))
    #expect(isMalformed(block(5, [("a", 4, 3, 1)])))
    #expect(isMalformed(block(5, [("a", 1, 3, 1)])))
    #expect(isMalformed(block(5, [("a", 2, 3, 3)])))
    #expect(isMalformed(block(5, [("a", 2, 3, 0)])))
    #expect(isMalformed(block(5, [("a", 2, 2, 1)], count: 0)))
    #expect(isMalformed(block(0, [])))
    #expect(isMalformed(block(.max, [])))
    #expect(isMalformed([3] + block(5, []).dropFirst()))
    #expect(isMalformed([]))
  }

  @Test func hostileBlocksNeverTrap() throws {
    var generator = Generator(seed: 33)
    var machine = KeyValueMachine()
    for _ in 0..<60 { machine.perform(.put(PutRequest(key: generator.bytes(count: 1), value: generator.bytes(upTo: 20)))) }
    _ = machine.compact(at: 30)
    for _ in 0..<40 {
      machine.perform(.put(PutRequest(key: generator.bytes(count: 1), value: generator.bytes(upTo: 20))))
      machine.perform(.delete(DeleteRequest(range: KeyRange(generator.bytes(count: 1)))))
    }
    let blocks = machine.view.blocks
    #expect(machine.view.changes.start > 0 && machine.view.deleted.count > 0)
    for _ in 0..<3000 {
      var bytes = blocks[0]
      switch generator.below(3) {
      case 0: bytes.removeLast(1 + generator.below(bytes.count))
      case 1: bytes += generator.bytes(count: 1 + generator.below(60))
      default: for _ in 0...generator.below(3) { bytes[generator.below(bytes.count)] = UInt8(truncatingIfNeeded: generator.next()) }
      }
      guard var restored = try? KeyValueMachine(restoring: [bytes]) else { continue }
      restored.perform(.put("after", "all"))
      restored.perform(.get("\0", "\0"))
      for event in restored.view.events(from: 0) { _ = (event.pair, event.previous) }
      _ = restored.compact(at: restored.view.revision - 3)
      for back in 0..<3 as Range<Int64> { _ = restored.view.answer(.get("\0", "\0", revision: restored.view.revision - back)) }
      #expect(try KeyValueMachine(restoring: restored.view.blocks).view.digest == restored.view.digest)
    }
  }
}

@Suite struct DeterminismTests {
  @Test func twoMachinesGiveTheSameInWhateverBatches() {
    var generator = Generator(seed: 41)
    var one = KeyValueMachine()
    var other = KeyValueMachine()
    for _ in 0..<300 {
      let commands = (0..<generator.below(12)).map { index in
        Command(index: .init(UInt64(index) + 1), term: .init(1), payload: generator.command(one.view).encoded()[...])
      }
      let together = one.applyAll(commands)
      let apart = commands.flatMap { other.applyAll([$0]) }
      #expect(together == apart)
      #expect(one.view.digest == other.view.digest)
    }
    #expect(one.view.revision > 300)
  }

  @Test func theDigestTellsStoresApart() {
    let base = KeyValueMachine(.put("a", "1"), .put("b", "2"))
    let others = [
      KeyValueMachine(), KeyValueMachine(.put("a", "1")), KeyValueMachine(.put("a", "1"), .put("b", "3")),
      KeyValueMachine(.put("b", "2"), .put("a", "1")), KeyValueMachine(.put("a1", ""), .put("b", "2")),
      KeyValueMachine(.put("a", "1"), .put("b", "2"), .put("c"), .delete("c")),
    ]
    for other in others { #expect(other.view.digest != base.view.digest) }
    #expect(KeyValueMachine(.put("a", "1"), .put("b", "2")).view.digest == base.view.digest)
    let settings = [StoreSettings(quota: 7), StoreSettings(historyAge: 7), StoreSettings(historyBytes: 7)].map { Request.settings($0) }
    let lease = Request.leaseGrant(LeaseGrantRequest(id: 1, timeToLive: 9))
    for request in settings + [.compaction(CompactionRequest(revision: 1)), lease] {
      #expect(KeyValueMachine(.put("a", "1"), .put("b", "2"), request).view.digest != base.view.digest)
    }
  }

  /// The same in every process, in debug and in release.
  @Test func theDigestIsPinned() {
    #expect(KeyValueMachine().view.digest == 0x446a_bb6d_8df5_7894)
  }
}
