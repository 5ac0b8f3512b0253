import Budget
import ByteCoding
import Credentials
import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL
import Raft
import Replica
import Testing
import X509

@testable import Coracle

/// Who is let in between nodes that talk encrypted, and what becomes of the others.
@Suite struct PeerTLSTests {
  /// Gives certificates of one cluster.
  private struct Cluster {
    let authority: Authority

    init() throws { authority = try Authority(domain: .random()) }

    /// - Parameter from: when it was made, in seconds from now.
    func credentials(
      _ identity: (TrustDomain) -> CertifiedIdentity, from: TimeInterval = 0, life: TimeInterval = 3600, trusting other: Cluster? = nil
    ) throws -> TLSCredentials {
      let (key, trusted, credentials) = (KeyPair(), other ?? self, TLSCredentials())
      let leaf = try authority.issue(identity(authority.domain), for: key.publicKey, now: Date() + from, life: life)
      try credentials.install(
        .init(
          key: key.privateKey, chain: [leaf, authority.certificate],
          anchors: TrustAnchors(domain: trusted.authority.domain, authorities: [trusted.authority.certificate])))
      return credentials
    }

    func node(_ id: UInt64) throws -> TLSCredentials { try credentials { .node(domain: $0, id) } }
  }

  /// A transport with credentials, on a loop of its own.
  private final class Host: Sendable {
    let eventLoop: any EventLoop
    let transport: NIOLoopBound<PeerTransport>
    let address: HostPort
    let frames = NIOLockedValueBox<[(sender: NodeID?, connection: UInt64)]>([])
    let log = NIOLockedValueBox<[String]>([])
    private let name = UUID().uuidString
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    init(
      _ id: UInt64, _ credentials: TLSCredentials, _ limits: PeerTransport.Limits = .init(),
      mayBeSentTo: @escaping @Sendable (NodeID) -> Bool = { _ in true }
    ) async throws {
      _ = CountingMetrics.shared
      let eventLoop = group.next()
      self.eventLoop = eventLoop
      let at = try HostPort("127.0.0.1:0")
      (transport, address) = try await eventLoop.flatSubmit { [name, log] in
        let memory = MemoryBudget(bytes: 128 << 20)
        let transport = PeerTransport(
          eventLoop: eventLoop, limits: limits, incoming: memory.account("incoming"), outgoing: memory.account("outgoing"),
          credentials: credentials, metrics: NodeMetrics(node: name), logger: Logger(label: "test") { _ in LogCollector(lines: log) })
        let bound = NIOLoopBound(transport, eventLoop: eventLoop)
        return transport.bind(to: at).map { (bound, $0) }
      }.get()
      try await eventLoop.submit { [transport, frames] in
        transport.value.greeting = { _ in PeerTLSTests.frame(from: id) }
        transport.value.mayBeSentTo = mayBeSentTo
        transport.value.receive = { frame, connection in
          frames.withLockedValue { $0.append((Frame.sender(of: Array(frame)), connection)) }
          return .member
        }
        transport.value.start()
      }.get()
    }

    func send(_ frame: [UInt8], to destination: Destination) async throws {
      try await eventLoop.submit { [transport] in
        transport.value.send(frame, to: destination, .control)
        transport.value.flush()
      }.get()
    }

    func closed(_ reason: CloseReason) -> Int64 {
      CountingMetrics.shared.count("coracle_peer_connections_closed_total", [("node", name), ("reason", reason.rawValue)])
    }

    func has(_ id: UInt64, times: Int = 1) -> Bool { frames.withLockedValue { $0.count { $0.sender == NodeID(id) } } >= times }

    func hasLogged(_ text: String) -> Bool { log.withLockedValue { $0.contains { $0.contains(text) } } }

    func stop() async throws {
      try await eventLoop.submit { [transport] in transport.value.close() }.get()
      try await group.shutdownGracefully()
    }
  }

