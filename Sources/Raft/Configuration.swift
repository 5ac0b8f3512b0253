import ByteCoding

/// One member of the cluster. Raft counts it by `id` alone; name and addresses are data for people and transports.
public struct Member: Hashable, Sendable {
  /// Most bytes that a name or an address may have, so that a configuration fits where it must: in the header of a snapshot.
  public static let maximumTextSize = 1024

  public let id: NodeID
  /// Unique in the cluster, chosen by the operator.
  public let name: String
  /// Where its peers reach it, as `host:port`.
  public let peerAddress: String
  /// Where clients reach it, as `host:port`.
  public let clientAddress: String

  public init(id: NodeID, name: String, peerAddress: String, clientAddress: String) {
    self.id = id
    self.name = name
    self.peerAddress = peerAddress
    self.clientAddress = clientAddress
  }
}

/// A member that receives the log and does not count.
public struct Learner: Hashable, Sendable {
  /// When it becomes a voter. It stands in the configuration, so whoever leads carries it out.
  public enum Promotion: Hashable, Sendable {
    /// When an operator asks for it.
    case onRequest
    /// As soon as it has caught up.
    case whenCaughtUp
    /// As soon as it has caught up; then this voter leaves in the same step.
    case replacing(NodeID)
  }

  public let member: Member
  public let promotion: Promotion

  public init(_ member: Member, _ promotion: Promotion) {
    self.member = member
    self.promotion = promotion
  }
}

/// The members of the cluster: a log entry like any other, in force from the moment it is appended (Raft paper, section 6).
public struct Configuration: Hashable, Sendable {
  /// Most members of a cluster, learners and those who leave included.
  public static let maximumMembers = 16
  /// Most identities that left and are remembered. Beyond, the one that left first is forgotten.
  public static let maximumRemoved = 256

  /// The voters, ordered by name, so that all nodes encode the same configuration in the same bytes.
  public let voters: [Member]
  /// In a joint configuration, those who were the voters before, ordered by name: a decision needs a quorum of them too. Else empty.
  public let outgoing: [Member]
  /// Ordered by name.
  public let learners: [Learner]
  /// Identities that were members and left, in the order in which they did: none of them is ever a member again.
  public let removed: [NodeID]
  let voterIDs: [NodeID]
  let outgoingIDs: [NodeID]

  public init(voters: [Member], outgoing: [Member] = [], learners: [Learner] = [], removed: [NodeID] = []) {
    self.voters = voters.sorted { $0.name < $1.name }
    self.outgoing = outgoing.sorted { $0.name < $1.name }
    self.learners = learners.sorted { $0.member.name < $1.member.name }
    self.removed = removed.suffix(Self.maximumRemoved)
    voterIDs = self.voters.map(\.id)
    outgoingIDs = self.outgoing.map(\.id)
  }

  /// Of a node that has no log yet: it is no member of anything that it knows.
  static let unknown = Configuration(voters: [])

  public var isJoint: Bool { !outgoing.isEmpty }

  /// Everybody, each once.
  public var members: [Member] {
    voters + outgoing.filter { !voterIDs.contains($0.id) } + learners.map(\.member)
  }

  public func member(_ id: NodeID) -> Member? {
    voters.first { $0.id == id } ?? outgoing.first { $0.id == id } ?? learners.first { $0.member.id == id }?.member
  }

  public func isMember(_ id: NodeID) -> Bool { isVoter(id) || learners.contains { $0.member.id == id } }

  /// Whether it votes, and its copies count: in either part of a joint configuration.
  public func isVoter(_ id: NodeID) -> Bool { voterIDs.contains(id) || outgoingIDs.contains(id) }

  /// The voters; of a joint configuration, of each part.
  package var electorate: [[NodeID]] { isJoint ? [voterIDs, outgoingIDs] : [voterIDs] }

  /// Everybody who votes, each once.
  var allVoterIDs: [NodeID] { isJoint ? voterIDs + outgoingIDs.filter { !voterIDs.contains($0) } : voterIDs }

  /// FNV-1a over the encoding: the cluster's identity, when this is its first configuration.
  public var digest: ClusterID {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in encoded() { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return ClusterID(hash == 0 ? 1 : hash)
  }
}
