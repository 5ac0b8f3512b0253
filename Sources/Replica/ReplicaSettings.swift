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

  /// Of two members that could lead as well, the one with more of it should. It is a preference: a member leads whatever it has, if there
  /// is no better one.
  public var priority: UInt8 = 0

  // Bounds that need no tuning. The simulator draws small values, so that each bound is reached.

  /// Most bytes of entries that one turn applies, so that a long log does not keep heartbeats waiting; at least one entry.
  package var applyBytesPerTurn = 4 << 20
  /// Answered commands are dropped from those in flight so many at a time, since each time looks at all.
  package var forgottenAtOnce = 1024
  /// Most messages that wait for the disk. Beyond, and beyond `maximumWithheldBytes`, the oldest go: as the network may drop them,
  /// consensus can do without.
  package var maximumWithheldMessages = 4096
  /// Most bytes of commands in one message to the leader (one command may be larger, and then goes alone).
  package var maximumForwardBytes = 1 << 20
  /// Most bytes of a snapshot's blocks that wait for this node's disk, but at least one block; beyond, a block is dropped, and comes again.
  package var maximumBlockBytesWaiting = 16 << 20
  /// Most blocks of a snapshot under way to one peer, however small they are.
  package var maximumBlocksUnderWay = 256
  /// A follower that is slower than this, in bytes a heartbeat interval, is not waited for: the others would be of no use.
  package var slowestFollowerBytes = 32 << 10

  public init() {}
}

extension ReplicaSettings {
  /// Most bytes of a question to the leader, and of its answer.
  public static let largestQuestion = 4096
  /// Most bytes of entries in one message: with what goes around them, a frame between peers holds no more.
  package static let largestMessage = 15 << 20
  /// Most bytes of one command: an entry of the log holds no more, with what goes around it.
  package static let largestCommand = Entry.maximumPayloadSize - Proposal.headerSize

  /// Throws the first setting that does not make sense, alone or beside another.
  public func validate() throws(InvalidSetting) {
    do {
      try raft.validate()
    } catch {
      throw InvalidSetting("raft.\(error.name)", error.rule)
    }
    try InvalidSetting.check(
      "raft.maximumAppendBytes", raft.maximumAppendBytes <= Self.largestMessage, "at most \(Self.largestMessage) bytes")
    try InvalidSetting.check("maximumPendingRequests", maximumPendingRequests > 0, "positive")
    try InvalidSetting.check(
      "maximumCommandSize", (1...Self.largestCommand).contains(maximumCommandSize), "between 1 and \(Self.largestCommand) bytes")
    try InvalidSetting.check(
      "maximumPendingBytes", maximumPendingBytes >= maximumCommandSize + Proposal.headerSize,
      "at least maximumCommandSize and \(Proposal.headerSize) bytes: no command of that size would be taken otherwise")
    try InvalidSetting.check(
      "raft.maximumUncommittedBytes", raft.maximumUncommittedBytes >= maximumCommandSize + Proposal.headerSize,
      "at least maximumCommandSize and \(Proposal.headerSize) bytes: a leader would take no command of that size otherwise")
    try InvalidSetting.check("maximumWithheldBytes", maximumWithheldBytes > 0, "positive")
    try InvalidSetting.check("snapshotAfterBytes", snapshotAfterBytes > 0, "positive")
    try InvalidSetting.check("logKeptBytes", logKeptBytes >= 0, "0 or more")
    try InvalidSetting.check("logMemoryBytes", logMemoryBytes >= 0, "0 or more")
    try InvalidSetting.check("snapshotWindowBytes", snapshotWindowBytes > 0, "positive")
  }
}
