import Budget
import Credentials
import KeyValue
import NIOCore
import NIOHTTP1
import NIOSSL
import NIOTLS
import Replica
import RequestChecks
import Sockets

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
    /// Lets a body go by, to tell the client afterwards why it was not wanted.
    case discarding(HTTPRequestHead, GatewayResponse)
    /// Has a request, and waits until the client has taken most of the last answer before it makes another.
    case waiting(HTTPRequestHead, body: [UInt8])
    /// The store works on it; `number` tells its answer from one that comes too late.
    case performing(HTTPRequestHead, number: UInt64)
    /// Talks for as long as it takes.
    case conversing(HTTPRequestHead, any Conversation, hasBegun: Bool)
    /// Makes the first part of a long answer, or waits for memory until then.
    case beginning(LongAnswer)
    /// Sends an answer, as fast as the client takes it.
    case answering(ResponseBody, keepAlive: Bool)
    case closed
  }

  private let gateway: Gateway
  private var state = State.idle
  private var requests: UInt64 = 0
  /// The client sends nothing more, but may still wait for answers.
  private var isInputClosed = false
  /// What this connection has reserved for the body that it takes in.
  private var reserved = 0
  /// The head of a request has begun to come.
  private var isHeadComing = false
  private var bodyDeadline = NIODeadline.distantFuture
  private var deadline: NIODeadline?
  private var timer: (task: Scheduled<Void>, at: NIODeadline)?
  /// The next part of the answer under way has its turn.
  private var hasTurn = false
  /// Bytes reserved for the answer under way.
  private var reservedForAnswer = 0
  private var this: NIOLoopBound<(GatewayHandler, ChannelHandlerContext)>?

  private var settings: GatewaySettings { gateway.settings }

  private let bodies: MemoryBudget.Account
  private let standing: Standing
  /// From where the client comes.
  private var host = ""

  init(gateway: Gateway, bodies: MemoryBudget.Account, outcome: HandshakeOutcome? = nil) {
    self.gateway = gateway
    self.bodies = bodies
    standing = Standing(outcome)
  }

  // MARK: What happens

  func handlerAdded(context: ChannelHandlerContext) {
    this = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    host = context.remoteAddress?.network ?? ""
    expect(within: settings.idleTimeout)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    if case .conversing(_, let conversation, _) = state { conversation.close() }
    standing.stopLooking()
    state = .closed
    releaseBody()
    releaseMemory()
    deadline = nil
    timer?.task.cancel()
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
      case .answering: continueSending(context)
      case .conversing: goOnConversing(context)
      default: break
      }
    }
    context.fireChannelWritabilityChanged()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case ChannelEvent.inputClosed = event {
      isInputClosed = true
      // A request that is whole is answered; one that is not, or none, never will be.
      switch state {
      case .idle: closeWhenAnswersAreSent(context)
      case .receiving, .discarding: context.close(promise: nil)
      case .conversing(_, let conversation, _): if conversation.isEndless { context.close(promise: nil) }
      case .waiting, .performing, .beginning, .answering, .closed: break
      }
    }
    if case TLSUserEvent.handshakeCompleted? = event as? TLSUserEvent {
      standing.handshakeCompleted((try? context.pipeline.syncOperations.handler(type: NIOSSLHandler.self))?.peerCertificate)
    }
    context.fireUserInboundEventTriggered(event)
  }

  /// The other side is gone, or spoke no HTTP (`HTTPServerProtocolErrorHandler` has told it so).
  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  // MARK: Request

  /// Something came from the client, no matter what it will turn out to be.
  func bytesArrived() {
    guard case .idle = state, !isHeadComing else { return }
    isHeadComing = true
    expect(within: settings.headTimeout)
  }

  private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    guard case .idle = state else { return }
    isHeadComing = false
    bodyDeadline = .now() + TimeAmount(settings.bodyTimeout)
    expectBody()
    let isTooLarge = head.headers.first(name: "Content-Length").flatMap { Int($0) }.map { $0 > settings.maximumBodyBytes } ?? false
    let refusal =
      gateway.refusal(of: head.source, contentType: head.headers.first(name: "Content-Type")) ?? (isTooLarge ? .bodyTooLarge : nil)
    // HTTP/1.0 knows no interim answers.
    let waitsForConsent = head.version == .http1_1 && head.headers.first(name: "Expect")?.lowercased() == "100-continue"
    switch (refusal, waitsForConsent) {
    case (let refusal?, true): answer(refusal, to: head, mayKeepAlive: false, context)
    case (let refusal?, false): state = .discarding(head, refusal)
    case (nil, true):
      context.writeAndFlush(wrapOutboundOut(.head(HTTPResponseHead(version: head.version, status: .continue))), promise: nil)
      state = .receiving(head, body: [])
    case (nil, false): state = .receiving(head, body: [])
    }
  }

  private func append(_ part: ByteBuffer) {
    expectBody()
    guard case .receiving(let head, var body) = state else { return }
    state = .closed  // So that `body` is not held twice, and copied.
    guard body.count + part.readableBytes <= settings.maximumBodyBytes else { return discard(head, .bodyTooLarge) }
    // Large bodies leave a quarter to the small ones.
    let left = body.count + part.readableBytes > settings.smallBodyBytes ? bodies.bytes / 4 : 0
    guard bodies.hasRoom(for: part.readableBytes + left), bodies.reserve(part.readableBytes) else { return discard(head, .busy) }
    reserved += part.readableBytes
    if body.isEmpty, let announced = head.headers.first(name: "Content-Length").flatMap({ Int($0) }) {
      // At once as large as it will be: growing would double what it takes.
      body.reserveCapacity(min(announced, settings.maximumBodyBytes))
    }
    body.append(contentsOf: part.readableBytesView)
    state = .receiving(head, body: body)
  }

  private func discard(_ head: HTTPRequestHead, _ response: GatewayResponse) {
    releaseBody()
    state = .discarding(head, response)
  }

  private func releaseBody() {
    guard reserved > 0 else { return }
    bodies.release(reserved)
    reserved = 0
  }

  private func expectBody() {
    deadline = min(bodyDeadline, .now() + TimeAmount(settings.bodyStallTimeout))
    watchDeadline()
  }

  private func endRequest(_ context: ChannelHandlerContext) {
    switch state {
    case .receiving(let head, let body) where context.channel.isWritable: perform(head, body, context)
    case .receiving(let head, let body):
      state = .waiting(head, body: body)
      expect(within: settings.stallTimeout)
    case .discarding(let head, let refusal): answer(refusal, to: head, mayKeepAlive: false, context)
    default: break
    }
  }

  private func perform(_ head: HTTPRequestHead, _ body: [UInt8], _ context: ChannelHandlerContext, isFresh: Bool = false) {
    let request = GatewayRequest(
      method: head.method.rawValue, target: RequestTarget(head.uri)?.path ?? head.uri, timeout: head.headers.first(name: "Grpc-Timeout"),
      body: body, caller: standing.caller, host: host, token: head.headers.first(name: "Authorization"), isFresh: isFresh)
    if let lapse = standing.lapse(gateway) { return answer(.error(lapse), to: head, mayKeepAlive: false, context) }
    let (gateway, step) = gateway.begin(request)
    // What waits for the node to catch up holds its body, and begins again.
    if case .catchUp = step { return catchUp(head, body, context) }
    releaseBody()
    switch step {
    case .answer(let response): answer(response, to: head, mayKeepAlive: true, context)
    case .perform(let task) where !task.request.isReadOnly && task.request.mayReturnPairs && !gateway.answers.hasPlace:
      answer(.error(.busyAnswering), to: head, mayKeepAlive: true, context)
    case .perform(let task):
      guard let answer = answerLater(to: head, context) else { return }
      gateway.service.perform(task.request, consistency: task.consistency, timeout: task.timeout) { result in
        answer { $0.finish(task.purpose, result) }
      }
    case .look(let look):
      guard let answer = answerLater(to: head, context) else { return }
      let isLong = look.isLong
      gateway.service.read(look.consistency, timeout: look.timeout) { result in
        guard isLong else { return answer { look.answer($0, result) } }
        let hasPlace = gateway.answers.longLooks.submit {
          let made = look.answer(gateway, result)
          answer { _ in made }
        }
        if !hasPlace { answer { _ in .error(.busyAnswering) } }
      }
    case .converse(let conversation): converse(conversation, head, context)
    case .catchUp: break  // It has returned.
    case .administer(let administration, let call):
      guard let answer = answerLater(to: head, context) else { return }
      administration.perform(call, body: body) { result in
        answer { _ in
          switch result {
          case .success(let bytes): GatewayResponse(status: 200, content: .json, body: ResponseBody(bytes))
          case .failure(let error): .error(APIError(error))
          }
        }
      }
    case .operate(let operation):
      guard let answer = answerLater(to: head, context) else { return }
      gateway.service.perform(operation.request, timeout: operation.timeout) { result in answer { $0.finish(operation, result) } }
    }
  }

  /// Waits until this node has all that was acknowledged, and begins again.
  private func catchUp(_ head: HTTPRequestHead, _ body: [UInt8], _ context: ChannelHandlerContext) {
    requests += 1
    state = .performing(head, number: requests)
    deadline = nil  // The store keeps its own.
    guard let this else { return }
    let (number, eventLoop) = (requests, context.eventLoop)
    let (service, timeout) = (gateway.service, settings.requestTimeout)
    let hasPlace = gateway.catchUps.wait { done in
      service.read(.linearizable, timeout: timeout) { _ in done() }
    } then: {
      eventLoop.execute {
        guard case .performing(let head, number) = this.value.0.state else { return }
        this.value.0.perform(head, body, this.value.1, isFresh: true)
      }
    }
    guard !hasPlace else { return }
    releaseBody()
    answer(.busy, to: head, mayKeepAlive: true, context)
  }

  /// What the store calls, on any thread, when it is done; its answer is made on the loop, and dropped if nobody waits for it by then.
  private func answerLater(
    to head: HTTPRequestHead, _ context: ChannelHandlerContext
  ) -> (@Sendable (@escaping @Sendable (Gateway) -> GatewayResponse) -> Void)? {
    requests += 1
    state = .performing(head, number: requests)
    deadline = nil  // The store keeps its own.
    guard let this else { return nil }
    let (number, eventLoop) = (requests, context.eventLoop)
    return { answer in
      eventLoop.execute {
        let (handler, context) = this.value
        guard case .performing(let head, number) = handler.state else { return }
        handler.answer(answer(handler.gateway), to: head, mayKeepAlive: true, context)
      }
    }
  }

  // MARK: Response

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
      reservedForAnswer = bytes
    } else if !long.response.mayBeRefused {
      // Something was changed, and its client must hear it.
      gateway.answers.account.charge(bytes)
      reservedForAnswer = bytes
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
    if reservedForAnswer > 0 { gateway.answers.account.release(reservedForAnswer) }
    reservedForAnswer = 0
  }

  private func send(_ long: consuming LongAnswer, _ context: ChannelHandlerContext) {
    let (response, request, mayKeepAlive, first) = (long.response, long.request, long.mayKeepAlive, long.first)
    let body = response.body
    // HTTP/1.0 knows no chunks: there, the end of the connection is the end of the answer.
    let isChunkable = request.version == .http1_1
    let keepAlive = mayKeepAlive && request.isKeepAlive && (body.isFinished || isChunkable)
    var headers = response.headers
    if body.isFinished { headers.add(name: "Content-Length", value: String(first.count)) }
    if !keepAlive {
      headers.add(name: "Connection", value: "close")
    } else if request.version == .http1_0 {
      headers.add(name: "Connection", value: "keep-alive")
    }
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

  /// Sends the next part in another turn of the event loop: a long answer must not keep the other connections waiting. A client that takes
  /// parts as fast as they come makes the channel writable again while one is flushed.
  private func continueSending(_ context: ChannelHandlerContext) {
    guard context.channel.isWritable, !hasTurn, let this else { return }
    hasTurn = true
    gateway.answers.turns(of: context.eventLoop).add { this.value.0.sendMore(this.value.1) }
  }

  private func sendMore(_ context: ChannelHandlerContext) {
    hasTurn = false
    guard context.channel.isWritable, case .answering(var body, let keepAlive) = state else { return }
    state = .closed  // So that `body` is not held twice, and copied.
    guard let chunk = body.next() else { return endAnswer(keepAlive: keepAlive, context) }
    state = .answering(body, keepAlive: keepAlive)
    expect(within: settings.stallTimeout)
    guard !chunk.isEmpty else { return continueSending(context) }
    context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: chunk)))), promise: nil)
    continueSending(context)
  }

  private func endAnswer(keepAlive mayKeepAlive: Bool, _ context: ChannelHandlerContext) {
    releaseMemory()
    let keepAlive = mayKeepAlive && !isInputClosed
    state = keepAlive ? .idle : .closed
    expect(within: keepAlive ? settings.idleTimeout : settings.stallTimeout)
    guard let this, !keepAlive else { return context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil) }
    context.writeAndFlush(wrapOutboundOut(.end(nil))).assumeIsolated().whenComplete { _ in this.value.1.close(promise: nil) }
  }

  /// The last answer may still be on its way.
  private func closeWhenAnswersAreSent(_ context: ChannelHandlerContext) {
    state = .closed
    expect(within: settings.stallTimeout)
    guard let this, let encoder = try? context.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self) else {
      return context.close(promise: nil)
    }
    encoder.writeAndFlush(NIOAny(IOData.byteBuffer(ByteBuffer()))).assumeIsolated().whenComplete { _ in this.value.1.close(promise: nil) }
  }

  // MARK: Conversation

  /// The conversation keeps its own time, and ends with the connection at the latest.
  private func converse(_ conversation: any Conversation, _ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    guard let this else { return }
    // Of a client that has sent all it will, nothing more will be heard, not even that it is gone.
    guard !isInputClosed || !conversation.isEndless else { return context.close(promise: nil) }
    state = .conversing(head, conversation, hasBegun: false)
    deadline = nil
    standing.keepLooking(gateway, on: context.eventLoop) { this.value.0.endConversation(.error($0), keepAlive: false, this.value.1) }
    conversation.begin(
      ConversationChannel(
        eventLoop: context.eventLoop, isWritable: { this.value.1.channel.isWritable }, send: { this.value.0.say($0, this.value.1) },
        finish: { this.value.0.finishConversation(this.value.1) }, answer: { this.value.0.endConversation($0, this.value.1) }))
  }

  /// In another turn of the loop: the channel becomes writable in the middle of a flush.
  private func goOnConversing(_ context: ChannelHandlerContext) {
    deadline = nil
    guard !hasTurn, let this else { return }
    hasTurn = true
    gateway.answers.turns(of: context.eventLoop).add {
      let handler = this.value.0
      handler.hasTurn = false
      if case .conversing(_, let conversation, _) = handler.state { conversation.goOn() }
    }
  }

  /// What has no end of its own is not waited for.
  func portCloses() {
    if case .conversing(_, let conversation, _) = state, conversation.isEndless { this?.value.1.close(promise: nil) }
  }

  private func say(_ line: [UInt8], _ context: ChannelHandlerContext) {
    beginLines(context)
    context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: line)))), promise: nil)
    // A client may be slow, but not for ever.
    if !context.channel.isWritable, deadline == nil { expect(within: settings.conversationStall) }
  }

  private func beginLines(_ context: ChannelHandlerContext) {
    guard case .conversing(let request, let conversation, hasBegun: false) = state else { return }
    state = .conversing(request, conversation, hasBegun: true)
    var headers = GatewayResponse(status: 200, content: .json, body: ResponseBody([])).headers
    if !isKept(request) { headers.add(name: "Connection", value: "close") }
    context.write(wrapOutboundOut(.head(HTTPResponseHead(version: request.version, status: .ok, headers: headers))), promise: nil)
  }

  /// HTTP/1.0 knows no chunks: there, the end of the connection is the end of the answer.
  private func isKept(_ request: HTTPRequestHead) -> Bool { request.isKeepAlive && request.version == .http1_1 }

  private func finishConversation(keepAlive mayKeepAlive: Bool = true, _ context: ChannelHandlerContext) {
    beginLines(context)
    guard case .conversing(let request, let conversation, _) = state else { return }
    standing.stopLooking()
    conversation.close()
    endAnswer(keepAlive: mayKeepAlive && isKept(request), context)
  }

  private func endConversation(_ response: GatewayResponse, keepAlive: Bool = true, _ context: ChannelHandlerContext) {
    guard case .conversing(let request, let conversation, let hasBegun) = state else { return }
    guard hasBegun else {
      standing.stopLooking()
      conversation.close()
      return answer(response, to: request, mayKeepAlive: keepAlive, context)
    }
    var response = response
    var line = Array("{\"error\":".utf8)
    while let part = response.body.next() { line += part }
    say(line + Array("}\n".utf8), context)
    finishConversation(keepAlive: keepAlive, context)
  }

  // MARK: Deadline

  /// Closes the connection unless something else is expected by then.
  private func expect(within time: Duration) {
    deadline = .now() + TimeAmount(time)
    watchDeadline()
  }

  /// So that a request costs no timer, one that is set for an earlier moment is left alone, and set for the deadline of then when it fires.
  private func watchDeadline() {
    guard let this, let deadline else { return }
    if let timer {
      guard deadline < timer.at else { return }
      timer.task.cancel()
    }
    timer = (this.eventLoop.scheduleTask(deadline: deadline) { this.value.0.timerFired(this.value.1) }, deadline)
  }

  private func timerFired(_ context: ChannelHandlerContext) {
    timer = nil
    guard let deadline else { return }
    if deadline <= .now() { context.close(promise: nil) } else { watchDeadline() }
  }
}
