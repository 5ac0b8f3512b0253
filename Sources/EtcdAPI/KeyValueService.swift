import KeyValue
import Raft
import Replica

/// The store as the API sees it: one node of the cluster.
public protocol KeyValueService: Sendable {
  /// Does a request, and answers once, from any thread: callers hop to their own.
  ///
  /// - Parameters:
  ///   - consistency: For requests that only read; the others are always linearizable.
  ///   - timeout: From now; when it is over, the answer is an error.
  func perform(
    _ request: Request, consistency: Consistency, timeout: Duration,
    completion: @escaping @Sendable (Result<ServedAnswer, StoreError>) -> Void)

  /// Has the leader change the members, or hand over, if this node leads; answers once, from any thread.
  func perform(
    _ operation: OperatorRequest, timeout: Duration, completion: @escaping @Sendable (Result<Void, RequestError>) -> Void)

  /// What the node knows of itself. Cheap, and never waits for requests.
  var status: ReplicaStatus { get }
  /// While the node leads.
  var followers: [FollowerStatus] { get }

  /// Bytes on disk.
  var databaseSize: Int64 { get }

  /// Whether the node does its work. Waits for nothing that could be what does not work.
  var health: ServiceHealth { get }
}

/// What `/health` and its like look at.
public struct ServiceHealth: Sendable, Hashable {
  public var hasLeader: Bool
  /// What keeps the node from answering anything, in words; `nil` if nothing does.
  public var stall: String?
  /// What keeps it from making writes durable, in words; `nil` if nothing does.
  public var writeStall: String?

  public init(hasLeader: Bool, stall: String? = nil, writeStall: String? = nil) {
    self.hasLeader = hasLeader
    self.stall = stall
    self.writeStall = writeStall
  }
}

/// An answer, and what it is worth.
public struct ServedAnswer: Sendable, Hashable {
  public var answer: Response
  /// For how long this node has not heard from a leader, when it answered a serializable read; `nil` for a fresh answer.
  public var staleness: Duration?

  public init(_ answer: Response, staleness: Duration? = nil) {
    self.answer = answer
    self.staleness = staleness
  }
}