  private struct LogCollector: LogHandler {
    let lines: NIOLockedValueBox<[String]>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      lines.withLockedValue { $0.append("\(event.level) \(event.message) \(event.metadata ?? [:])") }
    }
  }

  private static func frame(from id: UInt64) -> [UInt8] { Frame(cluster: nil, from: NodeID(id), to: nil, body: .greeting).encoded() }

  private static func onTheWire(_ frame: [UInt8]) -> ByteBuffer { FrameCodec.encode(frame, allocator: ByteBufferAllocator()) }

  private let cluster: Cluster

  init() throws { cluster = try Cluster() }

  /// Plain TCP if there is no handler.
  private func connect(
    to host: Host, from source: String? = nil, _ handler: (@Sendable () throws -> NIOSSLClientHandler)? = nil
  ) async throws -> any Channel {
    var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).channelInitializer { channel in
      channel.eventLoop.makeCompletedFuture { if let handler { try channel.pipeline.syncOperations.addHandler(handler()) } }
    }
    if let source { bootstrap = bootstrap.bind(to: try SocketAddress(ipAddress: source, port: 0)) }
    return try await bootstrap.connect(host: "127.0.0.1", port: host.address.port).get()
  }

  private func connect(to host: Host, as credentials: TLSCredentials, from source: String? = nil) async throws -> any Channel {
    try await connect(to: host, from: source) { try credentials.clientHandler(HandshakeOutcome()) }
  }

  // MARK: Who is let in

  @Test func nodesExchangeFrames() async throws {
    let (a, b) = (try await Host(7, cluster.node(7)), try await Host(8, cluster.node(8)))
    try await a.send(Self.frame(from: 7), to: .address(b.address.description))
    #expect(try await eventually { b.has(7, times: 2) }, "the greeting and the frame")
    let connection = try #require(b.frames.withLockedValue { $0.first?.connection })
    try await b.send(Self.frame(from: 8), to: .connection(connection))
    #expect(try await eventually { a.has(8) })
    try await a.stop()
    try await b.stop()
  }

  @Test func aFrameOfAnotherEndsTheConnection() async throws {
    let (a, b) = (try await Host(7, cluster.node(7)), try await Host(8, cluster.node(8)))
    try await a.send(Self.frame(from: 9), to: .address(b.address.description))
    #expect(try await eventually { b.closed(.forgedSender) == 1 })
    #expect(b.has(7) && !b.has(9), "the greeting was honest")
    #expect(b.hasLogged("but the certificate is that of"))
    // The same over a connection that this side opened.
    #expect(
      try await eventually {
        try await a.send(Self.frame(from: 7), to: .address(b.address.description))
        return b.has(7, times: 3)
      })
    let connection = try #require(b.frames.withLockedValue { $0.last?.connection })
    try await b.send(Self.frame(from: 9), to: .connection(connection))
    #expect(try await eventually { a.closed(.forgedSender) == 1 })
    #expect(!a.has(9))
    try await a.stop()
    try await b.stop()
  }

  @Test func aFormerMemberIsNotSentTo() async throws {
    let a = try await Host(7, cluster.node(7), mayBeSentTo: { $0 != NodeID(8) })
    let b = try await Host(8, cluster.node(8))
    try await a.send(Self.frame(from: 7), to: .address(b.address.description))
    #expect(try await eventually { a.closed(.notAMember) >= 1 })
    #expect(!b.has(7))
    try await a.stop()
    try await b.stop()
  }

  // MARK: Who is not

  @Test func strangersAreClosedAndCounted() async throws {
    let host = try await Host(7, cluster.node(7))
    let (hour, other) = (3600.0, try Cluster())
    let shown: [(String, TLSCredentials)] = [
      ("not from this cluster's authority", try other.credentials({ .node(domain: $0, 8) }, trusting: cluster)),
      ("ended at", try cluster.credentials({ .node(domain: $0, 8) }, from: -3 * hour, life: hour)),
      ("begins at", try cluster.credentials({ .node(domain: $0, 8) }, from: 3 * hour)),
      ("that of client alice", try cluster.credentials { .client(domain: $0, "alice") }),
      ("names neither", try cluster.credentials { _ in .node(domain: .random(), 8) }),
    ]
    for (number, (reason, credentials)) in shown.enumerated() {
      let channel = try await connect(to: host, as: credentials)
      try? await channel.writeAndFlush(Self.onTheWire(Self.frame(from: 8)))
      #expect(try await eventually { !channel.isActive && host.closed(.certificate) == Int64(number) + 1 }, "\(reason)")
      // What is refused at once after another is not said.
      if number == 0 { #expect(host.hasLogged(reason)) }
    }
    #expect(!host.has(8))
    try await host.stop()
  }

  @Test func withoutACertificateNobodyIsHeard() async throws {
    let host = try await Host(7, cluster.node(7))
    let channel = try await connect(to: host) {
      var configuration = TLSConfiguration.makeClientConfiguration()
      configuration.certificateVerification = .none
      return try NIOSSLClientHandler(context: try NIOSSLContext(configuration: configuration), serverHostname: nil)
    }
    try? await channel.writeAndFlush(Self.onTheWire(Self.frame(from: 8)))
    #expect(try await eventually { !channel.isActive && host.closed(.handshake) == 1 })
    #expect(host.hasLogged("certificate") && !host.has(8))
    try await host.stop()
  }

  @Test func anOlderTLSIsRefused() async throws {
    let (host, credentials) = (try await Host(7, cluster.node(7)), KeyPair())
    let domain = cluster.authority.domain
    let leaf = try cluster.authority.issue(.node(domain: domain, 8), for: credentials.publicKey, now: Date(), life: 3600)
    let chain = [NIOSSLCertificateSource.certificate(try NIOSSLCertificate(bytes: try leaf.der, format: .der))]
    let key = try NIOSSLPrivateKey(bytes: Array(credentials.pem.utf8), format: .pem)
    let channel = try await connect(to: host) {
      var configuration = TLSConfiguration.makeClientConfiguration()
      (configuration.certificateChain, configuration.privateKey) = (chain, .privateKey(key))
      (configuration.certificateVerification, configuration.maximumTLSVersion) = (.none, .tlsv12)
      return try NIOSSLClientHandler(context: try NIOSSLContext(configuration: configuration), serverHostname: nil)
    }
    #expect(try await eventually { !channel.isActive && host.closed(.handshake) == 1 })
    try await host.stop()
  }

  @Test(arguments: ["GET / HTTP/1.1\r\n\r\n", "\u{0}\u{0}\u{0}\u{0}", "SSH-2.0-OpenSSH\r\n"])
  func plainTextIsRefused(text: String) async throws {
    let host = try await Host(7, cluster.node(7))
    let channel = try await connect(to: host)
    try await channel.writeAndFlush(ByteBuffer(string: text))
    #expect(try await eventually { !channel.isActive && host.closed(.handshake) + host.closed(.handshakeTime) == 1 })
    try await host.stop()
  }

  /// No bytes at all, or a record of TLS that never becomes whole.
  @Test(arguments: [[], [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc]] as [[UInt8]]) func aHandshakeEndsInTime(bytes: [UInt8]) async throws {
    var limits = PeerTransport.Limits()
    limits.handshakeTime = .milliseconds(50)
    let host = try await Host(7, cluster.node(7), limits)
    let channel = try await connect(to: host)
    if !bytes.isEmpty { try? await channel.writeAndFlush(ByteBuffer(bytes: bytes)) }
    #expect(try await eventually(within: .seconds(3)) { !channel.isActive && host.closed(.handshakeTime) == 1 })
    #expect(host.hasLogged("in time"))
    try await host.stop()
  }

  /// A member that comes again is not pushed out by however many others, as long as they come from somewhere else.
  #if os(Linux)
    @Test func aMembersAddressIsNotPushedOut() async throws {
      var limits = PeerTransport.Limits()
      limits.unknownPeers = 4
      let host = try await Host(7, cluster.node(7), limits)
      let member = try await connect(to: host, as: cluster.node(8), from: "127.0.0.2")
      try await member.writeAndFlush(Self.onTheWire(Self.frame(from: 8)))
      #expect(try await eventually { host.has(8) })
      try await member.close()
      // It has begun, and takes its time over the handshake: longer than all the others together.
      let again = try await connect(to: host, from: "127.0.0.2")
      var others: [any Channel] = []
      for _ in 0..<20 { others.append(try await connect(to: host, from: "127.0.0.1")) }
      #expect(try await eventually { host.closed(.tooManyConnections) == 17 })
      #expect(again.isActive)
      #expect(others.count { $0.isActive } == 3)
      for channel in others + [again] { try? await channel.close() }
      try await host.stop()
    }
  #endif

  @Test func thoseWhoHoldMostGoFirst() async throws {
    var limits = PeerTransport.Limits()
    limits.unknownPeers = 4
    let host = try await Host(7, cluster.node(7), limits)
    #if os(Linux)
      let one = try await connect(to: host, from: "127.0.0.3")
      for _ in 0..<10 { _ = try await connect(to: host, from: "127.0.0.1") }
      #expect(try await eventually { host.closed(.tooManyConnections) == 7 })
      #expect(one.isActive, "the oldest of all, and the only one of its address")
    #endif
    try await host.stop()
  }

  // MARK: Words

  @Test func refusalsAreSaidOnceASecond() {
    let lines = NIOLockedValueBox<[String]>([])
    var log = RefusalLog(logger: Logger(label: "test") { _ in LogCollector(lines: lines) })
    func refuse(at milliseconds: Int64) { log.record("refused", [:], now: .uptimeNanoseconds(UInt64(milliseconds) * 1_000_000)) }
    for milliseconds in [1000, 1001, 1500, 1999] as [Int64] { refuse(at: milliseconds) }
    #expect(lines.withLockedValue { $0 } == ["warning refused [:]"])
    refuse(at: 2000)
    #expect(lines.withLockedValue { $0.count } == 2 && lines.withLockedValue { $0[1].contains(#""others": 3"#) })
    refuse(at: 3000)
    #expect(lines.withLockedValue { $0.count } == 3 && lines.withLockedValue { !$0[2].contains("others") })
  }

  // MARK: What changes while connections are open

  /// Another authority that follows the cluster's own; what trusts either believes it if it vouches for it.
  private func successor(vouched: Bool = true) throws -> (next: Authority, chain: [Certificate]) {
    let next = try Authority(domain: cluster.authority.domain)
    return (next, vouched ? [try cluster.authority.vouch(for: next.certificate), next.certificate] : [next.certificate])
  }

  private func install(
    _ id: UInt64, by authority: Authority, chain: [Certificate], trusting anchors: [Authority], life: TimeInterval = 3600,
    in credentials: TLSCredentials
  ) throws {
    let key = KeyPair()
    let leaf = try authority.issue(.node(domain: authority.domain, id), for: key.publicKey, now: Date(), life: life)
    try credentials.install(
      .init(
        key: key.privateKey, chain: [leaf] + chain,
        anchors: TrustAnchors(domain: authority.domain, authorities: anchors.map(\.certificate))))
  }

  private static var oftenLookedAt: PeerTransport.Limits {
    var limits = PeerTransport.Limits()
    limits.sweepInterval = .milliseconds(50)
    limits.replaceTime = .milliseconds(500)
    limits.replacedTime = .milliseconds(200)
    return limits
  }

  /// A member's channel to the host, over which a frame went.
  private func member(_ id: UInt64, of host: Host, life: TimeInterval = 3600) async throws -> any Channel {
    let channel = try await connect(to: host, as: try cluster.credentials({ .node(domain: $0, id) }, life: life))
    try await channel.writeAndFlush(Self.onTheWire(Self.frame(from: id)))
    #expect(try await eventually { host.has(id) })
    return channel
  }

  @Test func connectionsGoOnUntilTheirAuthorityCountsNoMore() async throws {
    let credentials = try cluster.node(7)
    let host = try await Host(7, credentials, Self.oftenLookedAt)
    let member = try await member(8, of: host)
    let (next, chain) = try successor()
    // Both count for a while.
    try install(7, by: next, chain: chain, trusting: [next, cluster.authority], in: credentials)
    try await Task.sleep(for: .milliseconds(200))
    try await member.writeAndFlush(Self.onTheWire(Self.frame(from: 8)))
    #expect(try await eventually { host.has(8, times: 2) })
    try install(7, by: next, chain: chain, trusting: [next], in: credentials)
    #expect(try await eventually { !member.isActive && host.closed(.certificate) == 1 })
    #expect(host.hasLogged("not from this cluster's authority"))
    try await host.stop()
  }

  /// Who has shown the new authority's certificate to one that knows only the old, by the old one's word, stays when the new one is known.
  @Test func aConnectionByAnothersWordGoesOn() async throws {
    let (own, credentials) = (try cluster.node(7), TLSCredentials())
    let host = try await Host(7, own, Self.oftenLookedAt)
    let (next, chain) = try successor()
    try install(8, by: next, chain: chain, trusting: [next, cluster.authority], in: credentials)
    let early = try await connect(to: host, as: credentials)
    try await early.writeAndFlush(Self.onTheWire(Self.frame(from: 8)))
    #expect(try await eventually { host.has(8) })
    // It is looked at again when the host has a new certificate, and when it knows the new authority too.
    for anchors in [[cluster.authority], [next, cluster.authority]] {
      try install(7, by: cluster.authority, chain: [cluster.authority.certificate], trusting: anchors, in: own)
      try await Task.sleep(for: .milliseconds(200))
      #expect(early.isActive && host.closed(.certificate) == 0)
    }
    try await early.close()
    try await host.stop()
  }

  @Test func aConnectionEndsWithTheCertificateThatOpenedIt() async throws {
    let host = try await Host(7, cluster.node(7), Self.oftenLookedAt)
    let brief = try await member(8, of: host, life: 1)
    let lasting = try await member(9, of: host)
    #expect(try await eventually { !brief.isActive && host.closed(.certificate) == 1 })
    #expect(host.hasLogged("ended at"))
    #expect(lasting.isActive)
    try await lasting.close()
    try await host.stop()
  }

  /// Frames go on over another connection, opened in time: nothing is dropped.
  @Test func aCertificateThatEndsCostsNoFrame() async throws {
    let credentials = try cluster.credentials({ .node(domain: $0, 7) }, life: 3)
    let a = try await Host(7, credentials, Self.oftenLookedAt)
    let b = try await Host(8, cluster.node(8), Self.oftenLookedAt)
    for count in 1...60 {
      if count == 20 {
        try install(7, by: cluster.authority, chain: [cluster.authority.certificate], trusting: [cluster.authority], in: credentials)
      }
      try await a.send(Self.frame(from: 7), to: .address(b.address.description))
      #expect(try await eventually { b.has(7, times: count) })
      try await Task.sleep(for: .milliseconds(70))
    }
    let connections = b.frames.withLockedValue { Set($0.map(\.connection)) }
    #expect(connections.count == 2, "one when there was a new certificate, and no more")
    #expect(b.closed(.certificate) == 0 && a.closed(.certificate) == 0)
    try await a.stop()
    try await b.stop()
  }

  @Test func aConnectionToAFormerMemberEnds() async throws {
    let removed = NIOLockedValueBox(false)
    let a = try await Host(7, cluster.node(7), Self.oftenLookedAt, mayBeSentTo: { _ in !removed.withLockedValue { $0 } })
    let b = try await Host(8, cluster.node(8))
    try await a.send(Self.frame(from: 7), to: .address(b.address.description))
    #expect(try await eventually { b.has(7) })
    removed.withLockedValue { $0 = true }
    #expect(try await eventually { a.closed(.notAMember) == 1 })
    try await a.stop()
    try await b.stop()
  }

  /// The other side has let its certificate end: there is nothing to open another connection with.
  @Test func aCertificateThatIsNotRenewedEndsTheConnectionToo() async throws {
    let a = try await Host(7, cluster.node(7), Self.oftenLookedAt)
    let b = try await Host(8, try cluster.credentials({ .node(domain: $0, 8) }, life: 2))
    try await a.send(Self.frame(from: 7), to: .address(b.address.description))
    #expect(try await eventually { b.has(7) })
    let connection = try #require(b.frames.withLockedValue { $0.last?.connection })
    #expect(
      try await eventually {
        try await b.send(Self.frame(from: 8), to: .connection(connection))
        return a.hasLogged("ended at")
      })
    let heard = a.frames.withLockedValue { $0.count }
    try await b.send(Self.frame(from: 8), to: .connection(connection))
    try await Task.sleep(for: .milliseconds(100))
    #expect(a.frames.withLockedValue { $0.count } == heard)
    try await a.stop()
    try await b.stop()
  }
}
