import Raft
import WriteAheadLog

/// How nodes that know each other's names become a cluster of random identities, once, and never twice.
///
/// Each waits until it knows everybody's identity, then promises the configuration that follows from them, durably: a node promises one
/// configuration in its life. The cluster is formed when all have promised the same. As that takes everybody, a member that lost its disk
/// meanwhile, and comes back as somebody else, can never bring a second cluster about: someone has promised the first one already.
struct Formation: Sendable {
  enum Step: Equatable {
    case wait
    /// Make this promise durable, then call `promised`.
    case promise(Configuration)
    case form(Configuration)
    /// Something is wrong, perhaps elsewhere: the text is for the log.
    case doubt(String)
    /// This node can take no part; the text says what to do.
    case refused(String)
  }

  private struct Peer {
    let name: String
    var member: Member
    var promise: ClusterID?
  }

  private let id: NodeID
  private let contact: Contact
  private(set) var promise: Configuration?
  /// On its way to the disk: no other can be made any more.
  private var isPromising = false
  private var peers: [Peer] = []

  init(identity: IdentityRecord, contact: Contact) {
    id = identity.node
    self.contact = contact
    if case .promised(let configuration) = identity.phase { promise = configuration }
  }

  private var own: Member {
    Member(id: id, name: contact.name, peerAddress: contact.peerAddress, clientAddress: contact.clientAddress)
  }

  private var names: [String] { contact.initialCluster.map(\.name).sorted() }

  var introduction: Introduction {
    Introduction(
      name: contact.name, peerAddress: contact.peerAddress, clientAddress: contact.clientAddress, names: names,
      phase: promise.map { .promised($0) } ?? .undecided)
  }

  /// Those that have not shown themselves, or have not agreed yet.
  var awaited: [String] {
    names.filter { name in name != contact.name && peers.first { $0.name == name }?.promise == nil }
  }

  mutating func receive(_ introduction: Introduction, from peer: NodeID) -> Step {
    if case .formed(let configuration) = introduction.phase { return join(configuration) }
    guard introduction.names == names, names.contains(introduction.name), introduction.name != contact.name else {
      return introduction.name == contact.name ? .doubt(Self.twoOfOneName(contact.name)) : .doubt(Self.otherNames(introduction.name))
    }
    let member = Member(
      id: peer, name: introduction.name, peerAddress: introduction.peerAddress, clientAddress: introduction.clientAddress)
    let index = peers.firstIndex { $0.name == introduction.name } ?? peers.count
    if index == peers.count { peers.append(Peer(name: introduction.name, member: member)) }
    peers[index].member = member
    peers[index].promise = nil
    if case .promised(let configuration) = introduction.phase {
      peers[index].promise = configuration.digest
      // Somebody was first, and counted on this very node: its promise is as good as ours.
      if promise == nil, !isPromising, configuration.member(id)?.name == contact.name { return makePromise(configuration) }
    }
    return next()
  }

  /// The promise is durable.
  mutating func promised(_ configuration: Configuration) -> Step {
    promise = configuration
    return next()
  }

  /// What follows from what is known.
  mutating func next() -> Step {
    guard let promise else {
      let members = [own] + peers.map(\.member)
      return members.count == names.count && !isPromising ? makePromise(Configuration(voters: members)) : .wait
    }
    for peer in peers where promise.voters.first(where: { $0.name == peer.name })?.id != peer.member.id {
      return .refused(Self.changedIdentity(peer.name))
    }
    if let other = peers.first(where: { $0.promise != nil && $0.promise != promise.digest }) {
      return .refused(Self.promisedOtherwise(other.name))
    }
    let agreed = peers.filter { $0.promise == promise.digest }.count + 1
    return agreed == promise.voters.count ? .form(promise) : .wait
  }

  private mutating func makePromise(_ configuration: Configuration) -> Step {
    isPromising = true
    return .promise(configuration)
  }

  /// Others say that the cluster is formed: then this node has promised it, or is none of its members.
  private func join(_ configuration: Configuration) -> Step {
    if let promise { return promise == configuration ? .form(configuration) : .refused(Self.otherCluster(contact.name)) }
    guard configuration.voters.contains(where: { $0.name == contact.name }) else { return .refused(Self.notAMember(contact.name)) }
    return .refused(Self.lostItsDisk(contact.name))
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

  private static func promisedOtherwise(_ name: String) -> String {
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
