import NIOCore
import NIOTLS

/// Closes a connection on which TLS has not been agreed in time. It belongs behind the handler of TLS, and goes when that is done.
package final class HandshakeDeadline: ChannelInboundHandler, RemovableChannelHandler {
  package typealias InboundIn = NIOAny
  package typealias InboundOut = NIOAny

  private let time: TimeAmount
  private let expired: () -> Void
  private var timer: Scheduled<Void>?

  /// - Parameter expired: called before the connection is closed.
  package init(_ time: TimeAmount, expired: @escaping () -> Void = {}) {
    self.time = time
    self.expired = expired
  }

  package func handlerAdded(context: ChannelHandlerContext) {
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    timer = context.eventLoop.scheduleTask(in: time) {
      bound.value.0.expired()
      bound.value.1.close(promise: nil)
    }
  }

  package func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

  package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    context.fireUserInboundEventTriggered(event)
    guard case TLSUserEvent.handshakeCompleted? = event as? TLSUserEvent else { return }
    context.pipeline.syncOperations.removeHandler(self, promise: nil)
  }
}
