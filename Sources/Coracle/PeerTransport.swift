import Budget
import ByteCoding
import Credentials
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Raft
import Replica
import Sockets

/// Carries frames between peers over TCP, and within it TLS if it was given credentials: then both sides show a certificate before anything
/// else is read, and a frame whose sender is not the node of the certificate ends its connection.
///
/// It promises nothing: a frame that cannot go now is dropped and counted, since the replica sends again what matters.
///
/// Confined to one event loop.
final class PeerTransport {
  /// Bounds of what a peer, or a host that claims to be one, can make this node hold.
  struct Limits {
    /// Bytes of one frame of a member.
    var frameSize = FrameCodec.maximumSize
    /// Bytes of one frame before the first one of a member: that, and a bootstrap message, are small.
    var firstFrameSize = 64 << 10
    /// Connections of members that they opened; for one more, the one that was not used for longest is closed.
    var inboundConnections = 64
    /// Connections that others opened and over which no frame of a member has come yet; for one more, the oldest is closed.
    var unknownPeers = 16
    /// How long such a connection has for that.
    var firstFrameTime = TimeAmount.seconds(5)
    /// Lanes to addresses to which frames are sent; frames to one more are dropped until another was idle for `idleTime`.
    var links = 64
    /// Bytes that wait in one connection for the other side to take them.
    var bufferedBytes = 16 << 20
    /// Bytes that wait for one connection to be made.
    var heldBytes = 1 << 20
    var connectTime = TimeAmount.seconds(3)
    /// How long the two sides have to agree on TLS.
    var handshakeTime = TimeAmount.seconds(3)
    /// A connection that takes no byte for this long is closed.
    var stallTime = TimeAmount.seconds(5)
    /// So is one over which nothing went.
    var idleTime = TimeAmount.seconds(60)
    /// Unless it is a data lane's whose control lane is in use: it gets a greeting after this time.
    var keepOpenTime = TimeAmount.seconds(20)
    /// How often both are looked for.
    var sweepInterval = TimeAmount.seconds(1)
    /// This long before the other side's certificate ends, whoever opened a connection opens another.
    var replaceTime = TimeAmount.seconds(3)
    /// How long the one before is kept then, for answers that are still on their way over it.
    var replacedTime = TimeAmount.seconds(10)
  }

  private struct LinkKey: Hashable {
    let address: String
    let lane: Lane
  }

  private let eventLoop: any EventLoop
  let limits: Limits
  /// Frames that come in and are not whole; what was sent and the other sides have not taken.
  private let incoming: MemoryBudget.Account
  let outgoing: MemoryBudget.Account
  private let metrics: NodeMetrics
  private let logger: Logger
  /// `nil`: plain text.
  private let credentials: TLSCredentials?
  private var refusals: RefusalLog
  private var memberHosts = MemberHosts()
  /// Whether frames may be sent to this node.
  var mayBeSentTo: (NodeID) -> Bool = { _ in true }
  /// Called for each frame that comes in, with the connection to answer on.
  var receive: (Bytes, UInt64) -> FrameVerdict = { _, _ in .unknown }
  /// Called when a connection over which a member's frames came has ended.
  var disconnected: (UInt64) -> Void = { _ in }
  /// What to send first on a connection to this address.
  var greeting: (String) -> [UInt8]? = { _ in nil }

  private var listener: (any Channel)?
  private var connections: [UInt64: PeerConnection] = [:]
  private var links: [LinkKey: PeerDialer] = [:]
  private var outbound: [UInt64: PeerDialer] = [:]
  private var lastConnection: UInt64 = 0
  private var unflushed: [PeerConnection] = []
  private var sweeper: RepeatedTask?
  private var isClosed = false

  init(
    eventLoop: any EventLoop, limits: Limits = Limits(), incoming: MemoryBudget.Account, outgoing: MemoryBudget.Account,
    credentials: TLSCredentials? = nil, metrics: NodeMetrics, logger: Logger
  ) {
    self.credentials = credentials
    refusals = RefusalLog(logger: logger)
    self.eventLoop = eventLoop
    self.limits = limits
    self.incoming = incoming
    self.outgoing = outgoing
    self.metrics = metrics
    self.logger = logger
  }

