import Hummingbird
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Testing

@testable import ShortLinks

/// In the time of the event loop, which the test moves.
@Suite struct ConnectionWatchTests {
  private let channel: EmbeddedChannel
  private let head = HTTPRequestPart.head(HTTPRequest(method: .post, scheme: nil, authority: nil, path: "/_links.csv"))
  private let part = HTTPRequestPart.body(ByteBuffer(string: "a"))

  init() throws {
    channel = EmbeddedChannel(handler: ConnectionWatch(ConnectionWatch.Times()))
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    channel.read()
  }

  private func pass(_ seconds: Int64) {
    for _ in 0..<seconds { channel.embeddedEventLoop.advanceTime(by: .seconds(1)) }
  }

  private func receive(_ parts: HTTPRequestPart...) throws {
    for part in parts { try channel.writeInbound(part) }
    channel.read()
  }

  @Test func whoSendsNoHeadIsLetGo() {
    pass(9)
    #expect(channel.isActive)
    pass(2)
    #expect(!channel.isActive)
  }

  @Test func aBodyMayTakeLongButNotStop() throws {
    try receive(head)
    for _ in 0..<10 {
      pass(25)
      try receive(part)
    }
    #expect(channel.isActive)
    pass(31)
    #expect(!channel.isActive)
  }

  @Test func whatTheServiceTakesItsTimeForIsNotHeldAgainstTheClient() throws {
    // It has read a part, and does not ask for the next.
    try channel.writeInbound(head)
    try channel.writeInbound(part)
    pass(300)
    #expect(channel.isActive)
    channel.read()
    pass(31)
    #expect(!channel.isActive)
  }

  @Test func anAnswerMayTakeLong() throws {
    try receive(head, .end(nil))
    pass(300)
    #expect(channel.isActive)
    try channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: .ok)))
    try channel.writeOutbound(HTTPResponsePart.end(nil))
    pass(9)
    #expect(channel.isActive)
    pass(2)
    #expect(!channel.isActive)
  }

  @Test func atAStopRequestsHaveALittleTime() throws {
    try receive(head)
    channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    pass(1)
    #expect(channel.isActive)
    pass(2)
    #expect(!channel.isActive)
  }
}
