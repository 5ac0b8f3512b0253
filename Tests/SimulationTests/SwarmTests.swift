import Simulation
import Testing

@Suite struct SwarmTests {
  /// Whole clusters under faults; `simulate swarm` does the same for as long as one likes.
  @Test(arguments: 1...3 as ClosedRange<UInt64>)
  func noFaultBreaksAPromise(seed: UInt64) {
    let report = Story(seed: seed, lasting: .milliseconds(15_000)).runKeyValue()
    #expect(report.violations.isEmpty)
    #expect(report.completed > 100, "a run in which hardly anything succeeds shows nothing")
  }

  @Test func aSeedIsARun() {
    func fingerprint(_ seed: UInt64) -> UInt64 {
      Story(seed: seed, nodes: 3, lasting: .milliseconds(3000)).runKeyValue().fingerprint
    }
    #expect(fingerprint(11) == fingerprint(11))
    #expect(fingerprint(11) != fingerprint(12))
  }
}
