/// What a node must never forget: the newest term it saw and whom it voted for in it. Written as one record, durable before any message
/// that names the term leaves (Raft paper, figure 2).
public struct HardState: Hashable, Sendable {
  public var term: Term
  public var vote: NodeID?

  public init(term: Term = 0, vote: NodeID? = nil) {
    self.term = term
    self.vote = vote
  }
}

/// What a start finds on disk: durable, all of it.
public struct DurableState: Sendable {
  public var hardState: HardState
  /// The position before the first entry kept.
  public var start: LogPosition
  /// Contiguous, from `start.index + 1` on.
  public var entries: [Entry]
  /// An index that is certainly committed; what is really committed may be more.
  public var commit: LogIndex

  /// The end of the log.
  public var last: LogPosition { entries.last?.position ?? start }

  public init(hardState: HardState, start: LogPosition = .zero, entries: [Entry] = [], commit: LogIndex = 0) {
    self.hardState = hardState
    self.start = start
    self.entries = entries
    self.commit = commit
  }
}
