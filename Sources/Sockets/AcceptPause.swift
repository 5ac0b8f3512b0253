import NIOCore

/// Lets a port rest for a moment when it cannot accept a connection, mostly for want of descriptors.
///
/// The system goes on saying that a connection waits, and the channel stays interested after a failed `accept`, so that it would be tried
/// again and again, and take a whole processor. `AcceptBackoffHandler` delays only reads that are asked for, and these are not.
public final class AcceptPause: ChannelInboundHandler {
  public typealias InboundIn = any Channel

  private let pause: TimeAmount
  private var isPausing = false

  public init(_ pause: TimeAmount = .seconds(1)) { self.pause = pause }

  public func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard error is IOError else { return context.fireErrorCaught(error) }
    guard !isPausing else { return }
    isPausing = true
    setAutoRead(false, context)
    let this = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    context.eventLoop.scheduleTask(in: pause) {
      let (handler, context) = this.value
      handler.isPausing = false
      handler.setAutoRead(true, context)
    }
  }

  private func setAutoRead(_ reads: Bool, _ context: ChannelHandlerContext) {
    // It fails only if the port is closed.
    try? context.channel.syncOptions?.setOption(.autoRead, value: reads)
  }
}
