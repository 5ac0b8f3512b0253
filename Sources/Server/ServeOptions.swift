import ArgumentParser
import Coracle
import Credentials
import Logging
import Replica

/// What `serve` takes. Without any of it: a durable node of its own, on loopback.
struct ServeOptions: ParsableArguments {
  static let defaultName = "default"
  static let defaultClientAddress = "127.0.0.1:2379"
  static let defaultPeerAddress = "127.0.0.1:2380"

  @Option(
    help: ArgumentHelp(
      "The name or address at which clients and other nodes reach this server.",
      discussion: """
        The node listens on all addresses then, at ports 2379 for clients and 2380 for nodes, encrypted; and its name is this one, if no \
        other is given.
        """))
  var host: String?

  @Option(help: "This node's name, unique in the cluster. Default: the host, or \(defaultName).") var name: String?

  @Option(help: "Where the node keeps its data; made if it is missing.") var dataDir = "coracle-data"

  @Option(help: "Where to listen for clients, as host:port. Default: \(defaultClientAddress).") var clientAddress: String?

  @Option(help: "Where to listen for the other nodes, as host:port. Default: \(defaultPeerAddress).") var peerAddress: String?

  @Option(
    help: "All nodes of the cluster at its birth, the same on each: name=host:port,... with their peer addresses. Default: this node alone."
  )
  var initialCluster: String?

  @Option(help: "Where clients reach this node, if that is another address than the one it listens on.") var advertiseClientAddress: String?

  @Option(help: "Where the other nodes reach this one, if that is another address than the one it listens on.")
  var advertisePeerAddress: String?

  @Option(
    help: ArgumentHelp(
      "Where the members are reached by now, if all of them moved: host:port, separated by commas.",
      discussion: "A member that moved alone says so itself. If all moved, tell one of them, and it tells the others."))
  var newPeerAddresses: String?

  @Option(help: "Of members that could lead as well, the one with the highest priority should: 0 to 255.") var priority: UInt8 = 0

  @Option(help: "Where to serve links, as host:port. Default: nowhere.") var linksAddress: String?

  @Flag(
    help: ArgumentHelp(
      "Talk in plain text on addresses beyond this machine, where anyone who reaches them can read and change everything.",
      discussion: "Without it, a node that others can reach speaks TLS alone, with certificates that the cluster makes for itself."))
  var insecure = false

  @Option(
    help: ArgumentHelp(
      "A certificate of your own for the client port: a PEM file, in it what leads to its authority too. Read again when it changes.",
      discussion: "Shown to clients that ask for a name in it. Other clients, and the cluster's own, are shown the cluster's certificate."))
  var certFile: String?

  @Option(help: "The key of --cert-file: a PEM file that nobody else may read.") var keyFile: String?

  @Option(
    help: "A certificate of your own for the links port: a PEM file, in it what leads to its authority too. Read again when it changes.")
  var linksCertFile: String?

  @Option(help: "The key of --links-cert-file: a PEM file that nobody else may read.") var linksKeyFile: String?

  @Option(help: .hidden) var certificateLife = 7 * 86400.0

  @Option(help: "How often the leader lets the others hear from it, in milliseconds.") var heartbeatInterval: Int64 = 50

  @Option(help: "How long a node hears nothing before it asks for an election, in milliseconds; at least three heartbeat intervals.")
  var electionTimeout: Int64 = 500

  @Option(
    help: "How many MiB may be spent, in sum, on what clients and peers make the node hold: bodies, answers, frames, commands under way.")
  var memoryBudget = MemoryShares.defaultBytes >> 20

  @Option(help: "How long a stop may take, in seconds; then the process ends, whatever still works.") var stopTimeout = 8.0

  @Option(help: "trace, debug, info, notice, warning, error or critical.") var logLevel = Logger.Level.info

  @Flag(help: .hidden) var stopWithParent = false

  func validate() throws { _ = try configuration() }

