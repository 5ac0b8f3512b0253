import ByteCoding

/// What the core wants done. Owned and emptied by the caller.
///
/// The contract: a message leaves when every write up to its `after` is durable, not before; all else may be done at once and in any order.
public struct Effects: Sendable {
  /// Make durable, in the order of the numbers.
  public var writes: [LogWrite] = []
  public var messages: [Outbound] = []
  /// Reads that may be served once this index is applied.
  public var readable: [(id: ReadID, index: LogIndex)] = []
  /// Forwarded proposals that the leader did not append.
  public var refusedProposals: [(stream: UInt64, sequence: UInt64)] = []
  /// Blocks that the leader sent.
  public var snapshotBlocks: [IncomingBlock] = []
  /// Answers of a peer to which this leader sends a snapshot.
  public var snapshotProgress: [(peer: NodeID, position: LogPosition, next: Int)] = []
  /// Peers that need a snapshot from this leader: what they lack is no longer in the log. See `RaftCore.snapshotIndex(neededBy:)`.
  public var snapshotNeeded: [NodeID] = []
  /// To be read from the disk, for peers that lag far behind. Answered by `entriesRead` or `entriesUnavailable`.
  public var entriesNeeded: [EntriesRequest] = []
  /// What came of requests of operators: `nil` for what was done.
  public var operated: [(id: UInt64, error: OperatorError?)] = []
  /// A leader has something else than what is committed here, which cannot be: what, and what to do about it. Nothing was changed. The
  /// owner must stop the member, before a client is told what others take back.
  public var contradiction: String?

  public init() {}

  public var isEmpty: Bool {
    writes.isEmpty && messages.isEmpty && readable.isEmpty && refusedProposals.isEmpty && snapshotBlocks.isEmpty
      && snapshotProgress.isEmpty && snapshotNeeded.isEmpty && entriesNeeded.isEmpty && operated.isEmpty
      && contradiction == nil
  }

  public mutating func removeAll() {
    writes.clear()
    messages.clear()
    readable.clear()
    refusedProposals.clear()
    snapshotBlocks.clear()
    snapshotProgress.clear()
    snapshotNeeded.clear()
    entriesNeeded.clear()
    operated.clear()
    contradiction = nil
  }
}

public struct Outbound: Sendable, Equatable {
  public let message: Message
  /// The write that must be durable first: the one that holds the term (and vote) which the message names.
  public let after: UInt64
}

public struct IncomingBlock: Sendable, Equatable {
  public let from: NodeID
  public let descriptor: SnapshotDescriptor
  public let number: Int
  public let block: Bytes
  public let last: Bool
  /// Which file the block is of.
  public let file: SnapshotFingerprint
}

/// What a turn asks of the disk. They are made in the order of their numbers; `RaftCore.persisted(through:)` says how far they are durable.
/// Within one write the hard state is durable before the entries are written.
public struct LogWrite: Sendable {
  /// Grows by one from write to write, from 1 at each start.
  public let sequence: UInt64
  /// The new hard state, if it changed.
  public var hardState: HardState?
  /// A snapshot took the place of the log: forget every entry, the next one follows this position.
  public var reset: LogPosition?
  /// Contiguous. The first one may lie at or before the end of the log: then the old entries from there on are void.
  public var entries: [Entry]
  /// The commit index that was known then. A hint: it may lag, and needs no sync of its own.
  public var commit: LogIndex

  public init(sequence: UInt64, hardState: HardState? = nil, reset: LogPosition? = nil, entries: [Entry] = [], commit: LogIndex = 0) {
    self.sequence = sequence
    self.hardState = hardState
    self.reset = reset
    self.entries = entries
    self.commit = commit
  }
}

/// Committed entries that a leader wants for a peer, and has no longer in memory: they are to be read from its disk.
public struct EntriesRequest: Sendable, Equatable {
  /// Whom they are for.
  public let peer: NodeID
  /// They follow this index; its term is wanted too.
  public let after: LogIndex
  /// The last that may be given.
  public let through: LogIndex
  /// About so many bytes, but at least one entry.
  public let limit: Int

  public init(peer: NodeID, after: LogIndex, through: LogIndex, limit: Int) {
    self.peer = peer
    self.after = after
    self.through = through
    self.limit = limit
  }
}
