import Budget
import ByteCoding
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Replica
import Testing

@testable import Coracle

@Suite struct PeerTransportTests {
  /// A transport on a loop of its own, whose frames are collected.
  private final class Host: Sendable {
    let eventLoop: any EventLoop
    let transport: NIOLoopBound<PeerTransport>
    let memory = MemoryBudget(bytes: 128 << 20)
    let frames = NIOLockedValueBox<[(frame: [UInt8], connection: UInt64)]>([])
    let address: HostPort
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    /// An empty frame is a greeting, one that begins with 255 is malformed, and one that begins with 254 is of a stranger.
    init(_ limits: PeerTransport.Limits = .init(), port: Int = 0, outgoingBytes: Int = 64 << 20) async throws {
      let eventLoop = group.next()
      self.eventLoop = eventLoop
      let at = try HostPort("127.0.0.1:\(port)")
      (transport, address) = try await eventLoop.flatSubmit { [memory] in
        let transport = PeerTransport(
          eventLoop: eventLoop, limits: limits, incoming: memory.account("incoming"),
          outgoing: memory.account("outgoing", bytes: outgoingBytes), metrics: NodeMetrics(node: "test"),
          logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let bound = NIOLoopBound(transport, eventLoop: eventLoop)
        return transport.bind(to: at).map { (bound, $0) }
      }.get()
      try await eventLoop.submit { [transport, frames] in
        transport.value.greeting = { _ in [] }
        transport.value.receive = { frame, connection in
          if frame.first == 255 { return .malformed }
          if !frame.isEmpty { frames.withLockedValue { $0.append((Array(frame), connection)) } }
          return frame.first == 254 ? .unknown : .member
        }
        transport.value.start()
      }.get()
    }

    func send(_ frame: [UInt8], to destination: Destination, _ lane: Lane = .control) async throws {
      try await eventLoop.submit { [transport] in
        transport.value.send(frame, to: destination, lane)
        transport.value.flush()
      }.get()
    }

    func stop() async throws {
      try await eventLoop.submit { [transport] in transport.value.close() }.get()
      try await group.shutdownGracefully()
    }

    func has(_ frame: [UInt8]) -> Bool { frames.withLockedValue { $0.contains { $0.frame == frame } } }
  }

  @Test func carriesFramesInOrderAndAnswersOverTheSameConnection() async throws {
    let (a, b) = (try await Host(), try await Host())
    for byte in UInt8(0)..<100 { try await a.send([byte], to: .address(b.address.description)) }
    #expect(try await eventually { b.frames.withLockedValue { $0.count } == 100 })
    let received = b.frames.withLockedValue { $0 }
    #expect(received.map(\.frame) == (UInt8(0)..<100).map { [$0] })
    try await b.send([200], to: .connection(received[0].connection))
    #expect(try await eventually { a.has([200]) })
    try await a.stop()
    try await b.stop()
  }

  @Test func findsAPeerThatComesBack() async throws {
    let a = try await Host()
    var b = try await Host()
    let address = b.address
    try await a.send([1], to: .address(address.description))
    #expect(try await eventually { b.has([1]) })
    try await b.stop()
    b = try await Host(port: address.port)
    #expect(
      try await eventually {
        try await a.send([2], to: .address(address.description))
        return b.has([2])
      })
    try await a.stop()
    try await b.stop()
  }

  @Test func largestFrameGoesAndALargerOneIsDropped() async throws {
    var limits = PeerTransport.Limits()
    limits.heldBytes = 4 << 20
    limits.frameSize = 1 << 20
    let (a, b) = (try await Host(limits), try await Host(limits))
    let largest = [UInt8](repeating: 3, count: 1 << 20)
    try await a.send(largest + [0], to: .address(b.address.description))
    try await a.send(largest, to: .address(b.address.description))
    #expect(try await eventually { b.has(largest) })
    #expect(b.frames.withLockedValue { $0.count } == 1)
    try await a.stop()
    try await b.stop()
  }

  @Test func nowhereIsNoError() async throws {
    var limits = PeerTransport.Limits()
    limits.links = 2
    let a = try await Host(limits)
    for address in ["", "no port", "127.0.0.1:1", "[::1]:1", "127.0.0.1:99999", a.address.description] {
      try await a.send([1], to: .address(address))
    }
    try await a.send([1], to: .connection(77))
    // There was room for two links only, and both were taken.
    #expect(!a.has([1]))
    try await a.stop()
  }

  private func connect(_ host: Host) async throws -> any Channel {
    try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(host: "127.0.0.1", port: host.address.port).get()
  }

