import Credentials
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import RequestChecks

/// What the port speaks, and whose certificate it shows.
enum PortSecurity: Sendable {
  case plainText
  case cluster(TLSCredentials)
  case own(OwnCertificate)

  /// How long the two sides have to agree on TLS.
  private static let handshakeTime = TimeAmount.seconds(10)

  func addHandlers(_ pipeline: ChannelPipeline.SynchronousOperations) throws {
    switch self {
    case .plainText: return
    case .cluster(let credentials): try pipeline.addHandler(credentials.serverHandlerForClients(HandshakeOutcome()))
    case .own(let certificate): try pipeline.addHandler(certificate.serverHandler())
    }
    try pipeline.addHandler(HandshakeDeadline(Self.handshakeTime))
  }
}

/// A connection to the service: Hummingbird's, with what it leaves out of HTTP/1.
struct LinkChannel: ServerChildChannel {
  typealias Value = HTTP1Channel.Value

  private let channel: HTTP1Channel
  private let security: PortSecurity

  static func builder(_ configuration: HTTP1Channel.Configuration, _ security: PortSecurity) -> HTTPServerBuilder {
    HTTPServerBuilder { LinkChannel(channel: HTTP1Channel(responder: $0, configuration: configuration), security: security) }
  }

  func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
    do {
      try security.addHandlers(channel.pipeline.syncOperations)
    } catch {
      return channel.eventLoop.makeFailedFuture(error)
    }
    return self.channel.setup(channel: channel, logger: logger).flatMapThrowing { value in
      let pipeline = channel.pipeline.syncOperations
      try pipeline.addHandler(
        OlderHTTPHandler(), position: .after(try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)))
      return value
    }
  }

  func handle(value: Value, logger: Logger) async { await channel.handle(value: value, logger: logger) }
}

/// What Hummingbird does not see, since its requests have no version: the answers that HTTP/1.0 understands, connections that are kept or
/// closed as each version has it, and targets in absolute form (RFC 9112, sections 3.2.2 and 9.3).
private final class OlderHTTPHandler: ChannelDuplexHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = HTTPServerRequestPart
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  private struct Form {
    var version: HTTPVersion
    var isHead: Bool
    var keepAlive: Bool
  }

  /// Of the requests without an answer, in their order. As many as one read from the socket may hold: then reading waits.
  private var forms = CircularBuffer<Form>()

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard case .head(var head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
    forms.append(Form(version: head.version, isHead: head.method == .HEAD, keepAlive: head.isKeepAlive))
    if let target = RequestTarget(head.uri), let authority = target.authority {
      head.uri = target.path
      head.headers.replaceOrAdd(name: "Host", value: authority)
    } else if head.version == .http1_0, !head.headers.contains(name: "Host") {
      head.headers.add(name: "Host", value: "")
    }
    // Hummingbird looks for this very word, and closes after its answer.
    if !head.isKeepAlive { head.headers.replaceOrAdd(name: "Connection", value: "close") }
    context.fireChannelRead(wrapInboundOut(.head(head)))
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    switch unwrapOutboundIn(data) {
    case .head(let head):
      context.write(wrapOutboundOut(.head(framed(head))), promise: promise)
    case .body: context.write(data, promise: promise)
    case .end:
      let closes = forms.popFirst()?.keepAlive == false
      guard closes else { return context.write(data, promise: promise) }
      let this = NIOLoopBound(context, eventLoop: context.eventLoop)
      let sent = promise ?? context.eventLoop.makePromise()
      sent.futureResult.assumeIsolated().whenComplete { _ in this.value.close(promise: nil) }
      context.writeAndFlush(data, promise: sent)
    }
  }

  /// The head that the client of the first request understands. An answer to HTTP/1.0 of which the length is not known ends with the
  /// connection.
  private func framed(_ answer: HTTPResponseHead) -> HTTPResponseHead {
    guard var form = forms.first, answer.status.code >= 200 else { return answer }
    var head = answer
    if form.version == .http1_0 {
      head.version = .http1_0
      let hasLength = head.headers.contains(name: "Content-Length") || form.isHead || !head.status.mayHaveResponseBody
      if !hasLength { form.keepAlive = false }
      if form.keepAlive { head.headers.replaceOrAdd(name: "Connection", value: "keep-alive") }
    }
    if !form.keepAlive { head.headers.replaceOrAdd(name: "Connection", value: "close") }
    forms[forms.startIndex] = form
    return head
  }
}
