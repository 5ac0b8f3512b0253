import Coracle
import Credentials
import EtcdAPI
import Foundation
import KeyValue
import Links
import Logging
import NIOCore
import ServiceLifecycle
import ShortLinks
import UnixSignals

/// A node with its ports, in a process of its own.
struct NodeProcess {
  let options: ServeOptions
  /// How it becomes a member of a cluster that has formed.
  var join: Join?

  func run() async throws {
    var configuration = try options.configuration()
    let queue = LogQueue(descriptor: STDERR_FILENO)
    LoggingSystem.bootstrap { queue.handler($0) }
    var logger = Logger(label: "coracle")
    logger.logLevel = configuration.logLevel
    defer { queue.drain(within: Self.lastWordsSeconds) }
    do {
      let certificates = try OwnCertificates(configuration, logger: logger)
      var join = try prepared(for: configuration.node.dataDirectory)
      let identification = try await Identification(configuration, logger).certification(join)
      configuration.node.credentials = identification?.certification.credentials
      join?.credentials = try identification.map { try ClientCredentials($0.certification.current) }
      let members = try await join?.members(configuration.node)
      configuration.node.join = members?.peerAddresses ?? []
      try await serve(configuration, join, members, identification, certificates, logger, queue)
    } catch {
      logger.critical("\(error)")
      throw ExitStatus.failed
    }
  }

  /// For the last lines to be written before the process ends, if there is a reader.
  private static let lastWordsSeconds = 0.3

  /// What the node is to join, as far as that was said at an earlier start.
  private func prepared(for directory: String) throws -> Join? {
    let note = JoinNote(directory: directory)
    guard var join else {
      guard note.replaces == nil || Join.hasALog(directory) else { throw UnfinishedJoin(directory: directory) }
      note.remove()
      return nil
    }
    guard !Join.hasALog(directory) else { return join }
    if let before = note.replaces, join.replaces == nil, !before.isEmpty { join.replaces = before }
    try note.write(replaces: join.replaces)
    return join
  }

  /// Services stop in the reverse order: first the ports, so that no request meets a node that is gone.
  private func serve(
    _ configuration: ServeConfiguration, _ join: Join?, _ members: MembersAnswer?, _ identification: Identification.Result?,
    _ certificates: OwnCertificates, _ logger: Logger, _ queue: LogQueue
  ) async throws {
    let hasTerminal = HarmlessSignals.ignore()
    let shares = try DescriptorShares(limit: DescriptorShares.raiseLimit(), servesLinks: configuration.links != nil)
    let node = try Node(configuration.node, stateMachine: KeyValueMachine.self, logger: logger)
    let size = DirectorySize(path: configuration.node.dataDirectory)
    let service = NodeService(store: KeyValueStore(node), latest: LatestState(node, logger: logger)) { size.bytes }
    let authority = identification.map {
      CertificationCalls(
        certification: $0.certification, records: SharedRecords(store: service.store), address: configuration.node.advertisedClientAddress,
        refusals: RefusalReport("a server was not let in", logger: logger))
    }
    let stop = StopDeadline(configuration.stop.total) { reason in
      logger.critical("\(reason)")
      queue.drain(within: Self.lastWordsSeconds)
      _exit(ExitStatus.failed.rawValue)
    }
    let passwords = PasswordCheck()
    let clients = ClientPort(
      configuration: configuration, shares: shares, service: service, authority: authority, certificate: certificates.clients,
      passwords: passwords, logger: logger)
    var services = [
      stop.watch("the node, whose log may wait for its disk", node),
      stop.watch("the client port", ServiceOfNode(node: node, service: clients)),
    ]
    if let address = configuration.links {
      let port = LinkPort(
        address: address, configuration: configuration, shares: shares, service: service, authority: authority,
        certificate: certificates.links, passwords: passwords, logger: logger)
      let bounded = BoundedStop(service: ServiceOfNode(node: node, service: port), limit: configuration.stop.links)
      services.append(stop.watch("the port for links", bounded))
    }
    if let join, let members {
      services.append(JoinService(node: node, join: join, members: members, logger: logger))
    }
    if let authority {
      services.append(CertificationService(certification: authority.certification, node: node, records: authority.records))
      if identification?.isNew == true { services.append(Welcome(node: node, calls: authority)) }
    }
    services += certificates.watches
    if options.stopWithParent { services.append(ParentWatch()) }
    services.append(stop)
    let group = ServiceGroup(
      configuration: .init(
        services: services.map {
          .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup, failureTerminationBehavior: .gracefullyShutdownGroup)
        },
        gracefulShutdownSignals: hasTerminal ? [.sigterm, .sigint, .sighup] : [.sigterm, .sigint], logger: logger))
    try await group.run()
  }
}

