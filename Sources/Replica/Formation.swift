import Raft
import WriteAheadLog

/// How nodes that know each other's names become a cluster of random identities, once, and never twice.
///
/// Each node waits until it knows every identity, then casts a durable bootstrap vote for the configuration that follows: one vote
/// in its life. The cluster is formed when the vote is unanimous. So a member that lost its disk meanwhile, and returns with a new
/// identity, can never bring about a second cluster: some node has voted for the first one already.
struct Formation: Sendable {
  enum Step: Equatable {
    case wait
    /// Make this vote durable, then call `voted`.
    case castVote(Configuration)
    case form(Configuration)
    /// Something is wrong, perhaps elsewhere: the text is for the log.
    case doubt(String)
    /// This node can take no part; the text says what to do.
    case refused(String)
  }

  private struct Peer {
    let name: String
    var member: Member
    var vote: ClusterID?
  }

  private let id: NodeID
  private let peerInfo: PeerInfo
  private(set) var vote: Configuration?
  /// On its way to the disk: no other can be made any more.
  private var isVoting = false
  private var peers: [Peer] = []

  init(identity: IdentityRecord, peerInfo: PeerInfo) {
    id = identity.node
    self.peerInfo = peerInfo
    if case .voted(let configuration) = identity.phase { vote = configuration }
  }

  private var own: Member {
    Member(id: id, name: peerInfo.name, peerAddress: peerInfo.peerAddress, clientAddress: peerInfo.clientAddress)
  }

  private var names: [String] { peerInfo.initialCluster.map(\.name).sorted() }

  var bootstrap: BootstrapMessage {
    BootstrapMessage(
      name: peerInfo.name, peerAddress: peerInfo.peerAddress, clientAddress: peerInfo.clientAddress, names: names,
      phase: vote.map { .voted($0) } ?? .undecided)
  }

  /// Those that have not shown themselves, or have not agreed yet.
  var awaited: [String] {
    names.filter { name in name != peerInfo.name && peers.first { $0.name == name }?.vote == nil }
  }

  mutating func receive(_ bootstrap: BootstrapMessage, from peer: NodeID) -> Step {
    if case .formed(let configuration) = bootstrap.phase { return join(configuration) }
    guard bootstrap.names == names, names.contains(bootstrap.name), bootstrap.name != peerInfo.name else {
      return bootstrap.name == peerInfo.name ? .doubt(Self.twoOfOneName(peerInfo.name)) : .doubt(Self.otherNames(bootstrap.name))
    }
    let member = Member(
      id: peer, name: bootstrap.name, peerAddress: bootstrap.peerAddress, clientAddress: bootstrap.clientAddress)
    let index = peers.firstIndex { $0.name == bootstrap.name } ?? peers.count
    if index == peers.count { peers.append(Peer(name: bootstrap.name, member: member)) }
    peers[index].member = member
    peers[index].vote = nil
    if case .voted(let configuration) = bootstrap.phase {
      peers[index].vote = configuration.digest
      // Another node was first, and counted on this one: its vote is as good as ours.
      if vote == nil, !isVoting, configuration.member(id)?.name == peerInfo.name { return castVote(configuration) }
    }
    return next()
  }

  /// The vote is durable.
  mutating func voted(_ configuration: Configuration) -> Step {
    vote = configuration
    return next()
  }

  /// What follows from what is known.
  mutating func next() -> Step {
    guard let vote else {
      let members = [own] + peers.map(\.member)
      return members.count == names.count && !isVoting ? castVote(Configuration(voters: members)) : .wait
    }
    for peer in peers where vote.voters.first(where: { $0.name == peer.name })?.id != peer.member.id {
      return .refused(Self.changedIdentity(peer.name))
    }
    if let other = peers.first(where: { $0.vote != nil && $0.vote != vote.digest }) {
      return .refused(Self.votedOtherwise(other.name))
    }
    let agreed = peers.filter { $0.vote == vote.digest }.count + 1
    return agreed == vote.voters.count ? .form(vote) : .wait
  }

  private mutating func castVote(_ configuration: Configuration) -> Step {
    isVoting = true
    return .castVote(configuration)
  }

  /// Others say that the cluster is formed: then this node has voted for it, or is none of its members.
  private func join(_ configuration: Configuration) -> Step {
    if let vote { return vote == configuration ? .form(configuration) : .refused(Self.otherCluster(peerInfo.name)) }
    guard configuration.voters.contains(where: { $0.name == peerInfo.name }) else { return .refused(Self.notAMember(peerInfo.name)) }
    return .refused(Self.lostItsDisk(peerInfo.name))
  }

  // MARK: What the operator reads

  private static func lostItsDisk(_ name: String) -> String {
    "the cluster knows \(name) under another identity: this data directory is new, the old one was lost or is elsewhere. A member that "
      + "lost its data cannot vote as before. Start \(name) with its old data directory; nothing was changed in the cluster."
  }

  private static func notAMember(_ name: String) -> String {
    "the cluster has formed without \(name), which is not among its members. Check --name and --initial-cluster."
  }

  private static func otherCluster(_ name: String) -> String {
    "\(name) agreed to form another cluster than the one that answers. Check --initial-cluster and --data-dir."
  }

  private static func changedIdentity(_ name: String) -> String {
    "\(name) lost its data directory while the cluster was being formed. Nothing was stored yet: stop all nodes, delete their data "
      + "directories, and start them again."
  }

  private static func votedOtherwise(_ name: String) -> String {
    "\(name) agreed to form another cluster than this node: flags or addresses changed while the cluster was being formed. Nothing was "
      + "stored yet: stop all nodes, delete their data directories, and start them again."
  }

  private static func otherNames(_ name: String) -> String {
    "\(name) was started with another --initial-cluster than this node: all members need the same"
  }

  private static func twoOfOneName(_ name: String) -> String {
    "another node calls itself \(name) too. Give each node a --name of its own."
  }
}
