import ByteCoding
import NIOCore
import Replica

/// One TCP connection between peers, inbound or outbound: the last handler of its channel. Confined to the transport's event loop.
final class PeerConnection: ChannelInboundHandler {
  typealias InboundIn = [UInt8]
  typealias OutboundOut = ByteBuffer

  let id: UInt64
  /// The other side opened it.
  let isInbound: Bool
  let openedAt = NIODeadline.now()
  /// A frame of a member came over it.
  private(set) var isMembers = false
  private let transport: PeerTransport
  private let reader: FrameReader
  private var context: ChannelHandlerContext?
  private var needsFlush = false

  /// When the last whole frame came in, or went out.
  private(set) var lastUse = NIODeadline.now()
  private var written = 0
  private var progress = 0
  private var progressAt = NIODeadline.now()
  /// Bytes that wait for the other side, as the transport's account has them.
  private var charged = 0

  init(id: UInt64, isInbound: Bool, reader: FrameReader, transport: PeerTransport) {
    self.id = id
    self.isInbound = isInbound
    self.reader = reader
    self.transport = transport
  }

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
    transport.outgoing.release(charged)
    charged = 0
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    lastUse = .now()
    switch transport.received(Self.unwrapInboundIn(data)[...], on: self) {
    case .member where !isMembers:
      isMembers = true
      reader.maximumSize = transport.limits.frameSize
      transport.becameMembers(self)
    case .malformed:
      transport.failed(MalformedFrame(), on: self)
      context.close(promise: nil)
    case .member, .unknown: break
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    transport.failed(error, on: self)
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    transport.closed(self)
  }

  /// Puts a frame into the channel's buffer, to be sent at the next `flush`; false if too much waits there, or for all peers together.
  func write(_ frame: [UInt8]) -> Bool {
    guard let context, context.channel.isWritable else { return false }
    let size = frame.count + 4
    guard transport.outgoing.reserve(size) else { return false }
    charged += size
    lastUse = .now()
    written += size
    context.write(Self.wrapOutboundOut(FrameCodec.encode(frame, allocator: context.channel.allocator)), promise: nil)
    if !needsFlush {
      needsFlush = true
      transport.flushLater(self)
    }
    return true
  }

  func flush() {
    needsFlush = false
    context?.flush()
    recount()
  }

  func close() { context?.close(promise: nil) }

  /// Since when bytes wait that the other side does not take; `nil` if none wait, or some went out since the last call.
  func stalledSince(_ now: NIODeadline) -> NIODeadline? {
    let waiting = recount()
    guard waiting == 0 || written - waiting != progress else { return progressAt }
    progress = written - waiting
    progressAt = now
    return nil
  }

  /// Brings the account up to date: the system has taken some of what was written. How much it has not.
  @discardableResult
  private func recount() -> Int {
    let waiting = (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    if waiting < charged {
      transport.outgoing.release(charged - waiting)
      charged = waiting
    }
    return waiting
  }
}

/// What came is no frame, or not what was sent; what follows cannot be trusted either.
struct MalformedFrame: Error, CustomStringConvertible {
  var description: String { "a frame that does not verify" }
}
