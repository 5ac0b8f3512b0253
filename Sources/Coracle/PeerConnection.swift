import ByteCoding
import Credentials
import NIOCore
import NIOSSL
import NIOTLS
import Raft
import Replica

/// One TCP connection between peers, inbound or outbound: the last handler of its channel. Confined to the transport's event loop.
final class PeerConnection: ChannelInboundHandler {
  typealias InboundIn = [UInt8]
  typealias OutboundOut = ByteBuffer

  let id: UInt64
  /// The other side opened it.
  let isInbound: Bool
  /// The other side's address, without a port.
  let host: String?
  let openedAt = NIODeadline.now()
  /// What TLS says of the other side; `nil` in plain text.
  private let outcome: HandshakeOutcome?
  /// What that comes to.
  private var proof: PeerProof
  /// Since when another connection is used in its place: answers to what was sent over it may still come.
  private(set) var replacedAt: NIODeadline?
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

  init(
    id: UInt64, isInbound: Bool, host: String?, reader: FrameReader, outcome: HandshakeOutcome?, transport: PeerTransport
  ) {
    self.id = id
    self.isInbound = isInbound
    self.host = host
    self.outcome = outcome
    proof = outcome == nil ? .plainText : .nobody
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
    let frame = Self.unwrapInboundIn(data)
    guard proof.admits(frame) else {
      return errorCaught(context: context, error: ForgedFrame(sender: Frame.sender(of: frame), proof: proof))
    }
    switch transport.received(frame[...], on: self) {
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

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if let outcome, case TLSUserEvent.handshakeCompleted? = event as? TLSUserEvent {
      outcome.resume((try? context.pipeline.syncOperations.handler(type: NIOSSLHandler.self))?.peerCertificate)
      guard case .node(_, let id)? = outcome.identity else {
        return errorCaught(context: context, error: outcome.identity.map(CertificateFault.wrongParty) ?? CertificateFault.none)
      }
      proof = .node(NodeID(id))
      transport.authenticated(self, NodeID(id))
    }
    context.fireUserInboundEventTriggered(event)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // A close without the last words of TLS is an end like any other.
    if case NIOSSLError.uncleanShutdown? = error as? NIOSSLError { return context.close(promise: nil) }
    transport.failed(outcome?.fault ?? error, on: self)
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

  func wasReplaced(now: NIODeadline) { replacedAt = now }

  /// Why what the other side showed counts no more, if so.
  var lapse: CertificateFault? { outcome?.lapse() }

  /// Whether another connection should be opened in its place, with certificates that last.
  func isDue(within time: TimeAmount) -> Bool { outcome?.isDue(within: Double(time.nanoseconds) / 1e9) ?? false }

  /// The other side's node, if it is not one that may be talked to any more.
  func formerMember(_ mayBeSentTo: (NodeID) -> Bool) -> NodeID? {
    guard case .node(let node) = proof, !mayBeSentTo(node) else { return nil }
    return node
  }

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

/// A frame over a connection whose certificate is another node's.
struct ForgedFrame: Error, CustomStringConvertible {
  let sender: NodeID?
  let proof: PeerProof

  var description: String {
    let owner = if case .node(let node) = proof { "\(node)" } else { "nobody" }
    return "a frame says that it is from \(sender.map { "\($0)" } ?? "nobody"), but the certificate is that of \(owner)"
  }
}
