/// Times and bounds of the core.
public struct Settings: Sendable, Hashable {
  /// How often a leader lets its followers hear from it.
  public var heartbeatInterval: Nanoseconds = .milliseconds(50)
  /// A follower that hears nothing for this long, and up to as long again, asks for an election. At least three heartbeat intervals.
  public var electionTimeout: Nanoseconds = .milliseconds(500)
  /// A leader whose disk has not confirmed a write for this long hands over, and does not stand again before it has.
  public var diskStallTimeout: Nanoseconds = .milliseconds(2000)
  /// Most bytes of entries in one append message (one entry may be larger and then goes alone).
  public var maximumAppendBytes = 1 << 20
  /// Most append messages under way to one peer.
  public var maximumInflightMessages = 64
  /// Most bytes of entries under way to one peer.
  public var maximumInflightBytes = 8 << 20
  /// Most bytes of entries that a leader holds uncommitted, or not yet durable on its own disk; proposals beyond are refused.
  public var maximumUncommittedBytes = 64 << 20
  /// A leader that is heard, and whose entries get through to nobody for this long, leads no more: a route may carry small packets alone.
  package var replicationStallTimeout: Nanoseconds = .seconds(60)
  /// Most batches of reads that wait at a leader at once; more are dropped, and the follower asks again.
  package var maximumReads = 4096

  public init() {}
}
