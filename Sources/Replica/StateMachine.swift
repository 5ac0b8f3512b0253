import ByteCoding
import Raft

/// A committed command, as the state machine gets it.
public struct Command: Sendable {
  /// Its place in the log: the same on every node, and ever growing.
  public let index: LogIndex
  public let term: Term
  /// What was proposed. Untrusted: bytes that mean nothing must give an output that says so, never a trap.
  public let payload: Bytes

  public init(index: LogIndex, term: Term, payload: Bytes) {
    self.index = index
    self.term = term
    self.payload = payload
  }
}

/// What the state machine of the leader proposes by itself.
public struct LeaderCommand: Sendable, Hashable {
  /// Of at most `ReplicaSettings.maximumCommandSize` bytes. Nobody gets its output.
  public var payload: [UInt8]
  /// What the log says of it; `nil` for nothing.
  public var notice: String?

  public init(payload: [UInt8], notice: String? = nil) {
    self.payload = payload
    self.notice = notice
  }
}

/// The replicated state: yours. Deterministic: the same commands in the same order give the same state and the same outputs on every node,
/// so no clock, no randomness, no iteration over `Dictionary` or `Set`.
///
/// Reads do not go through it: they get a `view`, taken at a moment that satisfies the consistency asked for, and look for themselves.
public protocol StateMachine: Sendable {
  /// The answer to one command, delivered to the client that proposed it.
  associatedtype Output: Sendable
  /// An immutable picture of the state; for a value type the state itself (`Self`) does.
  associatedtype View: SnapshotSource

  /// The empty state.
  init()
  /// Applies committed commands in order; one output for each.
  mutating func apply(_ commands: [Command]) -> [Output]
  /// O(1), or as near as the data structure allows: snapshots are written and long reads served from it while commands go on.
  var view: View { get }
  /// The state that a snapshot holds, made of the blocks that `SnapshotSource.makeBlocks` gave, in their order.
  ///
  /// Untrusted, as commands are: throw for bytes that mean nothing. A snapshot of which blocks are left over is refused for you.
  init(restoring blocks: inout SnapshotBlocks) throws(MalformedBytes)

  // What the leader alone does; see the defaults below.

  mutating func lead(_ term: Term?, now: Instant) -> [LeaderCommand]
  var leaderDeadline: Instant { get }
  mutating func answer(_ question: Bytes, askedAt: Instant, now: Instant) -> [UInt8]
}

/// What only the leader does and knows, such as when something has lasted long enough: it has a clock, the replicated state has none.
/// What is kept for it beside the state is lost with the leadership, and is in no view and no snapshot. By default there is nothing to
/// do.
extension StateMachine {
  /// Called at the end of each turn: with the term, while this node leads and has applied all of the terms before; with `nil` while it does
  /// not. Gives what is to be appended, in this term or not at all (the next leader may commit it, before it leads): give again, a while
  /// later, what was not applied.
  @inlinable public mutating func lead(_ term: Term?, now: Instant) -> [LeaderCommand] { [] }

  /// When `lead` has something to do, if nothing happens before.
  @inlinable public var leaderDeadline: Instant { .never }

  /// Answers what a client asked, on the leader alone: a majority confirmed that it led at `askedAt` or later. May be called more than once
  /// for one question. Untrusted, as commands are. At most `ReplicaSettings.largestQuestion` bytes.
  @inlinable public mutating func answer(_ question: Bytes, askedAt: Instant, now: Instant) -> [UInt8] { [] }
}

/// What can be written to a snapshot file and sent to a peer, block by block.
public protocol SnapshotSource: Sendable {
  associatedtype Blocks: IteratorProtocol<[UInt8]>, Sendable

  /// The state in blocks. Each should have about `SnapshotBlockSize.preferred` bytes, and must not exceed `SnapshotBlockSize.maximum`.
  /// Those without a byte are left out.
  func makeBlocks() -> Blocks
}

/// Bounds of a snapshot's blocks, in bytes.
public enum SnapshotBlockSize {
  public static let preferred = 64 << 10
  public static let maximum = 4 << 20
}

extension StateMachine where View == Self {
  public var view: Self { self }
}
