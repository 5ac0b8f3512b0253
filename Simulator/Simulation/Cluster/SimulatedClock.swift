import Raft

/// The monotonic clock of one machine: it started at its own moment, and runs a little fast or slow. It never goes back.
struct SimulatedClock: Sendable {
  /// A moment at which both clocks were read.
  private var anchor: (world: Int64, local: Int64)
  /// How much faster than the world it runs, in millionths.
  private(set) var driftPerMillion: Int64

  init(offset: Nanoseconds = .zero, driftPerMillion: Int64 = 0) {
    anchor = (0, offset.count)
    self.driftPerMillion = driftPerMillion
  }

  /// What it shows at a moment of the world.
  func local(_ world: Instant) -> Instant {
    guard driftPerMillion != 0 else { return Instant(nanoseconds: world.nanoseconds - anchor.world + anchor.local) }
    let elapsed = world.nanoseconds - anchor.world
    return Instant(nanoseconds: anchor.local + elapsed + elapsed * driftPerMillion / 1_000_000)
  }

  /// The first moment of the world at which it shows `local`, or later.
  func world(_ local: Instant) -> Instant {
    guard local != .never else { return .never }
    let elapsed = local.nanoseconds - anchor.local
    guard driftPerMillion != 0 else { return Instant(nanoseconds: elapsed + anchor.world) }
    let rate = 1_000_000 + driftPerMillion
    let (whole, rest) = elapsed.quotientAndRemainder(dividingBy: rate)
    // Rounded up, and one more for the rounding of `local`.
    return Instant(nanoseconds: anchor.world + whole * 1_000_000 + (rest * 1_000_000 + rate - 1) / rate + 1)
  }

  /// From now on it runs at another rate.
  mutating func drift(perMillion: Int64, now: Instant) {
    anchor = (now.nanoseconds, local(now).nanoseconds)
    driftPerMillion = perMillion
  }

  /// It stood still for so long: a machine was frozen, and its clock with it.
  mutating func stoodStill(for duration: Nanoseconds) { anchor.local -= duration.count }
}
