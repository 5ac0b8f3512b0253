import NIOCore

/// The first handler of a connection: it sees the bytes before anybody has understood them.
final class ArrivalHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let grace: Duration
  private let onBytes: () -> Void
  private let onQuiesce: () -> Void
  private var end: Scheduled<Void>?

  /// - Parameters:
  ///   - grace: How long the connection may go on when the port is closed.
  ///   - onBytes: Called for all that comes, on the channel's event loop.
  ///   - onQuiesce: Called when the port is closed.
  init(closesAfter grace: Duration, onBytes: @escaping () -> Void, onQuiesce: @escaping () -> Void) {
    self.grace = grace
    self.onBytes = onBytes
    self.onQuiesce = onQuiesce
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    onBytes()
    context.fireChannelRead(data)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is ChannelShouldQuiesceEvent, end == nil {
      let this = NIOLoopBound(context, eventLoop: context.eventLoop)
      end = context.eventLoop.scheduleTask(in: TimeAmount(grace)) { this.value.close(promise: nil) }
      onQuiesce()
    }
    context.fireUserInboundEventTriggered(event)
  }

  func handlerRemoved(context: ChannelHandlerContext) { end?.cancel() }
}
