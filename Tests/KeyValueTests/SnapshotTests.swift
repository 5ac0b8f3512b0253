import ByteCoding
import Replica
import Testing

@testable import KeyValue

@Suite struct SnapshotTests {
  @Test(arguments: [0, 1, 10, 3000])
  func restoresWhatWasTaken(changes: Int) throws {
    var generator = Generator(seed: 31)
    var machine = KeyValueMachine()
    for _ in 0..<changes { machine.perform(.put(PutRequest(key: generator.bytes(count: 2), value: generator.bytes(upTo: 200)))) }
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
    // Only a block with a single pair may be larger than preferred.
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

  @Test func aSnapshotIsTakenAsAWholeOrNotAtAll() throws {
    var machine = KeyValueMachine()
    for number in 0..<1500 { machine.perform(.put("key\(number)", String(repeating: "v", count: 100))) }
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
    #expect(refusal([0, 2, 1, 3]) == "snapshot: keys out of order")
    #expect(refusal([0, 1, 1, 3]) == "snapshot: keys out of order")
    #expect(refusal([1, 2, 3])?.hasPrefix("snapshot: format version") == true)
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
    #expect(isMalformed([2] + block(5, []).dropFirst()))
    #expect(isMalformed([]))
  }

  @Test func hostileBlocksNeverTrap() {
    var generator = Generator(seed: 33)
    var machine = KeyValueMachine()
    for _ in 0..<40 { machine.perform(.put(PutRequest(key: generator.bytes(count: 2), value: generator.bytes(upTo: 20)))) }
    let blocks = machine.view.blocks
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
        Command(index: .init(UInt64(index) + 1), term: .init(1), payload: generator.request().encoded()[...])
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
  }

  /// The same in every process, in debug and in release.
  @Test func theDigestIsPinned() {
    #expect(KeyValueMachine().view.digest == 0x0093_c56e_1dcb_401e)
  }
}
