import NIOCore
import Synchronization

/// Counts the connections of one port.
final class ConnectionLimit: Sendable {
  private let maximum: Int
  private let count = Atomic(0)

  init(maximum: Int) { self.maximum = maximum }

  /// Whether there is room for one more; it is given back when the channel closes.
  func admit(_ channel: any Channel) -> Bool {
    guard count.wrappingAdd(1, ordering: .relaxed).newValue <= maximum else {
      count.wrappingSubtract(1, ordering: .relaxed)
      return false
    }
    channel.closeFuture.whenComplete { _ in self.count.wrappingSubtract(1, ordering: .relaxed) }
    return true
  }
}

/// Tells a client that there is no room for it, rather than letting it wait.
final class RefusingHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private static let answer =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 21\r\nConnection: close\r\n\r\n"
    + "too many connections\n"

  func channelActive(context: ChannelHandlerContext) {
    let this = NIOLoopBound(context, eventLoop: context.eventLoop)
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: Self.answer))).assumeIsolated().whenComplete { _ in
      this.value.close(promise: nil)
    }
  }
}
