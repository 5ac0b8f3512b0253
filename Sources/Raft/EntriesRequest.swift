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
