import NIOCore
import NIOPosix
import Synchronization

/// A client that sends what it is told, byte for byte, and keeps what comes back.
package final class RawClient: Sendable {
  private final class Collector: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    let received = Mutex([UInt8]())

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      received.withLock { $0.append(contentsOf: unwrapInboundIn(data).readableBytesView) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }

  package struct TimedOut: Error { let received: String }

  private let channel: any Channel
  private let collector: Collector

  /// - Parameter security: a handler that is to stand between the socket and all else, as one of TLS.
  package init(port: Int, security: (@Sendable () throws -> any ChannelHandler)? = nil) async throws {
    let collector = Collector()
    self.collector = collector
    channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelOption(.allowRemoteHalfClosure, value: false)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          if let security { try channel.pipeline.syncOperations.addHandler(security()) }
          try channel.pipeline.syncOperations.addHandler(collector)
        }
      }
      .connect(host: "127.0.0.1", port: port).get()
  }

  package var received: String { collector.received.withLock { String(decoding: $0, as: UTF8.self) } }
  package var receivedCount: Int { collector.received.withLock { $0.count } }
  package var isOpen: Bool { channel.isActive }

  package func send(_ text: String) async throws { try await channel.writeAndFlush(ByteBuffer(string: text)) }

  /// Sends nothing more, and still takes what comes.
  package func endSending() async throws { try await channel.close(mode: .output) }

  /// Stops taking what the server sends, or goes on.
  package func setReading(_ reads: Bool) async throws { try await channel.setOption(.autoRead, value: reads).get() }

  package func close() async { try? await channel.close() }

  /// Sends a call, keeping the connection.
  package func post(_ path: String, _ body: String, headers: String = "") async throws {
    try await send("POST \(path) HTTP/1.1\r\nHost: x\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
  }

  @discardableResult
  package func wait(until condition: @Sendable (RawClient) -> Bool) async throws -> String {
    for _ in 0..<1000 {
      if condition(self) { return received }
      try await Task.sleep(for: .milliseconds(10))
    }
    throw TimedOut(received: String(received.prefix(1000)))
  }

  /// What came, once it has as many answers as this.
  @discardableResult
  package func wait(answers count: Int) async throws -> String {
    try await wait { $0.received.components(of: "HTTP/1.1 ") >= count && $0.received.hasSuffix("}") }
  }
}

extension String {
  package func components(of text: String) -> Int { ranges(of: text).count }
}
