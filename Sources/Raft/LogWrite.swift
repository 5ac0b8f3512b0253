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
