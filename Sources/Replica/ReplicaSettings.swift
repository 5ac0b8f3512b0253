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
  /// A snapshot is taken when the log since the last one has this many bytes.
  public var snapshotAfterBytes = 16 << 20
  /// Log kept behind a snapshot, in bytes, so that a peer that was away for a moment needs no snapshot.
  public var logKeptBytes = 8 << 20

  public init() {}
}