  // MARK: Opening and closing

  /// Binds the address; connections are accepted from `start` on. Gives the address with the port that the system chose for port 0.
  func bind(to address: HostPort) -> EventLoopFuture<HostPort> {
    let this = NIOLoopBound(self, eventLoop: eventLoop)
    return ServerBootstrap(group: eventLoop)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .serverChannelOption(.backlog, value: 64)
      .serverChannelOption(.autoRead, value: false)
      .serverChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(AcceptPause()) }
      }
      .childChannelOption(.socketOption(.so_keepalive), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelOption(.writeBufferWaterMark, value: waterMark)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try this.value.accept(channel) }
      }
      .bind(host: address.host, port: address.port)
      .map { channel in
        this.value.listener = channel
        return address.with(port: channel.localAddress?.port ?? address.port)
      }
  }

  func start() {
    let this = NIOLoopBound(self, eventLoop: eventLoop)
    sweeper = eventLoop.scheduleRepeatedTask(initialDelay: limits.sweepInterval, delay: limits.sweepInterval) { _ in this.value.sweep() }
    try? listener?.syncOptions?.setOption(.autoRead, value: true)
    listener?.read()
  }

  func close() {
    isClosed = true
    sweeper?.cancel()
    listener?.close(promise: nil)
    for connection in connections.values { connection.close() }
  }

  // MARK: Sending

  func send(_ frame: [UInt8], to destination: Destination, _ lane: Lane) {
    guard !isClosed else { return metrics.dropped(.notConnected) }
    guard frame.count <= limits.frameSize else { return metrics.dropped(.tooLarge) }
    switch destination {
    case .connection(let id):
      guard let connection = connections[id] else { return metrics.dropped(.notConnected) }
      if !connection.write(frame) { metrics.dropped(.backlog) }
    case .address(let address):
      guard let link = link(to: LinkKey(address: address, lane: lane)) else { return metrics.dropped(.tooManyPeers) }
      switch link.send(frame, now: .now()) {
      case .sent, .held: break
      case .dial: dial(link)
      case .drop(let reason): metrics.dropped(reason)
      }
    }
  }

  /// Hands to the system what was sent since the last time: once per turn, one system call per connection.
  func flush() {
    for connection in unflushed { connection.flush() }
    unflushed.removeAll(keepingCapacity: true)
  }

  func flushLater(_ connection: PeerConnection) { unflushed.append(connection) }

  private func link(to key: LinkKey) -> PeerDialer? {
    if let link = links[key] { return link }
    guard links.count < limits.links else { return nil }
    let link = PeerDialer(address: key.address, maximumHeldBytes: limits.heldBytes, seed: .random(in: .min ... .max), now: .now())
    links[key] = link
    return link
  }

  /// Entries should not wait for a connection because there were none for a while: that of the data lane is used as long as the other is.
  private func keepDataLanesOpen(now: NIODeadline) {
    for (key, link) in links where key.lane == .data {
      guard case .connected(let connection, _) = link.state, now - connection.lastUse >= limits.keepOpenTime,
        let other = links[LinkKey(address: key.address, lane: .control)], now - other.lastUse < limits.keepOpenTime,
        let greeting = greeting(key.address)
      else { continue }
      _ = link.send(greeting, now: now)
    }
    flush()
  }

  // MARK: Connections

  private var waterMark: ChannelOptions.Types.WriteBufferWaterMark {
    .init(low: limits.bufferedBytes / 2, high: limits.bufferedBytes)
  }

  /// Resolves the name anew each time: a peer may have moved.
  private func dial(_ link: PeerDialer) {
    let address: HostPort
    do {
      address = try HostPort(link.address)
    } catch {
      return ended(nil, of: link, error)
    }
    let this = NIOLoopBound((transport: self, link: link), eventLoop: eventLoop)
    ClientBootstrap(group: eventLoop)
      .connectTimeout(limits.connectTime)
      .channelOption(.socketOption(.so_keepalive), value: 1)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelOption(.writeBufferWaterMark, value: waterMark)
      .connect(host: address.host, port: address.port)
      .whenComplete { result in
        let (transport, link) = this.value
        do {
          let channel = try result.get()
          let connection = try transport.adopt(channel, isInbound: false)
          transport.outbound[connection.id] = link
          if transport.credentials == nil { transport.connected(link, connection) }
        } catch {
          transport.ended(nil, of: link, error)
        }
      }
  }

  /// Frames can go: those that were held go first.
  private func connected(_ link: PeerDialer, _ connection: PeerConnection) {
    logger.debug("connected to peer", metadata: ["address": "\(link.address)"])
    if let greeting = greeting(link.address) { _ = connection.write(greeting) }
    if let former = link.connected(connection, now: .now()) {
      former.wasReplaced(now: .now())
      outbound[former.id] = nil
    }
    flush()
  }

  /// TLS is agreed on, and the other side has shown who it is.
  func authenticated(_ connection: PeerConnection, _ node: NodeID) {
    guard let link = outbound[connection.id] else { return }
    guard mayBeSentTo(node) else { return refuseFormerMember(node, on: connection) }
    connected(link, connection)
  }

  private func refuseFormerMember(_ node: NodeID, on connection: PeerConnection) {
    refused(.notAMember, on: connection, "its certificate is that of a former member, \(node)")
    connection.close()
  }

  private func accept(_ channel: any Channel) throws {
    let connection = try adopt(channel, isInbound: true)
    let unknownPeers = connections.values.filter { $0.isInbound && !$0.isMembers && $0 !== connection }
    if unknownPeers.count >= limits.unknownPeers { evict(memberHosts.mostDispensable(of: unknownPeers)) }
  }

  /// A frame of a member came over this connection, the first one.
  func becameMembers(_ connection: PeerConnection) {
    memberHosts.insert(connection.host)
    let members = connections.values.filter { $0.isInbound && $0.isMembers && $0 !== connection }
    if connection.isInbound, members.count >= limits.inboundConnections {
      evict(members.min { ($0.lastUse, $0.id) < ($1.lastUse, $1.id) })
    }
  }

  /// It does not count from now on: a channel that is not active yet says nothing when it is closed.
  private func evict(_ connection: PeerConnection?) {
    guard let connection else { return }
    metrics.closed(.tooManyConnections)
    connections[connection.id] = nil
    connection.close()
  }

  private func adopt(_ channel: any Channel, isInbound: Bool) throws -> PeerConnection {
    guard !isClosed else {
      channel.close(promise: nil)
      throw ChannelError.ioOnClosedChannel
    }
    SocketTimeouts.limitUnacknowledgedTime(of: channel, to: limits.stallTime)
    lastConnection += 1
    let reader = FrameReader(maximumSize: min(limits.firstFrameSize, limits.frameSize), memory: incoming)
    let outcome = credentials.map { _ in HandshakeOutcome() }
    let connection = PeerConnection(
      id: lastConnection, isInbound: isInbound, host: channel.remoteAddress?.ipAddress, reader: reader, outcome: outcome, transport: self)
    do {
      try channel.pipeline.syncOperations.addHandlers(tlsHandlers(for: connection, outcome) + [reader, connection])
    } catch {
      channel.close(promise: nil)
      throw error
    }
    connections[connection.id] = connection
    return connection
  }

  /// None for plain text. Throws if there is no certificate to show yet.
  private func tlsHandlers(for connection: PeerConnection, _ outcome: HandshakeOutcome?) throws -> [any ChannelHandler] {
    guard let credentials, let outcome else { return [] }
    let deadline = HandshakeDeadline(limits.handshakeTime) { [unowned self, unowned connection] in
      refused(.handshakeTime, on: connection, "TLS was not agreed on in time")
    }
    let tls: any ChannelHandler =
      connection.isInbound ? try credentials.serverHandlerForPeers(outcome) : try credentials.clientHandler(outcome)
    return [tls, deadline]
  }

  func received(_ frame: Bytes, on connection: PeerConnection) -> FrameVerdict { receive(frame, connection.id) }

  func failed(_ error: any Error, on connection: PeerConnection) {
    let reason: CloseReason =
      switch error {
      case is OversizeFrame: .oversizeFrame
      case is NoRoomForFrame: .noMemory
      case is MalformedFrame: .malformedFrame
      case is ForgedFrame: .forgedSender
      case is CertificateFault: .certificate
      case is NIOSSLError: .handshake
      default: .failed
      }
    guard [.forgedSender, .certificate, .handshake].contains(reason) else {
      metrics.closed(reason)
      return logger.debug("peer connection failed", metadata: ["error": "\(error)"])
    }
    refused(reason, on: connection, HandshakeOutcome.words(for: error))
  }

  private func refused(_ reason: CloseReason, on connection: PeerConnection, _ text: String) {
    metrics.closed(reason)
    let address = outbound[connection.id]?.address ?? connection.host ?? "unknown"
    refusals.record("a connection between nodes was refused", ["address": "\(address)", "reason": "\(text)"], now: .now())
  }

  func closed(_ connection: PeerConnection) {
    guard connections.removeValue(forKey: connection.id) != nil else { return }
    if connection.isMembers, !isClosed { disconnected(connection.id) }
    if let link = outbound.removeValue(forKey: connection.id) { ended(connection, of: link, ChannelError.eof) }
  }

  private func ended(_ connection: PeerConnection?, of link: PeerDialer, _ error: any Error) {
    link.ended(connection, now: .now())
    // No other could be opened in its place.
    if case .connected(let current, _) = link.state { endIfLapsed(current) }
    if case .waiting = link.state, link.failures == 1, !isClosed {
      logger.info("peer cannot be reached, trying on", metadata: ["address": "\(link.address)", "error": "\(error)"])
    }
  }

  /// What was shown at the handshake must count as long as the connection is used. Whoever opened it opens another in good time, so that
  /// nothing that is on its way is lost; the other side of one that was replaced closes it at the latest when its certificate ends.
  private func lookAtCertificates(of connection: PeerConnection, now: NIODeadline) {
    let link = outbound[connection.id]
    if link != nil, let node = connection.formerMember(mayBeSentTo) { return refuseFormerMember(node, on: connection) }
    let isCurrent = if case .connected(let current, _)? = link?.state { current === connection } else { false }
    guard let link, isCurrent, connection.isDue(within: limits.replaceTime) else { return endIfLapsed(connection) }
    guard !link.isReplacing else { return }
    link.beginReplacing()
    dial(link)
  }

  private func endIfLapsed(_ connection: PeerConnection) {
    guard let fault = connection.lapse else { return }
    refused(.certificate, on: connection, "\(fault)")
    connection.close()
  }

  /// Closes what is stuck or unused, and forgets addresses that are not sent to any more.
  private func sweep() {
    let now = NIODeadline.now()
    keepDataLanesOpen(now: now)
    for connection in connections.values {
      if let since = connection.stalledSince(now), now - since >= limits.stallTime {
        metrics.closed(.stalled)
        connection.close()
      } else if connection.isInbound, !connection.isMembers, now - connection.openedAt >= limits.firstFrameTime {
        metrics.closed(.notAMember)
        connection.close()
      } else if now - connection.lastUse >= limits.idleTime {
        metrics.closed(.idle)
        connection.close()
      } else if let replacedAt = connection.replacedAt {
        if now - replacedAt >= limits.replacedTime { connection.close() }
      } else {
        lookAtCertificates(of: connection, now: now)
      }
    }
    links = links.filter { _, link in
      if case .connected = link.state { return true }
      if case .dialling = link.state { return true }
      return now - link.lastUse < limits.idleTime
    }
  }
}

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

enum SocketTimeouts {
  /// Lets the system give up a connection whose bytes nobody acknowledges. Without this it would send again at ever longer intervals, for a
  /// quarter of an hour, and a network that came back would not be noticed for minutes (RFC 5482).
  static func limitUnacknowledgedTime(of channel: any Channel, to time: TimeAmount) {
    #if os(Linux)
      let option = ChannelOptions.tcpOption(.init(rawValue: TCP_USER_TIMEOUT))
      // A system that does not know it is as good as without.
      try? channel.syncOptions?.setOption(option, value: SocketOptionValue(time.nanoseconds / 1_000_000))
    #endif
  }
}
