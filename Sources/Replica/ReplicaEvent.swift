import ByteCoding
import Raft
import WriteAheadLog

/// Chosen by the caller, never 0; unique among the requests of one node in flight. Start from a random number at each start of a process,
/// so that an old entry in the log is never taken for the answer to a new request.
public typealias RequestID = UInt64

/// What happens to a replica. Nothing else does: it has no clock, no socket and no disk of its own.
public enum ReplicaEvent<Machine: StateMachine>: Sendable {
  /// `deadline` was reached.
  case tick
  /// A frame came in, from one of this process's connections.
  case frame(Bytes, connection: UInt64)
  /// A connection over which frames came has ended.
  case disconnected(connection: UInt64)
  /// A client wants this done, and an answer by the deadline.
  case propose(RequestID, command: Bytes, deadline: Instant)
  /// A client wants to look at the state.
  case read(RequestID, Consistency, deadline: Instant)
  /// A client asks what only the leader knows, and wants an answer by the deadline.
  case ask(RequestID, question: Bytes, deadline: Instant)
  /// The client of a request does not wait any longer: answer it at once with what is known.
  case cancel(RequestID)
  /// An operator asks the leader for something, and wants an answer by the deadline.
  case operate(RequestID, OperatorRequest, deadline: Instant)
  /// The identity record handed out last is durable.
  case identitySaved
  /// All log writes up to this number are durable.
  case written(through: UInt64)
  /// The snapshot asked for by `SnapshotWork.save` is durable under its name.
  case snapshotSaved(SnapshotDescriptor, bytes: Int)
  /// What `SnapshotWork.read` asked for, and which file it is of. A file without blocks is sent as one block, which is empty.
  case snapshotBlock(SnapshotDescriptor, number: Int, block: Bytes, file: SnapshotFingerprint, for: NodeID)
  /// The file that was open for this peer is closed.
  case snapshotReleased(NodeID)
  /// The block handed out by `SnapshotWork.store` is in the file. After the last one: the file is whole and durable.
  case snapshotStored(SnapshotDescriptor, number: Int, last: Bool)
  /// What `SnapshotWork.restore` asked for: the snapshot is durable under its name. `bytes`: in its blocks.
  case restored(SnapshotDescriptor, Machine, bytes: Int = 0)
  case snapshotsRemoved(before: LogIndex)
  /// What `ReplicaEffects.logReads` asked for, or why it cannot be had.
  case logRead(EntriesRequest, Result<LogPiece, StorageError>)
  /// A snapshot operation failed; the log is untouched. The replica tries again when there is need.
  case snapshotFailed(SnapshotDescriptor, String)
  /// The disk failed under the log: nothing that is not durable by now will be.
  case storageFailed(String)
  /// Stop taking requests; what waits is answered.
  case stop
}

/// What a frame says of the connection over which it came. Without authentication: it tells mistakes from members, not enemies.
public enum FrameVerdict: Hashable, Sendable {
  /// It is of a member of this node's cluster, or of one that is to be formed with it.
  case member
  /// It is whole, and not from a member.
  case unknown
  /// It is no frame, or not what was sent: what follows cannot be trusted either.
  case malformed
}

/// Where a frame goes: to a peer's advertised address, or back over the connection on which one came.
public enum Destination: Hashable, Sendable {
  case address(String)
  case connection(UInt64)
}

/// Frames to one address are in order within a lane, and neither waits for the other: each takes a connection of its own.
public enum Lane: Hashable, Sendable, CaseIterable {
  /// Small frames that must not be late: heartbeats, votes, reads, and all answers.
  case control
  /// Entries, commands and blocks of snapshots, up to megabytes each, and what must not overtake them.
  case data
}

/// What a replica wants done. The owner empties it after each turn (`removeAll`), and carries it out in any order, except that log writes
/// are made in their own order and each kind of snapshot work in its own.
public struct ReplicaEffects<Machine: StateMachine> {
  @usableFromInline var control = ControlEffects()
  public var replies: [Reply<Machine>] = []
  public var snapshots: [SnapshotWork<Machine>] = []