  @Test func strangersTakeNoPlaceOfAMember() async throws {
    var limits = PeerTransport.Limits()
    limits.unknownPeers = 2
    let a = try await Host(limits)
    let member = try await connect(a)
    try await member.writeAndFlush(ByteBuffer(bytes: [1, 0, 0, 0, 42]))
    #expect(try await eventually { a.has([42]) })
    var unknownPeers: [any Channel] = []
    for _ in 0..<5 { unknownPeers.append(try await connect(a)) }
    #expect(try await eventually { unknownPeers[..<3].allSatisfy { !$0.isActive } })
    #expect(unknownPeers[3...].allSatisfy { $0.isActive }, "the oldest are closed, and no more than must be")
    #expect(member.isActive)
    let late = try await connect(a)
    try await late.writeAndFlush(ByteBuffer(bytes: [1, 0, 0, 0, 43]))
    #expect(try await eventually { a.has([43]) })
    for channel in unknownPeers[4...] + [member, late] { try? await channel.close() }
    try await a.stop()
  }

  @Test func membersConnectionsAreBoundedToo() async throws {
    var limits = PeerTransport.Limits()
    limits.inboundConnections = 1
    let a = try await Host(limits)
    let (first, second) = (try await connect(a), try await connect(a))
    try await first.writeAndFlush(ByteBuffer(bytes: [1, 0, 0, 0, 42]))
    #expect(try await eventually { a.has([42]) })
    try await second.writeAndFlush(ByteBuffer(bytes: [1, 0, 0, 0, 43]))
    #expect(try await eventually { a.has([43]) && !first.isActive })
    #expect(second.isActive)
    try await second.close()
    try await a.stop()
  }

  @Test func beforeAMembersFrameOnlySmallOnesAreTaken() async throws {
    var limits = PeerTransport.Limits()
    limits.firstFrameSize = 10
    limits.frameSize = 20
    let a = try await Host(limits)
    let stranger = try await connect(a)
    try await stranger.writeAndFlush(ByteBuffer(bytes: [1, 0, 0, 0, 254]))
    #expect(try await eventually { a.has([254]) })
    try await stranger.writeAndFlush(ByteBuffer(bytes: [11, 0, 0, 0]))
    #expect(try await eventually { !stranger.isActive })
    let member = try await connect(a)
    let large = [UInt8](repeating: 7, count: 20)
    // In one piece: the first frame counts before the second is looked at.
    try await member.writeAndFlush(ByteBuffer(bytes: [0, 0, 0, 0, 20, 0, 0, 0] + large))
    #expect(try await eventually { a.has(large) })
    try await member.writeAndFlush(ByteBuffer(bytes: [21, 0, 0, 0]))
    #expect(try await eventually { !member.isActive })
    try await a.stop()
  }

  @Test func malformedFrameClosesTheConnection() async throws {
    let a = try await Host()
    let member = try await connect(a)
    try await member.writeAndFlush(ByteBuffer(bytes: [1, 0, 0, 0, 42, 1, 0, 0, 0, 255, 1, 0, 0, 0, 43]))
    #expect(try await eventually { !member.isActive })
    #expect(a.has([42]))
    try await a.stop()
  }

