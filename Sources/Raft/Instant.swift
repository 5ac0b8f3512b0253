/// A moment on one node's monotonic clock, in nanoseconds. Instants of different nodes have nothing to do with each other.
public struct Instant: Hashable, Comparable, Sendable {
  public var nanoseconds: Int64

  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  public static let zero = Instant(nanoseconds: 0)
  /// Later than anything that will happen: for a timer that is not set.
  public static let never = Instant(nanoseconds: .max)

  public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

  public static func + (instant: Instant, duration: Nanoseconds) -> Instant {
    let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(duration.count)
    return Instant(nanoseconds: overflow ? .max : sum)
  }

  public static func - (later: Instant, earlier: Instant) -> Nanoseconds { Nanoseconds(later.nanoseconds - earlier.nanoseconds) }
}

/// A length of time, which may be negative. `Duration` has 128 bits, which nothing here needs.
public struct Nanoseconds: Hashable, Comparable, Sendable, CustomStringConvertible {
  public var count: Int64

  @inlinable public init(_ count: some BinaryInteger) { self.count = Int64(count) }

  /// What is shorter than a nanosecond is cut off; beyond 292 years it is `max` or `min`.
  public init(_ duration: Duration) {
    count = Int64(clamping: duration.attoseconds / 1_000_000_000)
  }

  /// The same as `Duration`.
  public var duration: Duration { .nanoseconds(count) }
  public var description: String { duration.description }

  public static let zero = Nanoseconds(0)
  public static let min = Nanoseconds(Int64.min)
  /// Longer than anything lasts.
  public static let max = Nanoseconds(Int64.max)

  // Beyond 292 years each gives `max` or `min`: a setting that is far too long is to be named, not to end the process.
  @inlinable public static func microseconds(_ count: Int64) -> Nanoseconds { saturating(count, 1000) }
  @inlinable public static func milliseconds(_ count: Int64) -> Nanoseconds { saturating(count, 1_000_000) }
  @inlinable public static func seconds(_ count: Int64) -> Nanoseconds { saturating(count, 1_000_000_000) }

  @inlinable static func saturating(_ count: Int64, _ unit: Int64) -> Nanoseconds {
    let (product, overflow) = count.multipliedReportingOverflow(by: unit)
    return overflow ? (count < 0 ? .min : .max) : Nanoseconds(product)
  }

  @inlinable public static func < (left: Nanoseconds, right: Nanoseconds) -> Bool { left.count < right.count }
  @inlinable public static func + (left: Nanoseconds, right: Nanoseconds) -> Nanoseconds { Nanoseconds(left.count + right.count) }
  @inlinable public static func - (left: Nanoseconds, right: Nanoseconds) -> Nanoseconds { Nanoseconds(left.count - right.count) }
  @inlinable public static func += (left: inout Nanoseconds, right: Nanoseconds) { left = left + right }
  @inlinable public static func * (time: Nanoseconds, factor: Int64) -> Nanoseconds { Nanoseconds(time.count * factor) }
  @inlinable public static func * (factor: Int64, time: Nanoseconds) -> Nanoseconds { time * factor }
  @inlinable public static func / (time: Nanoseconds, divisor: Int64) -> Nanoseconds { Nanoseconds(time.count / divisor) }
  /// How often `right` goes into `left`.
  @inlinable public static func / (left: Nanoseconds, right: Nanoseconds) -> Int64 { left.count / right.count }
  @inlinable public static func % (left: Nanoseconds, right: Nanoseconds) -> Nanoseconds { Nanoseconds(left.count % right.count) }
}
