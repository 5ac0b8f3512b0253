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

  /// The state of this node, as fresh as asked for; answers once, from any thread.
  func read(
    _ consistency: Consistency, timeout: Duration, completion: @escaping @Sendable (Result<KeyValueView, StoreError>) -> Void)

  /// Asks the leader about a lease; answers once, from any thread, with the store's revision.
  func ask(
    _ question: LeaseQuestion, timeout: Duration,
    completion: @escaping @Sendable (Result<(answer: LeaseAnswer, revision: Revision), StoreError>) -> Void)

  /// Opens a watch. One that names no revision begins after what the view holds.
  ///
  /// - Parameters:
  ///   - view: of this node, a moment ago.
  ///   - wake: called from any thread when there is something to read, after `next` has said that there is nothing for now.
  func watch(
    _ request: WatchRequest, in view: KeyValueView, wake: @escaping @Sendable () -> Void
  ) throws(WatchError) -> any ServedWatch

  /// Has the leader change the members, or hand over, if this node leads; answers once, from any thread.
  func perform(
    _ operation: OperatorRequest, timeout: Duration, completion: @escaping @Sendable (Result<Void, RequestError>) -> Void)

  /// What the node knows of itself. Cheap, and never waits for requests.
  var status: ReplicaStatus { get }
  /// While the node leads.
  var followers: [FollowerStatus] { get }

  /// Who may do what, as of the newest state that this node has. Cheap, and never waits for requests.
  var access: Access { get }

  /// Bytes on disk.
  var databaseSize: Int64 { get }

  /// Whether the node does its work. Waits for nothing that could be what does not work.
  var health: ServiceHealth { get }
}

/// One watch, read at its owner's pace, by one thread at a time. Nothing is queued for it.
public protocol ServedWatch: Sendable {
  /// What comes next, and the revision of the state that it was read from. `nil` once the node stops.
  ///
  /// - Parameter bytes: of keys and values after which a piece ends; the last revision in it is whole, unless revisions may be split.
  func next(bytes: Int) -> (answer: WatchAnswer, revision: Revision)?

  /// The revision that it has seen everything up to; `nil` while there is something to read.
  var progress: Revision? { get }

  /// The newest state that it can be read from.
  var view: KeyValueView? { get }

  /// Nothing is read any more.
  func close()
}

/// What `/health` and its like look at.
public struct ServiceHealth: Sendable, Hashable {
  public var hasLeader: Bool
  /// What keeps the node from answering anything, in words; `nil` if nothing does.
  public var stall: String?
  /// What keeps it from making writes durable, in words; `nil` if nothing does.
  public var writeStall: String?
  /// The store refuses every put until there is room again.
  public var isOutOfSpace: Bool

  public init(hasLeader: Bool, stall: String? = nil, writeStall: String? = nil, isOutOfSpace: Bool = false) {
    self.isOutOfSpace = isOutOfSpace
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
