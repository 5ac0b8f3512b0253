import Raft
import Testing

@Suite struct NanosecondsTests {
  @Test(
    arguments: [
      (.milliseconds(500), 500_000_000), (.seconds(-3), -3_000_000_000), (.nanoseconds(7) + .nanoseconds(1) / 3, 7),
      (.seconds(Int64.max), .max), (.seconds(Int64.min), .min), (.nanoseconds(Int64.max), .max),
      (.nanoseconds(Int64.max) + .seconds(1), .max),
    ] as [(Duration, Int64)])
  func aDurationThatIsTooLongIsTheLongest(duration: Duration, count: Int64) { #expect(Nanoseconds(duration).count == count) }

  @Test func isADurationAgain() {
    #expect(Nanoseconds.milliseconds(1500).duration == .seconds(1.5))
    #expect("\(Nanoseconds.milliseconds(1500))" == "\(Duration.milliseconds(1500))")
    #expect(Nanoseconds(Nanoseconds.max.duration) == .max)
  }

  @Test func countsInOtherUnits() {
    let time = Nanoseconds.seconds(2) + .milliseconds(30) - .microseconds(4)
    #expect(time.count == 2_029_996_000)
    #expect(time / .milliseconds(1) == 2029)
    #expect(time % .milliseconds(1) == .microseconds(996))
    #expect(time * 3 / 3 == time)
    #expect(-1 * time < .zero)
  }
}
