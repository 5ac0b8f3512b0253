import NIOCore

/// An answer that takes as long as it takes: lines that are sent when something happens, or one answer after a long wait. It belongs to one
/// connection, and everything happens on that connection's event loop.
protocol Conversation: AnyObject, SendableMetatype {
  /// It ends when its client goes, and not before: so nobody waits for it who closes the port, and a client that sends no more is gone.
  var isEndless: Bool { get }
  /// Called once, before everything else.
  func begin(_ channel: ConversationChannel)
  /// The client has taken most of what was sent: there is room again.
  func goOn()
  /// The client is gone, or the conversation is over. Nothing is said after this.
  func close()
}

/// How a conversation speaks to its client. On the connection's event loop alone.
struct ConversationChannel {
  let eventLoop: any EventLoop
  /// Whether more may be sent now; if not, `goOn` is called when it may.
  let isWritable: () -> Bool
  /// Sends a line, at once and in one part: clients take each part for a message.
  let send: ([UInt8]) -> Void
  /// Ends the answer after the lines that were sent.
  let finish: () -> Void
  /// Answers, if nothing was sent yet; otherwise a line says so, and the answer ends.
  let answer: (GatewayResponse) -> Void
}

extension ConversationChannel {
  /// What the store calls, on any thread, with its answer: that is taken on the event loop.
  func later<Talk: Conversation, Answer: Sendable>(
    _ conversation: Talk, _ take: @escaping @Sendable (Talk, Answer) -> Void
  ) -> @Sendable (Answer) -> Void {
    let (bound, eventLoop) = (NIOLoopBound(conversation, eventLoop: eventLoop), eventLoop)
    return { answer in eventLoop.execute { take(bound.value, answer) } }
  }

  /// What a watch calls, on any thread, when there is something to read.
  func wake<Talk: Conversation>(_ conversation: Talk, _ work: @escaping @Sendable (Talk) -> Void) -> @Sendable () -> Void {
    let later = later(conversation) { (conversation, _: Void) in work(conversation) }
    return { later(()) }
  }

  /// A line with a result: `{"result": ...}`.
  func send(_ fields: (inout JSONWriter) -> Void) {
    var writer = JSONWriter()
    writer.object { $0.object("result", fields) }
    send(writer.bytes + [UInt8(ascii: "\n")])
  }
}
