import Raft

/// A scenario went otherwise than its program says.
public struct ScenarioFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// In the virtual time of the scenario's present world.
  public let at: Instant
  public let expected: String
  public let seen: String

  public var description: String { "at \(at.inMilliseconds): expected \(expected); seen: \(seen)" }
}

extension Instant {
  /// As a transcript shows it: `1204.7 ms`.
  var inMilliseconds: String { (self - .zero).inMilliseconds }
}

extension Nanoseconds {
  var inMilliseconds: String { "\(self / .milliseconds(1)).\(self % .milliseconds(1) / .microseconds(100)) ms" }
}
