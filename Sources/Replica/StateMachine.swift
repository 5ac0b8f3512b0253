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
