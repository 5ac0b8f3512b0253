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
    completion: @escaping @Sendable (Result<ServedAnswer, ServiceError>) -> Void)

  /// What the node knows of itself. Cheap, and never waits for requests.
  var status: ServiceStatus { get }

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

/// Why there is no answer.
public enum ServiceError: Error, Hashable, Sendable {
  /// The cluster could not do it, or does not know whether it did.
  case request(RequestError)
  /// The store refused it: it changed nothing, and never will.
  case keyValue(KeyValueError)
}

/// A node's view of itself and its cluster.
public struct ServiceStatus: Sendable, Hashable {
  public var node: NodeID
  /// `nil` until the cluster has formed.
  public var cluster: ClusterID?
  public var leader: NodeID?
  public var term: Term
  /// The last log index known to be committed.
  public var commitIndex: LogIndex
  public var appliedIndex: LogIndex
  /// Bytes on disk.
  public var databaseSize: Int64
  public var members: [Member]
  /// This node's name.
  public var name = ""
  /// While the cluster has not formed: the names of the members that it waits for.
  public var awaited: [String] = []

  public init(
    node: NodeID, cluster: ClusterID? = nil, leader: NodeID? = nil, term: Term = 0, commitIndex: LogIndex = 0,
    appliedIndex: LogIndex = 0, databaseSize: Int64 = 0, members: [Member] = []
  ) {
    self.node = node
    self.cluster = cluster
    self.leader = leader
    self.term = term
    self.commitIndex = commitIndex
    self.appliedIndex = appliedIndex
    self.databaseSize = databaseSize
    self.members = members
  }
}
