import Raft

/// The bounds and times of one node; each has a default that suits a small server.
public struct ReplicaSettings: Sendable, Hashable {
  public var raft = Settings()
  /// Most requests that wait for an answer; one more is refused as busy.
  public var maximumPendingRequests = 16_384
  /// Most bytes of proposals that wait for an answer; one more is refused as busy.
  public var maximumPendingBytes = 64 << 20
  /// Most bytes of one command.
  public var maximumCommandSize = 4 << 20
  /// Most bytes of messages that wait until what they say is durable; beyond, the oldest are dropped, as the network may drop them.
  public var maximumWithheldBytes = 16 << 20
  /// A snapshot is taken when the log since the last one has this many bytes, or half of the last one's, if that is more.
  public var snapshotAfterBytes = 16 << 20
  /// Log kept on disk before a snapshot, in bytes, or half of the snapshot's, if that is more: a peer that was away for a moment needs no
  /// snapshot then.
  public var logKeptBytes = 8 << 20
  /// Most bytes of applied entries in memory; older ones are read from the disk for peers that lag.
  public var logMemoryBytes = 32 << 20
  /// Most bytes of a snapshot that are under way to one peer: bandwidth times latency should fit.
  public var snapshotWindowBytes = 4 << 20

  public init() {}
}
