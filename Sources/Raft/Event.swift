import ByteCoding

/// What can happen to the core.
public enum Event: Sendable {
  /// `deadline` was reached.
  case tick
  case message(Message)
  /// Append these commands, if this node leads (else nothing happens: look at `lastIndex`).
  case propose([Bytes])
  /// Send these commands to the leader this node follows (if there is none, nothing happens). What becomes of them shows in the log.
  case forward(stream: UInt64, sequence: UInt64, [Bytes])
  /// Find the index from which on a linearizable read may be served; the answer comes as `Effects.readable`, or not at all.
  case read(ReadID)
  /// All writes up to this number are durable.
  case written(through: UInt64)
  /// This snapshot is durable and now is the application's state.
  case snapshotInstalled(SnapshotDescriptor)
  /// Entries up to here are covered by a durable snapshot of this node, and may be forgotten.
  case compact(through: LogIndex)
  /// A snapshot for this peer could not be sent; try again from what the log has.
  case snapshotAbandoned(NodeID)
  /// A block for a peer that waits for a snapshot from this leader.
  case sendSnapshotBlock(to: NodeID, SnapshotDescriptor, number: Int, block: Bytes, last: Bool)
  /// All blocks before `next` of the leader's snapshot are stored.
  case sendSnapshotProgress(LogPosition, next: Int)
}
