/// A setting that does not make sense, alone or beside another.
public struct InvalidSetting: Error, Hashable, Sendable, CustomStringConvertible {
  /// The name of the property, with the properties on the way to it: `raft.electionTimeout`.
  public let name: String
  /// What it has to be.
  public let rule: String

  public init(_ name: String, _ rule: String) {
    self.name = name
    self.rule = rule
  }

  /// Refuses what breaks the rule.
  package static func check(_ name: String, _ holds: Bool, _ rule: @autoclosure () -> String) throws(InvalidSetting) {
    guard holds else { throw InvalidSetting(name, rule()) }
  }

  public var description: String { "\(name) must be \(rule)" }
}

extension Settings {
  /// The shortest interval, and the longest timeout: beyond them a cluster would drown in heartbeats, or never get over a lost leader.
  package static let shortestHeartbeat = Nanoseconds.milliseconds(1)
  package static let longestElectionTimeout = Nanoseconds.milliseconds(3_600_000)

  /// Throws the first setting that does not make sense.
  public func validate() throws(InvalidSetting) {
    try InvalidSetting.check("heartbeatInterval", heartbeatInterval >= Self.shortestHeartbeat, "at least 1 ms")
    try InvalidSetting.check(
      "electionTimeout", electionTimeout <= Self.longestElectionTimeout && electionTimeout / 3 >= heartbeatInterval,
      "at least three heartbeat intervals, and at most an hour")
    try InvalidSetting.check("diskStallTimeout", diskStallTimeout >= heartbeatInterval, "at least a heartbeat interval")
    try InvalidSetting.check("maximumAppendBytes", maximumAppendBytes > 0, "positive")
    try InvalidSetting.check("maximumInflightMessages", maximumInflightMessages > 0, "positive")
    try InvalidSetting.check("maximumInflightBytes", maximumInflightBytes > 0, "positive")
    try InvalidSetting.check("maximumUncommittedBytes", maximumUncommittedBytes > 0, "positive")
  }
}
