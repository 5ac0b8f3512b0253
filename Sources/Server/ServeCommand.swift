import ArgumentParser
import Coracle
import EtcdAPI
import Foundation
import KeyValue
import Links
import Logging
import NIOCore
import ServiceLifecycle
import ShortLinks
import UnixSignals

struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Run a node.",
    discussion: """
      Without options: a node that is a cluster of its own, for clients on this machine, with its data in ./coracle-data. \
      SIGTERM and SIGINT stop it in good order, with exit status 0; status 1 says that it could not start, or had to stop, and why.
      """)

  @OptionGroup var options: ServeOptions

  func run() async throws {
    let configuration = try options.configuration()
    LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
    var logger = Logger(label: "coracle")
    logger.logLevel = configuration.logLevel
    do {
      try await serve(configuration, logger)
    } catch {
      logger.critical("\(error)")
      throw ExitStatus.failed
    }
  }

  /// Services stop in the reverse order: first the ports, so that no request meets a node that is gone.
  private func serve(_ configuration: ServeConfiguration, _ logger: Logger) async throws {
    let node = try await Node(configuration.node, stateMachine: KeyValueMachine.self, logger: logger)
    let size = DirectorySize(path: configuration.node.dataDirectory)
    let service = NodeService(node: node) { size.bytes }
    var services: [any Service] = [node]
    do {
      services.append(try await ClientPort(configuration.client, service: service, logger: logger))
    } catch {
      await node.shutdown()
      throw ListenFailure(configuration.client, error)
    }
    if let address = configuration.links { services.append(linkServer(address, service, logger)) }
    if options.stopWithParent { services.append(ParentWatch()) }
    let group = ServiceGroup(
      configuration: .init(
        services: services.map {
          .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup, failureTerminationBehavior: .gracefullyShutdownGroup)
        },
        gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    try await group.run()
  }
}

extension ServeCommand {
  private func linkServer(_ address: HostPort, _ service: NodeService, _ logger: Logger) -> any Service {
    var configuration = LinkServerConfiguration(owner: CounterOwner(service.node.status.node.rawValue))
    configuration.host = address.host
    configuration.port = address.port
    configuration.logger = logger
    return LinkPort(
      address: address, server: LinkServer(store: NodeLinkStore(service: service), configuration: configuration).application())
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
struct ClientPort: Service {
  private let server: GatewayServer

  init(_ address: HostPort, service: any KeyValueService, logger: Logger) async throws {
    server = try await GatewayServer.start(host: address.host, port: address.port, service: service)
    logger.notice("serving clients", metadata: ["address": "\(address)"])
  }

  func run() async throws {
    await withGracefulShutdownHandler {
      await server.waitUntilClosed()
    } onGracefulShutdown: {
      Task { await server.stop() }
    }
    await server.stop()
  }
}

/// The port for links, as a service.
struct LinkPort: Service {
  let address: HostPort
  let server: any Service

  func run() async throws {
    do {
      try await server.run()
    } catch let error as IOError {
      throw ListenFailure(address, error)
    }
  }
}