  /// The options as a node takes them. Throws `ValidationError`, which names the option and says what to write.
  func configuration() throws -> ServeConfiguration {
    guard (10...10_000).contains(heartbeatInterval) else { throw ValidationError("--heartbeat-interval must be between 10 and 10000 ms") }
    guard (3 * heartbeatInterval...60_000).contains(electionTimeout) else {
      throw ValidationError("--election-timeout must be between three heartbeat intervals (\(3 * heartbeatInterval) ms) and 60000 ms")
    }
    guard (MemoryShares.minimumBytes >> 20...1 << 20).contains(memoryBudget) else {
      throw ValidationError("--memory-budget must be between \(MemoryShares.minimumBytes >> 20) and 1048576 MiB")
    }
    guard (1.0...3600).contains(stopTimeout) else { throw ValidationError("--stop-timeout must be between 1 and 3600 seconds") }
    guard (6.0...365 * 86400).contains(certificateLife) else { throw ValidationError("--certificate-life must be 6 seconds to a year") }
    let client = try Self.address(clientAddress ?? usual(Self.defaultClientAddress), "--client-address")
    let links = try linksAddress.map { try Self.address($0, "--links-address") }
    let advertisedClient = try (advertiseClientAddress ?? host.map { _ in try reached(client) }).map {
      try Self.address($0, "--advertise-client-address")
    }
    var node = NodeConfiguration(
      name: name ?? host ?? Self.defaultName, dataDirectory: dataDir,
      peerAddress: try Self.address(peerAddress ?? usual(Self.defaultPeerAddress), "--peer-address"))
    guard advertisedClient != nil || !client.isUnspecified else {
      throw ValidationError("--client-address \(client) is every address of this machine: say one with --advertise-client-address")
    }
    if let advertisedClient, advertisedClient.isUnspecified || advertisedClient.port == 0 {
      throw ValidationError("--advertise-client-address: clients cannot use \(advertisedClient): say an address and a port of this machine")
    }
    node.advertisedPeerAddress = try (advertisePeerAddress ?? host.map { _ in try reached(node.peerAddress) }).map {
      try Self.address($0, "--advertise-peer-address")
    }
    node.advertisedClientAddress = (advertisedClient ?? client).description
    node.initialCluster = try initialCluster.map { try Self.members($0) } ?? []
    node.newPeerAddresses = try (newPeerAddresses ?? "").split(separator: ",").map {
      try Self.address(String($0), "--new-peer-addresses")
    }
    node.settings.priority = priority
    node.allowsPlainTextBeyondLoopback = insecure
    node.settings.raft.heartbeatInterval = .milliseconds(heartbeatInterval)
    node.settings.raft.electionTimeout = .milliseconds(electionTimeout)
    node.memory = MemoryShares(bytes: memoryBudget << 20)
    let clientCertificate = try Self.files(certFile, keyFile, "--cert-file", "--key-file")
    let linksCertificate = try Self.files(linksCertFile, linksKeyFile, "--links-cert-file", "--links-key-file")
    guard linksCertificate == nil || links != nil else {
      throw ValidationError("--links-cert-file: there is no port for links: say where with --links-address")
    }
    guard clientCertificate == nil || !insecure else {
      throw ValidationError(
        "--cert-file: with --insecure the cluster has no certificates by which its own commands and servers would know the client port: "
          + "leave one of the two out")
    }
    let isReachable = [client, node.peerAddress, links].contains { $0?.isLoopback == false }
    let isEncrypted = (isReachable || clientCertificate != nil) && !insecure
    guard !isEncrypted || node.initialCluster.isEmpty else {
      throw ValidationError(
        "--initial-cluster: nodes that are to talk encrypted begin with one, to which the others come with `coracle join` and a token; "
          + "say --insecure if their network is trusted")
    }
    // What it is encrypted with is not known yet.
    if isEncrypted { node.credentials = TLSCredentials() }
    try Self.check(node)
    return ServeConfiguration(
      node: node, client: client, links: links, clientCertificate: clientCertificate, linksCertificate: linksCertificate,
      stop: StopTimes(total: .seconds(stopTimeout)), logLevel: logLevel, isReachable: isReachable, isEncrypted: isEncrypted,
      certificateLife: certificateLife)
  }

  private static func files(
    _ certificate: String?, _ key: String?, _ certificateOption: String, _ keyOption: String
  ) throws -> CertificateFiles? {
    switch (certificate, key) {
    case (nil, nil): return nil
    case (let certificate?, let key?): return CertificateFiles(certificate: certificate, key: key)
    case (nil, _): throw ValidationError("\(keyOption) needs \(certificateOption): the certificate that the key belongs to")
    case (_, nil): throw ValidationError("\(certificateOption) needs \(keyOption): the key of the certificate")
    }
  }

  /// The usual address to listen on; with a host, all addresses of this machine at its port.
  private func usual(_ address: String) -> String {
    guard host != nil, let port = address.split(separator: ":").last else { return address }
    return "\(EveryAddress.text):\(port)"
  }

  /// At the host's name or address, with the port where the node listens.
  private func reached(_ address: HostPort) throws -> String {
    guard let host else { return address.description }
    return host.contains(":") && !host.hasPrefix("[") ? "[\(host)]:\(address.port)" : "\(host):\(address.port)"
  }

  /// What a node would refuse at its start is wrong usage too.
  private static func check(_ node: NodeConfiguration) throws {
    do throws(ConfigurationError) {
      try node.validate()
    } catch {
      let option =
        switch error.part {
        case .name: "--name"
        case .dataDirectory: "--data-dir"
        case .peerAddress: "--peer-address"
        case .advertisedPeerAddress: "--advertise-peer-address"
        case .initialCluster: "--initial-cluster"
        case .join: "--new-peer-addresses"
        case .settings("raft.heartbeatInterval"): "--heartbeat-interval"
        case .settings("raft.electionTimeout"): "--election-timeout"
        case .settings(let name): name
        }
      throw ValidationError("\(option): \(error.text)")
    }
  }

  private static func address(_ text: String, _ option: String) throws -> HostPort {
    do {
      return try HostPort(text)
    } catch {
      throw ValidationError("\(option): \(error)")
    }
  }

  private static func members(_ text: String) throws -> [NodeConfiguration.InitialMember] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
      let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard sides.count == 2, !sides[0].isEmpty else {
        throw ValidationError("--initial-cluster: \"\(part)\" is no member: write name=host:port, separated by commas")
      }
      return .init(name: String(sides[0]), peerAddress: try address(String(sides[1]), "--initial-cluster"))
    }
  }
}

/// A node with its ports.
struct ServeConfiguration {
  var node: NodeConfiguration
  var client: HostPort
  var links: HostPort?
  /// The operator's own, if any.
  var clientCertificate: CertificateFiles?
  var linksCertificate: CertificateFiles?
  var stop: StopTimes
  var logLevel: Logger.Level
  /// From other machines.
  var isReachable = false
  /// That, or it has a certificate of the operator's for clients; and it was not told to talk in plain text.
  var isEncrypted = false
  /// How long a node's certificate is valid, in seconds.
  var certificateLife = 0.0
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
