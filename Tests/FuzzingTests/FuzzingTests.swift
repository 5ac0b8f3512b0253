import Raft
import Testing

/// Each target of the fuzzer, for a moment: the seeds are taken, and no change of them breaks anything.
@Suite struct FuzzingTests {
  @Test(arguments: FuzzTarget.all.map(\.name)) func seedsAreTaken(name: String) throws {
    let target = try #require(FuzzTarget.all.first { $0.name == name })
    for seed in try target.seeds() { #expect(try target.run(seed)) }
  }

  @Test(arguments: FuzzTarget.all.map(\.name)) func changedSeedsBreakNothing(name: String) throws {
    let target = try #require(FuzzTarget.all.first { $0.name == name })
    var random = PseudoRandom(seed: 1)
    for seed in try target.seeds() {
      for _ in 0..<50 {
        var bytes = seed
        for _ in 0...random.below(4) where !bytes.isEmpty {
          let place = Int(random.below(UInt64(bytes.count)))
          switch random.below(3) {
          case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
          case 1: bytes.remove(at: place)
          default: bytes.insert(bytes[Int(random.below(UInt64(bytes.count)))], at: place)
          }
        }
        _ = try target.run(bytes)
      }
    }
  }
}