  /// Make this durable, then report `identitySaved`.
  @inlinable public var identity: IdentityRecord? { control.identity }
  /// Make these durable in order, then report `written`.
  @inlinable public var writes: [LogWrite] { control.writes }
  /// The log up to here is covered by a durable snapshot and no longer needed.
  @inlinable public var compact: LogIndex? { control.compact }
  /// Read these from the log, after the writes, and report each with `logRead`.
  @inlinable public var logReads: [EntriesRequest] { control.logReads }
  /// To be sent now; may be lost. What must be durable before was already.
  @inlinable public var frames: [(to: Destination, lane: Lane, frame: [UInt8])] { control.frames }
  /// Who sent the frame of the last `.frame` event; known as soon as that is stepped.
  @inlinable public var frameVerdict: FrameVerdict { control.frameVerdict }
  /// For logs and people; nothing depends on them.
  @inlinable public var diagnostics: [Diagnostic] { control.diagnostics }
  /// When to call `step(.tick)` next, if nothing else happens before; set at the end of each turn.
  @inlinable public var deadline: Instant { control.deadline }
  /// Where consensus stood at the end of the turn; for checkers.
  @inlinable package var consensus: ConsensusState? { control.consensus }

  @inlinable public init() {}

  /// Empties the bundle and keeps its storage.
  @inlinable
  public mutating func removeAll() {
    control.removeAll()
    replies.clear()
    snapshots.clear()
  }
}

/// The one answer to a request.
public enum Reply<Machine: StateMachine>: Sendable {
  /// The command was committed, and applied here with this output.
  case applied(RequestID, Machine.Output)
  /// The read may be done on this view, the state after the entry at `index`. `staleness`: how long this node has not heard from a leader,
  /// or, leading, from a majority; `nil` for a fresh read.
  case view(RequestID, Machine.View, index: LogIndex, staleness: Nanoseconds?)
  /// What the leader's state machine answered; see `StateMachine.answer`.
  case answered(RequestID, Bytes)
  /// What an operator asked for is done.
  case done(RequestID)
  case failed(RequestID, RequestError)
}

/// Work on snapshot files: slow, so done beside the log.
public enum SnapshotWork<Machine: StateMachine>: Sendable {
  /// Write this view as a snapshot, make it durable, report `snapshotSaved`, then remove older ones.
  case save(SnapshotDescriptor, Machine.View)
  /// Read one block for a peer, report `snapshotBlock`.
  case read(SnapshotDescriptor, number: Int, for: NodeID)
  /// No more blocks are read for this peer: close its file, report `snapshotReleased`.
  case release(for: NodeID)
  /// A block of a snapshot that a leader sends: number 0 begins the file anew. Report `snapshotStored`.
  case store(SnapshotDescriptor, number: Int, block: Bytes, last: Bool)
  /// Build a state machine from what was stored, whole; make it a snapshot; report `restored`.
  case restore(SnapshotDescriptor)
  /// Remove the snapshots before this one, which is counted on from now on; report `snapshotsRemoved`.
  case removeOlder(than: SnapshotDescriptor)
}

/// Something worth a line in the log.
public enum Diagnostic: Hashable, Sendable {
  case waitingForMembers([String])
  case formed(ClusterID)
  case becameLeader(Term)
  case lostLeadership(Term, String)
  case follows(NodeID, Term)
  case snapshotTaken(LogIndex)
  case snapshotInstalled(LogIndex)
  /// Taking, sending or receiving a snapshot failed; it will be tried again. As long as none succeeds, the log grows.
  case snapshotFailed(LogIndex, String)
  /// What a peer lacks could not be read from the log: it gets a snapshot.
  case logUnreadable(LogIndex, String)
  /// Fewer commands are taken from now on, so that this follower, which lags far behind, can catch up. At most so many bytes a second.
  case slowsDown(NodeID, bytesPerSecond: Int)
  /// What the state machine of the leader proposed by itself, in its own words.
  case leaderActs(String)
  /// All followers keep up again, or the slow one is not waited for any more.
  case fullSpeed
  /// The node is no member of its cluster any more, and never will be: it can be stopped, and its data directory deleted.
  case removed
  /// A frame was refused: malformed, of another cluster or version, or not from a member.
  case refusedFrame(String)
  /// The node cannot take part, and a restart will not change that; the operator must do what the text says.
  case refusedByCluster(String)
  /// A leader has something else than what is committed here, so the node has stopped. A restart will not change that: the operator must
  /// do what the text says.
  case contradiction(String)
}
