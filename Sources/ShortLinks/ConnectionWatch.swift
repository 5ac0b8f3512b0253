import NIOCore
import NIOHTTPTypes

/// Closes a connection whose client keeps it waiting: one that does not send what the service waits for, or does not take what it is sent.
/// What the service itself takes its time for is never held against the client.
final class ConnectionWatch: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  struct Times: Sendable {
    /// Until the head of a request is whole, from the start of the connection or from the last answer on.
    var head = TimeAmount.seconds(10)
    /// Between two parts of a body, while the service waits for the next.
    var body = TimeAmount.seconds(30)
    /// How long a client may take no byte of what is sent.
    var stall = TimeAmount.seconds(30)
    /// For requests under way when the service stops.
    var stop = TimeAmount.seconds(2)
    /// How often all this is looked at.
    var interval = TimeAmount.seconds(1)
  }

  private let times: Times
  private var checks: RepeatedTask?
  private var end: Scheduled<Void>?

  private var requestsUnderWay = 0
  private var isReadingRequest = false
  /// The service has asked for bytes that have not come; since then, or since the last part of a request, or the last answer.
  private var isWaiting = false
  private var waitingSince = NIODeadline.uptimeNanoseconds(0)
  /// What waited to be sent when it last changed, and when that was.
  private var unsent = 0
  private var unsentSince = NIODeadline.uptimeNanoseconds(0)

  init(_ times: Times) { self.times = times }

  func handlerAdded(context: ChannelHandlerContext) {
    waitingSince = context.eventLoop.now
    unsentSince = waitingSince
    let this = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    checks = context.eventLoop.scheduleRepeatedTask(initialDelay: times.interval, delay: times.interval) { _ in
      this.value.0.check(this.value.1)
    }
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    checks?.cancel()
    end?.cancel()
  }

  func read(context: ChannelHandlerContext) {
    if !isWaiting {
      isWaiting = true
      waitingSince = context.eventLoop.now
    }
    context.read()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head:
      requestsUnderWay += 1
      isReadingRequest = true
    case .body: break
    case .end: isReadingRequest = false
    }
    isWaiting = false
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    if case .end = unwrapOutboundIn(data) {
      requestsUnderWay -= 1
      waitingSince = context.eventLoop.now
    }
    context.write(data, promise: promise)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is ChannelShouldQuiesceEvent, end == nil {
      let this = NIOLoopBound(context, eventLoop: context.eventLoop)
      end = context.eventLoop.scheduleTask(in: times.stop) { this.value.close(promise: nil) }
    }
    context.fireUserInboundEventTriggered(event)
  }

  private func check(_ context: ChannelHandlerContext) {
    let now = context.eventLoop.now
    let buffered = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    if buffered == 0 || buffered != unsent {
      unsent = buffered
      unsentSince = now
    }
    let isIdle = requestsUnderWay == 0
    let waits = isWaiting && (isIdle || isReadingRequest) && now - waitingSince >= (isIdle ? times.head : times.body)
    if waits || now - unsentSince >= times.stall { context.close(promise: nil) }
  }
}
