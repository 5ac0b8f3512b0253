import Simulation
import Testing

@Suite struct SwarmTests {
  /// Whole clusters under faults; `simulate swarm` does the same for as long as one likes.
  @Test(arguments: 1...3 as ClosedRange<UInt64>)
  func noFaultBreaksAPromise(seed: UInt64) {
    let report = SwarmRun(SwarmPlan(seed: seed)).run()
    #expect(report.violations.isEmpty)
    #expect(report.completed > 100, "a run in which hardly anything succeeds shows nothing")
  }

  @Test func aSeedIsARun() {
    let first = SwarmRun(SwarmPlan(seed: 11)).run()
    #expect(first.fingerprint == SwarmRun(SwarmPlan(seed: 11)).run().fingerprint)
    #expect(first.fingerprint != SwarmRun(SwarmPlan(seed: 12)).run().fingerprint)
  }
}
