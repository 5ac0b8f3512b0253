import ByteCoding

/// What can happen to the core.
public enum Event: Sendable {
  /// `deadline` was reached.
  case tick
  case message(Message)
  /// Append these commands, if this node leads and has room for them (`hasRoom`); else nothing happens: look at `lastIndex`.
  case propose([Bytes])
  /// Send these commands to the leader this node follows (if there is none, nothing happens). What becomes of them shows in the log.
  case forward(stream: UInt64, sequence: UInt64, [Bytes])
  /// Find the index from which on a linearizable read may be served; the answer comes as `Effects.readable`, or not at all.
  case read(ReadID)
  /// An operator asks the leader for something. What came of it is told once, in `Effects.operated`, unless the process ends before.
  case operate(UInt64, OperatorRequest)
  /// This member should rather lead: hand over to it, if this node leads, hears it and it has what is committed. Nothing is answered.
  case handOver(to: NodeID)
  /// A member says that it is reached elsewhere now: if this node leads, and may change the configuration now, it says so there.
  case moved(NodeID, peerAddress: String, clientAddress: String)
  /// Every connection over which the leader was heard has ended: its process may have.
  case leaderConnectionLost
  /// All writes up to this number are durable.
  case written(through: UInt64)
  /// This snapshot is durable and now is the application's state.
  case snapshotInstalled(SnapshotDescriptor)
  /// Entries up to here are covered by a durable snapshot of this node, and may be forgotten.
  case compact(through: LogIndex)
  /// Entries up to here are applied: as far as they are committed and durable, memory may do without them.
  case forget(through: LogIndex)
  /// What `Effects.entriesNeeded` asked for: `entries` follow `previous`, and are committed.
  case entriesRead(EntriesRequest, previous: LogPosition, [Entry])
  /// The disk does not have what was asked for, or not in a form that verifies: the peer needs a snapshot.
  case entriesUnavailable(EntriesRequest)
  /// Until this comes again, a leader takes about so many bytes of proposals more.
  case allowProposals(bytes: Int)
  /// A block for a peer that waits for a snapshot from this leader.
  case sendSnapshotBlock(to: NodeID, SnapshotDescriptor, number: Int, block: Bytes, last: Bool, file: SnapshotFingerprint = .unknown)
  /// All blocks before `next` of the leader's snapshot are stored.
  case sendSnapshotProgress(LogPosition, next: Int)
}
