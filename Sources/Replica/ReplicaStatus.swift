import Raft

/// How a follower fares, as its leader saw it last: at most two heartbeat intervals ago.
public struct FollowerStatus: Sendable, Hashable {
  public var node: NodeID
  /// Entries that the leader has and the follower has not confirmed.
  public var lagEntries: UInt64
  /// For how long it has not had all that is committed; 0 if it has.
  public var lag: Nanoseconds
  /// Since it last answered anything; if it did not in this term, since that began.
  public var timeSinceContact: Nanoseconds
  /// What it lacks is in the log no more: it gets a snapshot.
  public var receivesSnapshot: Bool

  public init(node: NodeID, lagEntries: UInt64, lag: Nanoseconds, timeSinceContact: Nanoseconds, receivesSnapshot: Bool) {
    self.node = node
    self.lagEntries = lagEntries
    self.lag = lag
    self.timeSinceContact = timeSinceContact
    self.receivesSnapshot = receivesSnapshot
  }
}

/// What a node knows of itself and its cluster; cheap to take, and never waits for anything.
public struct ReplicaStatus: Sendable, Hashable {
  public enum Role: String, Sendable, Hashable {
    /// Waits for the other members of the first configuration to show themselves.
    case forming
    case follower, candidate, leader
    /// Stopped, or its disk failed.
    case stopped
  }

  public var node: NodeID
  public var name: String
  /// `nil` until the cluster has formed.
  public var cluster: ClusterID?
  public var role: Role
  /// While the cluster has not formed: the names of the members that have not shown themselves, or have not agreed yet.
  public var awaited: [String]
  public var term: Term
  public var leader: NodeID?
  public var commitIndex: LogIndex
  public var appliedIndex: LogIndex
  public var lastIndex: LogIndex
  /// Up to where a snapshot covers the log; 0 without one.
  public var snapshotIndex: LogIndex
  /// Everybody: voters, learners, and voters that leave.
  public var members: [Member]
  /// Who of them votes, and who left; `nil` until the cluster has formed.
  public var configuration: Configuration?
  /// The node was removed, for good: stop it.
  public var isRemoved = false
  /// The follower for whose sake this leader takes fewer commands than it could: it lags so far that it would never catch up otherwise.
  public var slowedFor: NodeID?
  /// Requests that wait for an answer, and the bytes of proposals among them.
  public var pendingRequests: Int
  public var pendingBytes: Int

  public init(node: NodeID, name: String) {
    self.node = node
    self.name = name
    role = .forming
    awaited = []
    term = 0
    commitIndex = 0
    appliedIndex = 0
    lastIndex = 0
    snapshotIndex = 0
    members = []
    pendingRequests = 0
    pendingBytes = 0
  }
}
