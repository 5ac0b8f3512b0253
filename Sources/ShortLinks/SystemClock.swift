#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// The time of day, which no decision depends on: it is only shown.
enum SystemClock {
  /// Zero before 1970.
  static var secondsSince1970: UInt64 { UInt64(max(0, Date().timeIntervalSince1970)) }
}
