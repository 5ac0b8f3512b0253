import Credentials
import NIOCore
import NIOTLS

/// Why a connection to the client port was closed before anything could be asked for over it.
public struct ClientRefusal: Sendable {
  public enum Reason: String, CaseIterable, Sendable {
    /// TLS was not agreed on: no TLS was spoken, or too old a version.
    case handshake
    case handshakeTime = "handshake_time"
    /// The certificate that was shown does not count here.
    case certificate
    case tooManyConnections = "too_many_connections"
  }

  public let reason: Reason
  /// For people.
  public let text: String
  /// The other side's address, without a port.
  public let host: String?

  init(_ reason: Reason, _ text: String, _ channel: any Channel) {
    self.reason = reason
    self.text = text
    host = channel.remoteAddress?.ipAddress
  }
}

/// Reports a connection on which TLS is not agreed on. It belongs behind the handler of TLS.
final class HandshakeWatch: ChannelInboundHandler {
  typealias InboundIn = NIOAny
  typealias InboundOut = NIOAny

  private let outcome: HandshakeOutcome
  private let handshakes: HandshakeLimit
  private let report: @Sendable (ClientRefusal) -> Void
  private var agreed: @Sendable () -> Void = {}
  private var channel: (any Channel)?
  private var isOver = false

  init(_ outcome: HandshakeOutcome, _ handshakes: HandshakeLimit, report: @escaping @Sendable (ClientRefusal) -> Void) {
    self.outcome = outcome
    self.handshakes = handshakes
    self.report = report
  }

  func handlerAdded(context: ChannelHandlerContext) {
    channel = context.channel
    agreed = handshakes.admit(context.channel) { report(ClientRefusal(.tooManyConnections, "there are too many handshakes at once", $0)) }
  }

  func handlerRemoved(context: ChannelHandlerContext) { (channel, agreed) = (nil, {}) }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case TLSUserEvent.handshakeCompleted? = event as? TLSUserEvent {
      isOver = true
      agreed()
    }
    context.fireUserInboundEventTriggered(event)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if let fault = outcome.fault {
      refuse(.certificate, "\(fault)")
    } else {
      refuse(.handshake, HandshakeOutcome.words(for: error))
    }
    context.fireErrorCaught(error)
  }

  func timeIsOver() { refuse(.handshakeTime, "TLS was not agreed on in time") }

  private func refuse(_ reason: ClientRefusal.Reason, _ text: String) {
    guard !isOver, let channel else { return }
    isOver = true
    report(ClientRefusal(reason, text, channel))
  }
}
