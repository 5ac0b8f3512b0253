import Foundation

/// The time of day, as this machine has it.
public enum WallClock {
  public static var secondsSince1970: Int64 { Int64(Date().timeIntervalSince1970) }
}