  @Test func whoNeverShowsToBeAMemberIsLetGo() async throws {
    var limits = PeerTransport.Limits()
    limits.firstFrameTime = .milliseconds(500)
    limits.sweepInterval = .milliseconds(10)
    let a = try await Host(limits)
    // On a busy machine it may take more than one attempt to be in time.
    var member = try await connect(a)
    for _ in 0..<20 where !a.has([42]) {
      member = try await connect(a)
      try? await member.writeAndFlush(ByteBuffer(bytes: [1, 0, 0, 0, 42]))
      _ = try await eventually(within: .seconds(1)) { a.has([42]) || !member.isActive }
    }
    #expect(a.has([42]))
    let stranger = try await connect(a)
    // It talks all the time, and never as a member.
    #expect(
      try await eventually {
        try? await stranger.writeAndFlush(ByteBuffer(bytes: [1, 0, 0, 0, 254]))
        return !stranger.isActive
      })
    #expect(member.isActive)
    try await member.close()
    try await a.stop()
  }

  @Test func whatPeersHaveNotTakenIsBoundedInSum() async throws {
    let a = try await Host(outgoingBytes: 3 << 20)
    // Both accept, and never read.
    var servers: [any Channel] = []
    for _ in 0..<2 {
      servers.append(
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).childChannelOption(.autoRead, value: false)
          .bind(host: "127.0.0.1", port: 0).get())
    }
    let frame = [UInt8](repeating: 1, count: 500_000)
    for round in 0..<60 {
      for server in servers { try await a.send(frame, to: .address("127.0.0.1:\(server.localAddress?.port ?? 0)")) }
      if round == 0 { try await Task.sleep(for: .milliseconds(100)) }
    }
    let usage = a.memory.usage[1]
    #expect(usage.reserved <= 3 << 20)
    #expect(usage.reserved > 2 << 20)
    #expect(usage.refusals > 0)
    try await a.stop()
    for server in servers { try await server.close() }
    #expect(a.memory.reserved == 0, "connections that are closed hold nothing")
  }

  @Test func controlFramesDoNotWaitForMegabytes() async throws {
    let a = try await Host()
    let accepted = NIOLockedValueBox<[any Channel]>([])
    // Accepts, and reads only what it is told to.
    let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelOption(.autoRead, value: false)
      .childChannelInitializer { channel in
        accepted.withLockedValue { $0.append(channel) }
        return channel.eventLoop.makeSucceededVoidFuture()
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let address = Destination.address("127.0.0.1:\(server.localAddress?.port ?? 0)")
    let large = [UInt8](repeating: 1, count: 900_000)
    for _ in 0..<10 { try await a.send(large, to: address, .data) }
    #expect(try await eventually { accepted.withLockedValue { $0.count } == 1 })
    for _ in 0..<10 { try await a.send(large, to: address, .data) }

    try await a.send([77], to: address, .control)
    #expect(try await eventually { accepted.withLockedValue { $0.count } == 2 })
    let bytes = NIOLockedValueBox<[UInt8]>([])
    let control = accepted.withLockedValue { $0[1] }
    try await control.pipeline.addHandler(Collector(bytes: bytes))
    try await control.setOption(.autoRead, value: true).get()
    control.read()
    // A greeting, and the frame.
    #expect(try await eventually { bytes.withLockedValue { $0 } == [0, 0, 0, 0, 1, 0, 0, 0, 77] })
    try await a.stop()
    try await server.close()
  }

  private final class Collector: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    let bytes: NIOLockedValueBox<[UInt8]>

    init(bytes: NIOLockedValueBox<[UInt8]>) { self.bytes = bytes }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let read = Self.unwrapInboundIn(data)
      bytes.withLockedValue { $0 += read.readableBytesView }
    }
  }

  @Test func aDataLaneStaysOpenWhileTheOtherIsUsed() async throws {
    var limits = PeerTransport.Limits()
    limits.idleTime = .seconds(1)
    limits.keepOpenTime = .milliseconds(50)
    limits.sweepInterval = .milliseconds(10)
    let (a, b) = (try await Host(limits), try await Host(limits))
    let address = Destination.address(b.address.description)
    try await a.send([1], to: address, .data)
    for _ in 0..<150 {
      try await a.send([2], to: address, .control)
      try await Task.sleep(for: .milliseconds(10))
    }
    try await a.send([3], to: address, .data)
    #expect(try await eventually { b.has([3]) })
    let connections = b.frames.withLockedValue { frames in
      frames.filter { $0.frame != [2] }.map(\.connection)
    }
    #expect(Set(connections).count == 1)
    try await a.stop()
    try await b.stop()
  }

  @Test func unusedConnectionsAreClosed() async throws {
    var limits = PeerTransport.Limits()
    limits.idleTime = .milliseconds(50)
    limits.sweepInterval = .milliseconds(10)
    let a = try await Host(limits)
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .connect(host: "127.0.0.1", port: a.address.port).get()
    #expect(try await eventually { !channel.isActive })
    try await a.stop()
  }

  @Test func connectionThatTakesNothingIsClosed() async throws {
    var limits = PeerTransport.Limits()
    limits.stallTime = .milliseconds(100)
    limits.sweepInterval = .milliseconds(10)
    let a = try await Host(limits)
    // Accepts, and never reads.
    let accepted = NIOLockedValueBox<[any Channel]>([])
    let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelOption(.autoRead, value: false)
      .childChannelInitializer { channel in
        accepted.withLockedValue { $0.append(channel) }
        return channel.eventLoop.makeSucceededVoidFuture()
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let address = "127.0.0.1:\(server.localAddress?.port ?? 0)"
    let frame = [UInt8](repeating: 1, count: 900_000)
    #expect(
      try await eventually {
        try await a.send(frame, to: .address(address))
        return accepted.withLockedValue { $0.count } >= 2
      })
    try await server.close()
    try await a.stop()
  }
}
