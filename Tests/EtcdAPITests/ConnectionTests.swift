import Budget
import KeyValue
import NIOCore
import RawClient
import Testing

@testable import EtcdAPI

/// The port as clients meet it: over sockets.
@Suite struct ConnectionTests {
  private let service = ModelService()

  private func withPort(
    _ change: (inout GatewaySettings) -> Void = { _ in }, bodies: MemoryBudget.Account = MemoryBudget(bytes: 64 << 20).account("bodies"),
    _ body: (Int) async throws -> Void
  ) async throws {
    var settings = GatewaySettings()
    settings.shutdownTimeout = .milliseconds(500)
    change(&settings)
    let server = try await GatewayServer.start(host: "127.0.0.1", port: 0, service: service, settings: settings, bodies: bodies)
    let outcome: Result<Void, any Error>
    do { outcome = .success(try await body(server.address.port ?? 0)) } catch { outcome = .failure(error) }
    await server.stop()
    try outcome.get()
  }

  @Test func keepsTheConnection() async throws {
    try await withPort { port in
      let client = try await RawClient(port: port)
      try await client.post("/v3/kv/put", #"{"key":"YQ==","value":"Yg=="}"#)
      try await client.wait(answers: 1)
      try await client.post("/v3/kv/range", #"{"key":"YQ=="}"#)
      let text = try await client.wait(answers: 2)
      #expect(text.contains("Content-Type: application/json\r\n"))
      #expect(text.contains(#""kvs":[{"key":"YQ==""#))
      #expect(client.isOpen)
      await client.close()
    }
  }

  @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
    try await withPort { port in
      let client = try await RawClient(port: port)
      var text = ""
      for number in 0..<100 {
        let body = #"{"key":"YQ==","value":"","prev_kv":false,"n":\#(number)}"#
        text += "POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
      }
      try await client.send(text)
      let answers = try await client.wait(answers: 100)
      let revisions = answers.matches(of: /"revision":"(\d+)"/).compactMap { Int($0.1) }
      #expect(revisions == Array(2...101))
      await client.close()
    }
  }

  @Test func aRequestWaitsForTheOneBeforeIt() async throws {
    service.behave { $0.holds = true }
    try await withPort { port in
      let client = try await RawClient(port: port)
      try await client.post("/v3/kv/put", #"{"key":"YQ=="}"#)
      try await client.send("GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
      try await client.wait { _ in service.heldCount == 1 }
      try await Task.sleep(for: .milliseconds(50))
      #expect(client.receivedCount == 0)
      service.release()
      let text = try await client.wait(answers: 2)
      let put = try #require(text.firstRange(of: "revision"))
      let version = try #require(text.firstRange(of: "etcdserver"))
      #expect(put.lowerBound < version.lowerBound)
      await client.close()
    }
  }

  @Test func healthDoesNotQueueBehindWork() async throws {
    service.behave { $0.holds = true }
    try await withPort { port in
      let busy = try await RawClient(port: port)
      try await busy.post("/v3/kv/put", #"{"key":"YQ=="}"#)
      try await busy.wait { _ in service.heldCount == 1 }
      let client = try await RawClient(port: port)
      try await client.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(try await client.wait(answers: 1).hasPrefix("HTTP/1.1 200 OK"))
      service.release()
      await busy.close()
      await client.close()
    }
  }

  @Test func headHasNoBody() async throws {
    try await withPort { port in
      let client = try await RawClient(port: port)
      try await client.send("HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n")
      let text = try await client.wait { $0.received.hasSuffix("\r\n\r\n") }
      #expect(text.contains("Content-Length: 29\r\n"))
      await client.close()
    }
  }

  @Test func whoEndsTheSendingHalfGetsAnswers() async throws {
    service.behave { $0.holds = true }
    try await withPort { port in
      let client = try await RawClient(port: port)
      let put = "POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n{\"key\":\"YQ==\"}"
      try await client.send(put + put + "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
      try await client.endSending()
      for _ in 0..<2 {
        try await client.wait { _ in service.heldCount == 1 }
        try await Task.sleep(for: .milliseconds(20))
        service.release()
      }
      // Closed when all is answered, not when the connection has idled for long enough.
      let elapsed = try await ContinuousClock().measure { try await client.wait { !$0.isOpen } }
      #expect(client.received.components(of: "HTTP/1.1 200 OK") == 3)
      #expect(elapsed < .seconds(5))

      // A request that is not whole never will be.
      let half = try await RawClient(port: port)
      try await half.send("POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n{\"key\"")
      try await half.endSending()
      #expect(!(try await half.wait { !$0.isOpen }.contains("200 OK")))
      let silent = try await RawClient(port: port)
      try await silent.endSending()
      #expect(try await silent.wait { !$0.isOpen } == "")
    }
  }

  @Test func olderHTTPIsSpoken() async throws {
    try await withPort { port in
      let client = try await RawClient(port: port)
      try await client.send("GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
      let first = try await client.wait { $0.received.hasSuffix("}") }
      #expect(first.hasPrefix("HTTP/1.0 200 OK\r\n") && first.contains("Connection: keep-alive\r\n"))
      try await client.send("GET /health HTTP/1.0\r\n\r\n")
      let both = try await client.wait { !$0.isOpen }
      #expect(both.components(of: "HTTP/1.0 200 OK\r\n") == 2 && both.contains("Connection: close\r\n"))
      let expecting = try await RawClient(port: port)
      try await expecting.send("POST /v3/kv/put HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 14\r\n\r\n{\"key\":\"YQ==\"}")
      #expect(try await expecting.wait { !$0.isOpen }.hasPrefix("HTTP/1.0 200 OK\r\n"))
    }
  }

  @Test func targetsMayBeAbsolute() async throws {
    try await withPort { port in
      let client = try await RawClient(port: port)
      let body = #"{"key":"YQ==","value":"Yg=="}"#
      try await client.send("POST http://127.0.0.1:1/v3/kv/put HTTP/1.1\r\nHost: b\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
      #expect(try await client.wait(answers: 1).hasPrefix("HTTP/1.1 200 OK"))
      await client.close()
    }
  }

  @Test(
    "The field Host is there once, and is one",
    arguments: ["", "Host: a\r\nHost: a\r\n", "Host: a b\r\n", "Host: http://a/\r\n", "Host: user@a\r\n"])
  func host(fields: String) async throws {
    try await withPort { port in
      let client = try await RawClient(port: port)
      try await client.send("GET /health HTTP/1.1\r\n\(fields)\r\n")
      #expect(try await client.wait { !$0.isOpen }.hasPrefix("HTTP/1.1 400 "))
    }
  }

  @Test(
    "What a page makes a browser send is refused",
    arguments: [
      (403, "Origin: http://evil.example\r\n"), (403, "Origin: null\r\n"), (403, "Sec-Fetch-Site: cross-site\r\n"),
      (403, "Sec-Fetch-Site: same-site\r\nOrigin: http://x\r\n"), (403, "Origin: http://x\r\n"), (403, "Sec-Fetch-Site: same-origin\r\n"),
      (415, "Content-Type: text/plain\r\n"), (415, "Content-Type: Text/Plain;charset=UTF-8\r\n"),
      (200, "Content-Type: application/x-www-form-urlencoded\r\n"), (200, "Sec-Fetch-Site: none\r\n"), (200, ""),
    ])
  func pages(status: Int, fields: String) async throws {
    try await withPort { port in
      let client = try await RawClient(port: port)
      try await client.post("/v3/kv/put", #"{"key":"YQ=="}"#, headers: fields)
      #expect(try await client.wait(answers: 1).hasPrefix("HTTP/1.1 \(status) "))
      #expect(service.timeouts.count == (status == 200 ? 1 : 0))
      await client.close()
    }
  }

  @Test func bodiesAreBounded() async throws {
    try await withPort({ $0.maximumBodyBytes = 1000 }) { port in
      let declared = try await RawClient(port: port)
      try await declared.post("/v3/kv/put", String(repeating: " ", count: 1001))
      let text = try await declared.wait { !$0.isOpen }
      #expect(text.hasPrefix("HTTP/1.1 413 "))
      #expect(text.contains("etcdserver: request is too large"))

      let chunked = try await RawClient(port: port)
      try await chunked.send("POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
      for _ in 0..<11 { try await chunked.send("64\r\n\(String(repeating: " ", count: 100))\r\n") }
      try await chunked.send("0\r\n\r\n")
      #expect(try await chunked.wait { !$0.isOpen }.hasPrefix("HTTP/1.1 413 "))

      let asking = try await RawClient(port: port)
      try await asking.send("POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n")
      #expect(try await asking.wait { !$0.isOpen }.hasPrefix("HTTP/1.1 413 "))

      let fitting = try await RawClient(port: port)
      try await fitting.send("POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 14\r\n\r\n")
      try await fitting.wait { $0.received.hasPrefix("HTTP/1.1 100 Continue\r\n") }
      try await fitting.send(#"{"key":"YQ=="}"#)
      #expect(try await fitting.wait(answers: 2).contains("HTTP/1.1 200 OK"))
      await fitting.close()
    }
  }

  @Test("What is no HTTP is refused", arguments: ["\u{0}\u{1}\u{2}\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"])
  func noHTTP(text: String) async throws {
    try await withPort { port in
      let client = try await RawClient(port: port)
      try await client.send(text)
      try await client.wait { !$0.isOpen }
      #expect(client.received.isEmpty || client.received.hasPrefix("HTTP/1.1 400 "))
    }
  }

  @Test func headersAreBounded() async throws {
    try await withPort { port in
      let client = try await RawClient(port: port)
      try? await client.send("GET /health HTTP/1.1\r\nX: \(String(repeating: "a", count: 100_000))\r\n\r\n")
      try await client.wait { !$0.isOpen }
      #expect(!client.received.contains("200 OK"))
    }
  }

  @Test(
    "Who says nothing, or not enough, is let go",
    arguments: ["", "POST /v3/kv/put HT", "POST /v3/kv/put HTTP/1.1\r\nContent-Length: 5\r\n\r\n{"])
  func slowSenders(text: String) async throws {
    try await withPort({
      $0.idleTimeout = .milliseconds(200)
      $0.headTimeout = .milliseconds(200)
      $0.bodyTimeout = .milliseconds(200)
    }) { port in
      let client = try await RawClient(port: port)
      // On a busy machine it may have been let go before it said anything.
      if !text.isEmpty { try? await client.send(text) }
      try await client.wait { !$0.isOpen }
    }
  }

  @Test(
    "Who only trickles is let go when its time is over",
    arguments: [("GET /health HTTP/1.1\r\nX: ", "y"), ("POST /v3/kv/put HTTP/1.1\r\nContent-Length: 1000\r\n\r\n", " ")])
  func trickles(start: String, drop: String) async throws {
    try await withPort({
      $0.headTimeout = .milliseconds(300)
      $0.bodyTimeout = .milliseconds(300)
    }) { port in
      let client = try await RawClient(port: port)
      try await client.send(start)
      for _ in 0..<200 where client.isOpen {
        try? await client.send(drop)
        try await Task.sleep(for: .milliseconds(20))
      }
      #expect(!client.isOpen)
      #expect(!client.received.contains(" 200 "))
    }
  }

  @Test func aBodyThatStopsComingIsLetGoBeforeItsTimeIsOver() async throws {
    try await withPort({ $0.bodyStallTimeout = .milliseconds(200) }) { port in
      let client = try await RawClient(port: port)
      try await client.send("POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
      let elapsed = try await ContinuousClock().measure { try await client.wait { !$0.isOpen } }
      #expect(elapsed < .seconds(5))
    }
  }

  @Test func bodiesAreBoundedInSum() async throws {
    let bodies = MemoryBudget(bytes: 120_000).account("bodies")
    try await withPort({ $0.smallBodyBytes = 1000 }, bodies: bodies) { port in
      var clients: [RawClient] = []
      for _ in 0..<3 {
        let client = try await RawClient(port: port)
        try await client.send(
          "POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nContent-Length: 40001\r\n\r\n" + String(repeating: " ", count: 40_000))
        clients.append(client)
        let count = min(clients.count, 2) * 40_000
        try await client.wait { _ in bodies.reserved >= count || bodies.reserved == 80_000 }
      }
      #expect(bodies.reserved <= 90_000, "large ones leave a quarter")
      // The one that does not fit hears so when it has said all, and nothing was done.
      try await clients[2].send(" ")
      let text = try await clients[2].wait { !$0.isOpen }
      #expect(text.hasPrefix("HTTP/1.1 503 ") && text.contains("too many requests") && text.contains("not done"))
      // Small ones go on; one that is given up gives back what it had.
      let small = try await RawClient(port: port)
      try await small.post("/v3/kv/put", #"{"key":"YQ=="}"# + String(repeating: " ", count: 900))
      #expect(try await small.wait(answers: 1).contains("200 OK"))
      for client in clients[..<2] + [small] { await client.close() }
      for _ in 0..<500 where bodies.reserved > 0 { try await Task.sleep(for: .milliseconds(10)) }
      #expect(bodies.reserved == 0)
    }
  }

  @Test func connectionsEndWithThePort() async throws {
    service.behave { $0.holds = true }
    var settings = GatewaySettings()
    settings.shutdownTimeout = .milliseconds(200)
    let server = try await GatewayServer.start(host: "127.0.0.1", port: 0, service: service, settings: settings)
    let busy = try await RawClient(port: server.address.port ?? 0)
    try await busy.post("/v3/kv/put", #"{"key":"YQ=="}"#)
    try await busy.wait { _ in service.heldCount == 1 }
    let unfinished = try await RawClient(port: server.address.port ?? 0)
    try await unfinished.send("POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    await server.stop()
    for client in [busy, unfinished] { try await client.wait { !$0.isOpen } }
    #expect(busy.received.isEmpty, "what was not done is not acknowledged")
    service.release()
  }

  @Test func connectionsAreCounted() async throws {
    try await withPort({ $0.maximumConnections = 1 }) { port in
      let first = try await RawClient(port: port)
      try await first.send("GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
      try await first.wait(answers: 1)
      let second = try await RawClient(port: port)
      let text = try await second.wait { !$0.isOpen }
      #expect(text.hasPrefix("HTTP/1.1 503 ") && text.hasSuffix("too many connections\n"))
      await first.close()
      // The port finds out in its own time that there is room again.
      for _ in 0..<100 {
        guard let next = try? await RawClient(port: port) else { continue }
        try? await next.send("GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
        let answer = try? await next.wait { $0.received.contains("\r\n\r\n") || !$0.isOpen }
        await next.close()
        if let answer, answer.hasPrefix("HTTP/1.1 200 ") { return }
        try await Task.sleep(for: .milliseconds(20))
      }
      Issue.record("no connection was admitted after one was closed")
    }
  }

  @Test func staleAnswersHaveAHeaderField() async throws {
    service.behave { $0.staleness = .milliseconds(1500) }
    try await withPort { port in
      let client = try await RawClient(port: port)
      try await client.post("/v3/kv/range", #"{"key":"YQ==","serializable":true}"#)
      #expect(try await client.wait(answers: 1).contains("Coracle-Staleness-Milliseconds: 1500\r\n"))
      await client.close()
    }
  }
}
