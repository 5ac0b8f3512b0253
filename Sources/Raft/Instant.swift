/// A moment on one node's monotonic clock, in nanoseconds. Instants of different nodes have nothing to do with each other.
public struct Instant: Hashable, Comparable, Sendable {
  public var nanoseconds: Int64

  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  public static let zero = Instant(nanoseconds: 0)
  /// Later than anything that will happen: for a timer that is not set.
  public static let never = Instant(nanoseconds: .max)

  public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

  public static func + (instant: Instant, duration: Nanoseconds) -> Instant {
    let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(duration)
    return Instant(nanoseconds: overflow ? .max : sum)
  }

  public static func - (later: Instant, earlier: Instant) -> Nanoseconds { later.nanoseconds - earlier.nanoseconds }
}

/// A span of time; `Duration` has 128 bits, which the core does not need.
public typealias Nanoseconds = Int64

extension Nanoseconds {
  public static func milliseconds(_ count: Int64) -> Nanoseconds { count * 1_000_000 }
}
