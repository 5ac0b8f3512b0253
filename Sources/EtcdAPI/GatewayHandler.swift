import KeyValue
import NIOCore
import NIOHTTP1

/// One client's connection: one request at a time, in the order in which they came (`HTTPServerPipelineHandler` holds back the others and
/// stops reading). Whatever the client does or fails to do, the state below ends by a deadline.
final class GatewayHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private enum State {
    /// Waits for a request.
    case idle
    /// Takes in a body.
    case receiving(HTTPRequestHead, body: [UInt8])
    /// Lets a body that is too large go by, to tell the client so afterwards.
    case discarding(HTTPRequestHead)
    /// Has a request, and waits until the client has taken most of the last answer before it makes another.
    case waiting(HTTPRequestHead, body: [UInt8])
    /// The store works on it; `number` tells its answer from one that comes too late.
    case performing(HTTPRequestHead, number: UInt64)
    /// Makes the first part of a long answer, or waits for memory until then.
    case beginning(LongAnswer)
    /// Sends an answer, as fast as the client takes it.
    case answering(ResponseBody, keepAlive: Bool)
    case closed
  }

  private let gateway: Gateway
  private var state = State.idle
  private var requests: UInt64 = 0
  private var deadline: NIODeadline?
  private var timer: Scheduled<Void>?
  /// Bytes reserved for the answer under way.
  private var reserved = 0
  private var this: NIOLoopBound<(GatewayHandler, ChannelHandlerContext)>?

  private var settings: GatewaySettings { gateway.settings }

  init(gateway: Gateway) { self.gateway = gateway }

  // MARK: What happens

  func handlerAdded(context: ChannelHandlerContext) {
    this = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    expect(within: settings.idleTimeout)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    state = .closed
    releaseMemory()
    deadline = nil
    timer?.cancel()
    this = nil
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): begin(head, context)
    case .body(let part): append(part)
    case .end: endRequest(context)
    }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable {
      switch state {
      case .waiting(let head, let body): perform(head, body, context)
      case .answering: sendMore(context)
      default: break
      }
    }
    context.fireChannelWritabilityChanged()
  }

  /// The other side is gone, or spoke no HTTP (`HTTPServerProtocolErrorHandler` has told it so).
  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  // MARK: Request

  private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    guard case .idle = state else { return }
    expect(within: settings.bodyTimeout)
    let isTooLarge = head.headers.first(name: "Content-Length").flatMap { Int($0) }.map { $0 > settings.maximumBodyBytes } ?? false
    let waitsForConsent = head.headers.first(name: "Expect")?.lowercased() == "100-continue"
    switch (isTooLarge, waitsForConsent) {
    case (true, true): answer(.bodyTooLarge, to: head, mayKeepAlive: false, context)
    case (true, false): state = .discarding(head)
    case (false, true):
      context.writeAndFlush(wrapOutboundOut(.head(HTTPResponseHead(version: head.version, status: .continue))), promise: nil)
      state = .receiving(head, body: [])
    case (false, false): state = .receiving(head, body: [])
    }
  }

  private func append(_ part: ByteBuffer) {
    guard case .receiving(let head, var body) = state else { return }
    state = .closed  // So that `body` is not held twice, and copied.
    guard body.count + part.readableBytes <= settings.maximumBodyBytes else {
      state = .discarding(head)
      return
    }
    body.append(contentsOf: part.readableBytesView)
    state = .receiving(head, body: body)
  }

  private func endRequest(_ context: ChannelHandlerContext) {
    switch state {
    case .receiving(let head, let body) where context.channel.isWritable: perform(head, body, context)
    case .receiving(let head, let body):
      state = .waiting(head, body: body)
      expect(within: settings.stallTimeout)
    case .discarding(let head): answer(.bodyTooLarge, to: head, mayKeepAlive: false, context)
    default: break
    }
  }

  private func perform(_ head: HTTPRequestHead, _ body: [UInt8], _ context: ChannelHandlerContext) {
    let request = GatewayRequest(
      method: head.method.rawValue, target: head.uri, timeout: head.headers.first(name: "Grpc-Timeout"), body: body)
    switch gateway.begin(request) {
    case .answer(let response): answer(response, to: head, mayKeepAlive: true, context)
    case .perform(let task) where !task.request.isReadOnly && task.request.mayReturnPairs && !gateway.answers.hasPlace:
      answer(.error(.busyAnswering), to: head, mayKeepAlive: true, context)
    case .perform(let task):
      requests += 1
      state = .performing(head, number: requests)
      deadline = nil  // The store keeps its own.
      guard let this else { return }
      let (number, eventLoop) = (requests, context.eventLoop)
      gateway.service.perform(task.request, consistency: task.consistency, timeout: task.timeout) { result in
        eventLoop.execute {
          let (handler, context) = this.value
          guard case .performing(let head, number) = handler.state else { return }
          handler.answer(handler.gateway.finish(task.purpose, result), to: head, mayKeepAlive: true, context)
        }
      }
    }
  }

  // MARK: Answer

  private func answer(_ response: GatewayResponse, to request: HTTPRequestHead, mayKeepAlive: Bool, _ context: ChannelHandlerContext) {
    var long = LongAnswer(response: response, request: request, mayKeepAlive: mayKeepAlive, until: .now() + TimeAmount(settings.answerWait))
    if response.body.workingBytes == 0 { long.first = long.response.body.next() ?? [] }
    if long.response.body.isFinished { return send(long, context) }
    expect(within: settings.answerWait + settings.stallTimeout)
    state = .beginning(long)
    begin(context)
  }

  /// Reserves what a long answer holds while it is sent, or tries again a little later.
  private func begin(_ context: ChannelHandlerContext) {
    guard case .beginning(let long) = state, let this else { return }
    let bytes = gateway.answers.bytes(for: long.response.body)
    if gateway.answers.account.reserve(bytes) {
      reserved = bytes
    } else if !long.response.mayBeRefused {
      // Something was changed, and its client must hear it.
      gateway.answers.account.charge(bytes)
      reserved = bytes
    } else if long.until > .now() {
      context.eventLoop.scheduleTask(in: .milliseconds(25)) { this.value.0.begin(this.value.1) }
      return
    } else {
      return answer(.error(.busyAnswering), to: long.request, mayKeepAlive: long.mayKeepAlive, context)
    }
    makeFirst(context)
  }

  private func makeFirst(_ context: ChannelHandlerContext) {
    guard case .beginning(var long) = state, let this else { return }
    state = .closed  // So that the body is not held twice, and copied.
    if long.first.isEmpty { long.first = long.response.body.next() ?? [] }
    guard long.first.isEmpty, !long.response.body.isFinished else { return send(long, context) }
    state = .beginning(long)
    expect(within: settings.stallTimeout)
    gateway.answers.turns(of: context.eventLoop).add { this.value.0.makeFirst(this.value.1) }
  }

  private func releaseMemory() {
    if reserved > 0 { gateway.answers.account.release(reserved) }
    reserved = 0
  }

  private func send(_ long: consuming LongAnswer, _ context: ChannelHandlerContext) {
    let (response, request, mayKeepAlive, first) = (long.response, long.request, long.mayKeepAlive, long.first)
    let body = response.body
    // HTTP/1.0 knows no chunks: there, the end of the connection is the end of the answer.
    let isChunkable = request.version == .http1_1
    let keepAlive = mayKeepAlive && request.isKeepAlive && (body.isFinished || isChunkable)
    var headers = response.headers
    if body.isFinished { headers.add(name: "Content-Length", value: String(first.count)) }
    if !keepAlive { headers.add(name: "Connection", value: "close") }
    let head = HTTPResponseHead(version: request.version, status: HTTPResponseStatus(statusCode: response.status), headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    guard request.method != .HEAD else { return endAnswer(keepAlive: keepAlive, context) }
    context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: first)))), promise: nil)
    guard !body.isFinished else { return endAnswer(keepAlive: keepAlive, context) }
    state = .answering(body, keepAlive: keepAlive)
    context.flush()
    expect(within: settings.stallTimeout)
    continueSending(context)
  }

  /// Sends the next part in another turn of the event loop: a long answer must not keep the other connections waiting.
  private func continueSending(_ context: ChannelHandlerContext) {
    guard context.channel.isWritable, let this else { return }
    gateway.answers.turns(of: context.eventLoop).add { this.value.0.sendMore(this.value.1) }
  }

  private func sendMore(_ context: ChannelHandlerContext) {
    guard context.channel.isWritable, case .answering(var body, let keepAlive) = state else { return }
    state = .closed  // So that `body` is not held twice, and copied.
    guard let chunk = body.next() else { return endAnswer(keepAlive: keepAlive, context) }
    state = .answering(body, keepAlive: keepAlive)
    expect(within: settings.stallTimeout)
    guard !chunk.isEmpty else { return continueSending(context) }
    context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: chunk)))), promise: nil)
    continueSending(context)
  }

  private func endAnswer(keepAlive: Bool, _ context: ChannelHandlerContext) {
    releaseMemory()
    state = keepAlive ? .idle : .closed
    expect(within: keepAlive ? settings.idleTimeout : settings.stallTimeout)
    guard let this, !keepAlive else { return context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil) }
    context.writeAndFlush(wrapOutboundOut(.end(nil))).assumeIsolated().whenComplete { _ in this.value.1.close(promise: nil) }
  }

  // MARK: Deadline

  /// Closes the connection unless something else is expected by then. So that a request costs no timer, one timer per connection looks now
  /// and then whether the deadline has passed, at the latest after the shortest of the three timeouts.
  private func expect(within time: Duration) {
    deadline = .now() + TimeAmount(time)
    if timer == nil { startTimer() }
  }

  private func startTimer() {
    guard let this else { return }
    let period = min(settings.idleTimeout, settings.bodyTimeout, settings.stallTimeout)
    let moment = min(.now() + TimeAmount(period), deadline ?? .distantFuture)
    timer = this.eventLoop.scheduleTask(deadline: moment) { this.value.0.timerFired(this.value.1) }
  }

  private func timerFired(_ context: ChannelHandlerContext) {
    timer = nil
    guard let deadline else { return }
    if deadline <= .now() { context.close(promise: nil) } else { startTimer() }
  }
}

extension GatewayResponse {
  fileprivate static var bodyTooLarge: GatewayResponse {
    var response = error(.tooLarge)
    response.status = 413
    return response
  }

  fileprivate var headers: HTTPHeaders {
    var headers = HTTPHeaders()
    switch content {
    case .json: headers.add(name: "Content-Type", value: "application/json")
    case .text:
      headers.add(name: "Content-Type", value: "text/plain; charset=utf-8")
      headers.add(name: "X-Content-Type-Options", value: "nosniff")
    }
    if let allow { headers.add(name: "Allow", value: allow) }
    if let staleness { headers.add(name: "Coracle-Staleness-Milliseconds", value: String(Int64(staleness / .milliseconds(1)))) }
    return headers
  }
}
