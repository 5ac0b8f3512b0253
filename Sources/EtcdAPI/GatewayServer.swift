import Budget
import Credentials
import NIOCore
import NIOExtras
import NIOHTTP1
import NIOPosix
import Sockets

/// The client port of a node: etcd's JSON gateway over HTTP/1.1.
public final class GatewayServer: Sendable {
  /// Where it listens; with port 0 asked for, the one that was given.
  public let address: SocketAddress
  private let channel: any Channel
  private let quiescing: ServerQuiescingHelper
  private let settings: GatewaySettings

  private init(channel: any Channel, quiescing: ServerQuiescingHelper, settings: GatewaySettings) throws {
    guard let address = channel.localAddress else { throw ChannelError.unknownLocalAddress }
    self.address = address
    self.channel = channel
    self.quiescing = quiescing
    self.settings = settings
  }

  /// Begins to listen.
  ///
  /// - Parameters:
  ///   - host: A name or an address, of either family.
  ///   - port: 0 for one that is free.
  ///   - bodies: What the bodies of requests that are not whole yet are counted on; a request whose body does not fit is refused as busy.
  ///   - answers: What long answers hold is reserved here; by default on an account of its own.
  ///   - credentials: With these it speaks TLS: a client shows a certificate of the cluster's authority, or is told to.
  ///   - administration: What is asked for under `/coracle/`.
  ///   - passwords: By which other ports judge theirs too.
  ///   - refused: Called for each connection over which nothing could be asked for, on any thread; it must not wait.
  public static func start(
    host: String, port: Int, service: any KeyValueService, settings: GatewaySettings = GatewaySettings(),
    bodies: MemoryBudget.Account = MemoryBudget(bytes: .max).account("bodies"), answers: MemoryBudget.Account? = nil,
    credentials: TLSCredentials? = nil, administration: (any ClusterAdministration)? = nil,
    passwords: PasswordCheck = PasswordCheck(), refused: @escaping @Sendable (ClientRefusal) -> Void = { _ in },
    group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
  ) async throws -> GatewayServer {
    let gateway = Gateway(service: service, settings: settings, answers: answers, administration: administration, passwords: passwords)
    let quiescing = ServerQuiescingHelper(group: group)
    let connections = ConnectionLimit(maximum: settings.maximumConnections)
    let handshakes = HandshakeLimit(maximum: settings.maximumHandshakes)
    let channel = try await ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 1024)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .serverChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(AcceptPause())
          try channel.pipeline.syncOperations.addHandler(quiescing.makeServerChannelHandler(channel: channel))
        }
      }
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      // Who watches may hear nothing for days: the system finds out whether the client is still there.
      .childChannelOption(.socketOption(.so_keepalive), value: 1)
      // A client that ends its sending half still takes its answers.
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          guard connections.admit(channel) else {
            refused(ClientRefusal(.tooManyConnections, "there are too many connections", channel))
            try channel.pipeline.syncOperations.addHandler(RefusingHandler())
            return
          }
          try channel.pipeline.syncOperations.addGatewayHandlers(gateway, bodies, credentials.map { ($0, handshakes) }, refused)
        }
      }
      .bind(host: host, port: port).get()
    return try GatewayServer(channel: channel, quiescing: quiescing, settings: settings)
  }

  /// Stops listening; requests under way have `shutdownTimeout` to end, then their connections are closed.
  public func stop() async {
    let promise = channel.eventLoop.makePromise(of: Void.self)
    quiescing.initiateShutdown(promise: promise)
    let limit = channel.eventLoop.scheduleTask(in: TimeAmount(settings.shutdownTimeout)) { promise.succeed() }
    try? await promise.futureResult.get()
    limit.cancel()
  }

  /// Returns when the port is closed, whyever.
  public func waitUntilClosed() async { try? await channel.closeFuture.get() }
}

extension ChannelPipeline.SynchronousOperations {
  func addGatewayHandlers(
    _ gateway: Gateway, _ bodies: MemoryBudget.Account, _ security: (credentials: TLSCredentials, handshakes: HandshakeLimit)? = nil,
    _ refused: @escaping @Sendable (ClientRefusal) -> Void = { _ in }
  ) throws {
    let outcome = security.map { _ in HandshakeOutcome() }
    let handler = GatewayHandler(gateway: gateway, bodies: bodies, outcome: outcome)
    if let security, let outcome {
      try addHandler(security.credentials.serverHandlerForClients(outcome))
      let watch = HandshakeWatch(outcome, security.handshakes, report: refused)
      try addHandler(HandshakeDeadline(TimeAmount(gateway.settings.headTimeout)) { watch.timeIsOver() })
      try addHandler(watch)
    }
    try addHandler(
      ArrivalHandler(closesAfter: gateway.settings.shutdownTimeout, onBytes: handler.bytesArrived, onQuiesce: handler.portCloses))
    var limits = NIOHTTPDecoderLimitConfiguration()
    limits.maxHeaderFieldSize = gateway.settings.maximumHeaderBytes
    limits.maxHeaderListSize = gateway.settings.maximumHeaderBytes
    limits.maxHeaderFieldCount = gateway.settings.maximumHeaderFields
    try configureHTTPServerPipeline(withEncoderConfiguration: .init(), withDecoderLimitConfiguration: limits)
    try addHandler(handler)
  }
}
