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
    let frames = NIOLockedValueBox<[(frame: [UInt8], connection: UInt64)]>([])
    let address: HostPort
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    init(_ limits: PeerTransport.Limits = .init(), port: Int = 0) async throws {
      let eventLoop = group.next()
      self.eventLoop = eventLoop
      let at = try HostPort("127.0.0.1:\(port)")
      (transport, address) = try await eventLoop.flatSubmit {
        let transport = PeerTransport(
          eventLoop: eventLoop, limits: limits, metrics: NodeMetrics(node: "test"),
          logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let bound = NIOLoopBound(transport, eventLoop: eventLoop)
        return transport.bind(to: at).map { (bound, $0) }
      }.get()
      try await eventLoop.submit { [transport, frames] in
        transport.value.receive = { frame, connection in frames.withLockedValue { $0.append((Array(frame), connection)) } }
        transport.value.start()
      }.get()
    }

    func send(_ frame: [UInt8], to destination: Destination) async throws {
      try await eventLoop.submit { [transport] in
        transport.value.send(frame, to: destination)
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

  @Test func strangersBeyondTheBoundAreClosedAndOversizeToo() async throws {
    var limits = PeerTransport.Limits()
    limits.inboundConnections = 1
    let a = try await Host(limits)
    func connect() async throws -> any Channel {
      try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(host: "127.0.0.1", port: a.address.port).get()
    }
    let first = try await connect()
    try await first.writeAndFlush(ByteBuffer(bytes: [1, 0, 0, 0, 42]))
    #expect(try await eventually { a.has([42]) })
    let second = try await connect()
    #expect(try await eventually { !second.isActive })
    #expect(first.isActive)
    try await first.writeAndFlush(ByteBuffer(bytes: [255, 255, 255, 255]))
    #expect(try await eventually { !first.isActive })
    // The place is free again.
    let third = try await connect()
    try await third.writeAndFlush(ByteBuffer(bytes: [1, 0, 0, 0, 43]))
    #expect(try await eventually { a.has([43]) })
    try await third.close()
    try await a.stop()
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
