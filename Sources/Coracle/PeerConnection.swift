import ByteCoding
import NIOCore

/// One TCP connection between peers, whoever opened it: the last handler of its channel. Confined to the transport's event loop.
final class PeerConnection: ChannelInboundHandler {
  typealias InboundIn = [UInt8]
  typealias OutboundOut = ByteBuffer

  let id: UInt64
  private let transport: PeerTransport
  private var context: ChannelHandlerContext?
  private var needsFlush = false

  /// When the last whole frame came in, or went out.
  private(set) var lastUse = NIODeadline.now()
  private var written = 0
  private var progress = 0
  private var progressAt = NIODeadline.now()

  init(id: UInt64, transport: PeerTransport) {
    self.id = id
    self.transport = transport
  }

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }
  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    lastUse = .now()
    transport.received(Self.unwrapInboundIn(data)[...], on: self)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    transport.failed(error, on: self)
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    transport.closed(self)
  }

  /// Puts a frame into the channel's buffer, to be sent at the next `flush`; false if too much waits there already.
  func write(_ frame: [UInt8]) -> Bool {
    guard let context, context.channel.isWritable else { return false }
    lastUse = .now()
    written += frame.count + 4
    context.write(Self.wrapOutboundOut(Frame.encode(frame, allocator: context.channel.allocator)), promise: nil)
    if !needsFlush {
      needsFlush = true
      transport.flushLater(self)
    }
    return true
  }

  func flush() {
    needsFlush = false
    context?.flush()
  }

  func close() { context?.close(promise: nil) }

  /// Since when bytes wait that the other side does not take; `nil` if none wait, or some went out since the last call.
  func stalledSince(_ now: NIODeadline) -> NIODeadline? {
    let waiting = (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    guard waiting == 0 || written - waiting != progress else { return progressAt }
    progress = written - waiting
    progressAt = now
    return nil
  }
}
