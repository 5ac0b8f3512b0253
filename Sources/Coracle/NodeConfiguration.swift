import Credentials
import Raft
import Replica

/// What an operator decides about one node.
public struct NodeConfiguration: Sendable {
  /// A member of the cluster at its birth.
  public struct InitialMember: Sendable, Hashable {
    public var name: String
    public var peerAddress: HostPort

    public init(name: String, peerAddress: HostPort) {
      self.name = name
      self.peerAddress = peerAddress
    }
  }

  /// Most connections to and from peers, identified or not.
  public static let maximumPeerConnections = {
    let limits = PeerTransport.Limits()
    return limits.inboundConnections + limits.unknownPeers + limits.links
  }()

  /// Most bytes of a name.
  public static let maximumNameSize = 64

  /// Unique in the cluster; the same for the whole life of the data directory.
  public var name: String
  /// Made if it is missing; its parent must be there. One running node has it for itself.
  public var dataDirectory: String
  /// Where to listen for peers.
  public var peerAddress: HostPort
  /// Where peers reach this node, if that is another address: behind NAT, or when listening on all addresses. `nil`: where it listens.
  public var advertisedPeerAddress: HostPort?
  /// Where clients reach this node; part of the answer to a request for the members. Empty if it serves no clients.
  public var advertisedClientAddress = ""
  /// All members of the cluster at its birth, this one among them: the same list on each. Only looked at until the cluster has formed.
  /// Empty: a cluster of this node alone.
  public var initialCluster: [InitialMember] = []
  /// Peer addresses of members of a cluster that has formed, which this node is to join; any one that answers will do. Only looked at
  /// until the node belongs to a cluster, and instead of `initialCluster`. The node becomes a member when the leader is asked to add it
  /// (`OperatorRequest.add`).
  public var join: [HostPort] = []
  /// Where members are reached by now, if all of them moved: it is enough to tell one node, since it tells the others.
  public var newPeerAddresses: [HostPort] = []
  /// With credentials peers talk TLS, and each must show a certificate of the cluster's authority that names it. They may be installed, and
  /// exchanged, while the node runs; until there are any, no peer is talked to.
  public var credentials: TLSCredentials?
  /// Without credentials, peers talk in plain text, without authentication. On loopback addresses that is as safe as the machine;
  /// elsewhere, anyone who reaches the port can read and change everything, so it must be asked for.
  public var allowsPlainTextBeyondLoopback = false
  public var settings = ReplicaSettings()
  /// What may be spent on what others make the node hold. `settings` are brought down to it where they would allow more.
  public var memory = MemoryShares()

  public init(name: String, dataDirectory: String, peerAddress: HostPort) {
    self.name = name
    self.dataDirectory = dataDirectory
    self.peerAddress = peerAddress
  }

  /// Throws what is wrong, with the part in which it is. `Node.init` calls it.
  public func validate() throws(ConfigurationError) {
    try Self.validate(name: name, .name)
    guard !dataDirectory.isEmpty else { throw ConfigurationError(.dataDirectory, "the data directory must be given") }
    guard peerAddress.isLoopback || allowsPlainTextBeyondLoopback || credentials != nil else {
      throw ConfigurationError(
        .peerAddress,
        "peers would talk in plain text on \(peerAddress), which others may reach: "
          + "give credentials, listen on a loopback address, or allow plain text if the network is trusted")
    }
    guard advertisedPeerAddress != nil || !peerAddress.isUnspecified else {
      throw ConfigurationError(
        .peerAddress,
        "\(peerAddress) stands for all addresses of this machine: say at which one peers reach it (advertised peer address)")
    }
    if let advertised = advertisedPeerAddress, advertised.isUnspecified || advertised.port == 0 {
      throw ConfigurationError(
        .advertisedPeerAddress, "peers cannot reach \(advertised): advertise an address and a port of this machine")
    }
    try validateInitialCluster()
    try validateJoin()
    do {
      try settings.validate()
    } catch {
      throw ConfigurationError(.settings(error.name), "settings.\(error)")
    }
  }

  private func validateJoin() throws(ConfigurationError) {
    guard join.isEmpty || initialCluster.isEmpty else {
      throw ConfigurationError(
        .join, "a node either forms a cluster with others or joins one that has formed: leave the initial cluster out")
    }
    guard max(join.count, newPeerAddresses.count) <= Configuration.maximumMembers else {
      throw ConfigurationError(.join, "of addresses of members at most \(Configuration.maximumMembers) are allowed")
    }
    if let address = (join + newPeerAddresses).first(where: { $0.isUnspecified || $0.port == 0 }) {
      throw ConfigurationError(.join, "no member can be reached at \(address): write an address and a port")
    }
  }

  private func validateInitialCluster() throws(ConfigurationError) {
    guard !initialCluster.isEmpty else { return }
    guard initialCluster.count <= Configuration.maximumMembers else {
      throw ConfigurationError(
        .initialCluster, "the initial cluster has \(initialCluster.count) members, at most \(Configuration.maximumMembers) are allowed")
    }
    for member in initialCluster { try Self.validate(name: member.name, .initialCluster) }
    guard Set(initialCluster.map(\.name)).count == initialCluster.count else {
      throw ConfigurationError(
        .initialCluster, "a name occurs twice in the initial cluster")
    }
    guard Set(initialCluster.map(\.peerAddress)).count == initialCluster.count else {
      throw ConfigurationError(
        .initialCluster, "an address occurs twice in the initial cluster")
    }
    if let member = initialCluster.first(where: { $0.peerAddress.isUnspecified || $0.peerAddress.port == 0 }) {
      throw ConfigurationError(
        .initialCluster, "nobody can reach \(member.name) at \(member.peerAddress): write an address and a port that the others can use")
    }
    guard let own = initialCluster.first(where: { $0.name == name }) else {
      throw ConfigurationError(
        .initialCluster,
        "the initial cluster must contain this node, \(name): it has \(initialCluster.map(\.name).joined(separator: ", "))")
    }
    let advertised = advertisedPeerAddress ?? peerAddress
    guard own.peerAddress == advertised else {
      throw ConfigurationError(
        .initialCluster, "the initial cluster says that \(name) is at \(own.peerAddress), but this node advertises \(advertised)")
    }
  }

  private static func validate(name: String, _ part: ConfigurationError.Part) throws(ConfigurationError) {
    guard (1...maximumNameSize).contains(name.utf8.count), name.utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != 0x2c && $0 != 0x3d })
    else {
      throw ConfigurationError(
        part, "a name has 1 to \(maximumNameSize) printable ASCII characters, without space, comma and equals sign")
    }
  }
}

/// What is wrong with a node's configuration.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Part: Hashable, Sendable {
    case name, dataDirectory, peerAddress, advertisedPeerAddress, initialCluster, join
    /// One of `NodeConfiguration.settings`, by its name.
    case settings(String)
  }

  public let part: Part
  /// What is wrong, and what to write instead.
  public let text: String

  init(_ part: Part, _ text: String) {
    self.part = part
    self.text = text
  }

  public var description: String { text }
}
