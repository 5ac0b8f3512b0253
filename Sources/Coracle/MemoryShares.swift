import Budget
import Replica

/// How a node shares out the memory that it may spend on what others make it hold. The shares add up to less than the budget, so that no
/// use takes from another: clients that send too much are refused while the members still hear each other.
///
/// Not in it: the state, the log that is kept, and what a connection costs by itself.
public struct MemoryShares: Sendable {
  public static let defaultBytes = 256 << 20
  /// With less, the largest frame between peers would not fit.
  public static let minimumBytes = 128 << 20

  public let budget: MemoryBudget
  /// Bodies of requests that are not whole yet.
  public let bodies: MemoryBudget.Account
  /// Answers that clients have not taken.
  public let answers: MemoryBudget.Account
  /// Frames of peers that are not whole yet.
  public let incomingFrames: MemoryBudget.Account
  /// Frames that peers have not taken.
  public let outgoingFrames: MemoryBudget.Account
  /// Commands that wait for their answers in the replica.
  let pendingBytes: Int
  /// Entries of the leader that are not committed.
  let uncommittedBytes: Int
  /// Messages that wait until what they say is durable.
  let withheldBytes: Int

  /// - Parameter bytes: The budget; what is below `minimumBytes` counts as that.
  public init(bytes: Int = defaultBytes) {
    let bytes = max(bytes, Self.minimumBytes)
    budget = MemoryBudget(bytes: bytes)
    bodies = budget.account("bodies", bytes: bytes / 8)
    answers = budget.account("answers", bytes: bytes / 4)
    incomingFrames = budget.account("incoming_frames", bytes: bytes / 8)
    outgoingFrames = budget.account("outgoing_frames", bytes: bytes / 8)
    pendingBytes = bytes / 8
    uncommittedBytes = bytes / 8
    withheldBytes = bytes / 16
  }

  /// Bounds what the replica holds by its shares.
  func bound(_ settings: inout ReplicaSettings) {
    settings.maximumPendingBytes = min(settings.maximumPendingBytes, pendingBytes)
    settings.raft.maximumUncommittedBytes = min(settings.raft.maximumUncommittedBytes, uncommittedBytes)
    settings.maximumWithheldBytes = min(settings.maximumWithheldBytes, withheldBytes)
  }
}
