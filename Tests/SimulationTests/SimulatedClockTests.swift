import Raft
import Testing

@testable import Simulation

@Suite struct SimulatedClockTests {
  @Test(arguments: [-400_000, -100, 0, 7, 333_333] as [Int64], [1, 999, 123_456_789, 40_000_000_000] as [Int64])
  func aDeadlineIsReachedWhenTheWorldSaysSo(drift: Int64, deadline: Int64) {
    let clock = SimulatedClock(offset: .microseconds(5), driftPerMillion: drift)
    let local = Instant(nanoseconds: 5_000 + deadline)
    let world = clock.world(local)
    #expect(clock.local(world) >= local)
    #expect(clock.local(Instant(nanoseconds: world.nanoseconds - 4)) < local, "and not much later")
  }

  @Test func itNeverGoesBack() {
    var clock = SimulatedClock(offset: .microseconds(1))
    var last = clock.local(.zero)
    var now = Instant.zero
    for drift in [50_000, -200_000, 0, 500_000, -500_000] as [Int64] {
      clock.drift(perMillion: drift, now: now)
      #expect(clock.local(now) >= last)
      now = now + Nanoseconds(1_000_003)
      #expect(clock.local(now) > last)
      last = clock.local(now)
    }
  }

  @Test func aSuspendedMachineKnowsNothingOfTheTime() {
    var clock = SimulatedClock()
    clock.stoodStill(for: Nanoseconds(700))
    #expect(clock.local(Instant(nanoseconds: 1000)) == Instant(nanoseconds: 300))
  }
}