/// A node that was to join a cluster is started to form one.
private struct UnfinishedJoin: Error, CustomStringConvertible {
  let directory: String

  var description: String {
    "the node of \(directory) was to join a cluster, and is no member yet: start it with `coracle join` once more, or empty the directory"
  }
}

/// A service that needs a node which runs: it begins once that has started.
private struct ServiceOfNode: Service {
  let node: Node<KeyValueMachine>
  let service: any Service

  func run() async throws {
    do {
      try await cancelWhenGracefulShutdown { try await node.waitUntilStarted() }
    } catch is CancellationError {
      return
    }
    try await service.run()
  }
}

/// A port that cannot be listened on.
struct ListenFailure: Error, CustomStringConvertible {
  let address: HostPort
  let reason: String

  init(_ address: HostPort, _ error: any Error) {
    self.address = address
    reason =
      (error as? IOError)?.errnoCode == EADDRINUSE
      ? "it is in use by another program: stop that one, or choose another port" : "\(error)"
  }

  var description: String { "cannot listen on \(address): \(reason)" }
}

/// The port for clients, as a service.
private struct ClientPort: Service {
  let configuration: ServeConfiguration
  let shares: DescriptorShares
  let service: NodeService
  let authority: CertificationCalls?
  let certificate: OwnCertificate?
  let passwords: PasswordCheck
  let logger: Logger

  func run() async throws {
    let server: GatewayServer
    do {
      server = try await start()
    } catch {
      throw ListenFailure(configuration.client, error)
    }
    await withGracefulShutdownHandler {
      await server.waitUntilClosed()
    } onGracefulShutdown: {
      Task { await server.stop() }
    }
    await server.stop()
  }

  private func start() async throws -> GatewayServer {
    let address = configuration.client
    var settings = GatewaySettings()
    settings.maximumConnections = shares.clients
    settings.shutdownTimeout = configuration.stop.requests
    let credentials = address.isLoopback && certificate == nil ? nil : authority?.certification.credentials
    if let certificate { credentials?.show(certificate) }
    let refusals = RefusalReport("a client's connection was refused", logger: logger)
    let server = try await GatewayServer.start(
      host: address.host, port: address.port, service: service, settings: settings, bodies: configuration.node.memory.bodies,
      answers: configuration.node.memory.answers, credentials: credentials,
      administration: authority, passwords: passwords, refused: { refusals.record($0) })
    logger.notice("serving clients", metadata: ["address": "\(address)", "connections": "\(shares.clients)"])
    return server
  }
}

/// The port for links, as a service.
private struct LinkPort: Service {
  let address: HostPort
  let configuration: ServeConfiguration
  let shares: DescriptorShares
  let service: NodeService
  let authority: CertificationCalls?
  let certificate: OwnCertificate?
  let passwords: PasswordCheck
  let logger: Logger

  func run() async throws {
    var settings = LinkServerConfiguration(owner: CounterOwner(service.node.status.node.rawValue))
    settings.host = address.host
    settings.port = address.port
    settings.logger = logger
    settings.maximumConnections = shares.links
    settings.stopTimeout = configuration.stop.requests
    settings.certificate = certificate
    settings.credentials = address.isLoopback ? nil : authority?.certification.credentials
    let store = NodeLinkStore(
      service: service, passwords: passwords, refusals: RefusalReport("a login at the links page was refused", logger: logger))
    do {
      try await LinkServer(store: store, configuration: settings).application().run()
    } catch let error as IOError {
      throw ListenFailure(address, error)
    }
  }
}

/// Signals that are sent by habit, and would end a process that does not expect them.
enum HarmlessSignals {
  /// Log rotation (HUP, USR1, USR2), timers of the parent process, and writing to a reader that is gone. The log goes to standard error, so
  /// there is no file to open anew.
  private static let all = [SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE]

  /// - Returns: Whether SIGHUP means the end: the terminal in which the program runs was closed.
  static func ignore() -> Bool {
    for number in all { signal(number, SIG_IGN) }
    let hasTerminal = isatty(STDIN_FILENO) == 1
    if !hasTerminal { signal(SIGHUP, SIG_IGN) }
    return hasTerminal
  }
}
