import NIOCore

/// The first handler of a connection: it sees the bytes before anybody has understood them. Once the connection is to close, nobody does:
/// with TLS there is some time between that and the end, and what comes meanwhile must not be answered.
final class ArrivalHandler: ChannelInboundHandler, ChannelOutboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer

  private let grace: Duration
  private let onBytes: () -> Void
  private let onQuiesce: () -> Void
  private var end: Scheduled<Void>?
  private var isClosing = false

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
    guard !isClosing else { return }
    onBytes()
    context.fireChannelRead(data)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is ChannelShouldQuiesceEvent, end == nil {
      let this = NIOLoopBound(context, eventLoop: context.eventLoop)
      end = context.eventLoop.scheduleTask(in: TimeAmount(grace)) { this.value.close(promise: nil) }
      onQuiesce()
    }
    if isClosing, case ChannelEvent.inputClosed? = event as? ChannelEvent { return context.close(promise: nil) }
    context.fireUserInboundEventTriggered(event)
  }

  /// Handlers that hear of the end would look at half a request once more; that they are removed, they are told all the same.
  func channelInactive(context: ChannelHandlerContext) { if !isClosing { context.fireChannelInactive() } }

  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    if mode == .all { isClosing = true }
    context.close(mode: mode, promise: promise)
  }

  func handlerRemoved(context: ChannelHandlerContext) { end?.cancel() }
}
