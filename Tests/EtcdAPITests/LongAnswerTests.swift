import KeyValue
import NIOPosix
import RawClient
import Testing

@testable import EtcdAPI

/// Answers that are too long to be made at once.
@Suite struct LongAnswerTests {
  private let service = ModelService()

  /// 400 pairs of 32 KiB: 13 MB, 17 MB in base64.
  private func fill() {
    for number in 0..<400 {
      let request = Request.put(PutRequest(key: Array(String(1000 + number).utf8), value: [UInt8](repeating: 7, count: 32 << 10)))
      service.perform(request, consistency: .linearizable, timeout: .seconds(1)) { _ in }
    }
  }

  private let everything = #"{"key":"AA==","range_end":"AA=="}"#

  @Test func partsMakeTheWhole() throws {
    fill()
    let gateway = Gateway(service: service, settings: GatewaySettings())
    var body = try #require(gateway.answer("/v3/kv/range", everything)).body
    var (text, longest): ([UInt8], Int) = ([], 0)
    while let chunk = body.next() {
      longest = max(longest, chunk.count)
      text += chunk
    }
    #expect(longest < 256 << 10)
    var settings = GatewaySettings()
    settings.chunkBytes = .max
    #expect(text == Array(try #require(Gateway(service: service, settings: settings).answer("/v3/kv/range", everything)).text.utf8))
  }

  @Test func aClientThatDoesNotReadIsLetGo() async throws {
    fill()
    var settings = GatewaySettings()
    settings.stallTimeout = .milliseconds(300)
    settings.shutdownTimeout = .seconds(60)
    let server = try await GatewayServer.start(host: "127.0.0.1", port: 0, service: service, settings: settings)
    let client = try await RawClient(port: server.address.port ?? 0)
    try await client.setReading(false)
    let before = service.timeouts.count
    try await client.post("/v3/kv/range", everything)
    try await client.wait { _ in service.timeouts.count > before }
    // The port waits for answers under way: were this one waited for, it would take the whole minute.
    let elapsed = await ContinuousClock().measure { await server.stop() }
    #expect(elapsed < .seconds(30))
    #expect(client.receivedCount < 16_000_000)
    await client.close()
  }

  @Test func aClientThatReadsGetsAll() async throws {
    fill()
    let server = try await GatewayServer.start(host: "127.0.0.1", port: 0, service: service)
    let client = try await RawClient(port: server.address.port ?? 0)
    try await client.send("POST /v3/kv/range HTTP/1.0\r\nContent-Length: \(everything.utf8.count)\r\n\r\n\(everything)")
    let text = try await client.wait { !$0.isOpen }
    #expect(text.hasSuffix(#"],"count":"400"}"#))
    #expect(text.components(of: #"{"key":"#) == 400)
    await server.stop()
  }

  /// All connections are of one event loop, and the client of the long answer takes it as fast as it comes.
  @Test func othersAreServedBetweenTwoParts() async throws {
    fill()
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let server = try await GatewayServer.start(host: "127.0.0.1", port: 0, service: service, group: group)
    let port = server.address.port ?? 0
    let (reader, other) = (try await RawClient(port: port), try await RawClient(port: port))
    try await reader.send("POST /v3/kv/range HTTP/1.0\r\nContent-Length: \(everything.utf8.count)\r\n\r\n\(everything)")
    try await reader.wait { $0.receivedCount > 0 }
    for number in 1...3 {
      try await other.send("GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
      try await other.wait(answers: number)
    }
    #expect(reader.receivedCount < 16_000_000)
    try await reader.wait { !$0.isOpen }
    #expect(reader.receivedCount > 16_000_000)
    await other.close()
    await server.stop()
    try await group.shutdownGracefully()
  }
}
