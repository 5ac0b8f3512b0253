import Hummingbird
import HummingbirdTesting
import RawClient
import Testing

/// The service as clients meet it: over sockets.
@Suite struct ConnectionTests {
  private func withPort(_ test: @Sendable (Client, Int) async throws -> Void) async throws {
    try await Harness().run(.live) { client in
      _ = try await client.create("docs", "https://one.example/")
      try await test(client, try #require(client.http.port))
    }
  }

  private func exchange(_ text: String, port: Int) async throws -> String {
    let client = try await RawClient(port: port)
    try await client.send(text)
    return try await client.wait { !$0.isOpen }
  }

  @Test func olderHTTPIsSpoken() async throws {
    try await withPort { _, port in
      // Without the wish to keep the connection it ends after the answer, at once.
      let elapsed = try await ContinuousClock().measure {
        let answer = try await exchange("GET /docs HTTP/1.0\r\n\r\n", port: port)
        #expect(answer.hasPrefix("HTTP/1.0 302 Found\r\n") && answer.contains("Connection: close\r\n"))
      }
      #expect(elapsed < .seconds(5))
      let client = try await RawClient(port: port)
      try await client.send("GET /docs HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
      let first = try await client.wait { $0.received.hasSuffix("\r\n\r\n") }
      #expect(first.hasPrefix("HTTP/1.0 302 Found\r\n") && first.contains("Connection: keep-alive\r\n"))
      try await client.send("GET /docs HTTP/1.0\r\n\r\n")
      #expect(try await client.wait { !$0.isOpen }.components(of: "HTTP/1.0 302") == 2)
      // The length of an export is not known before its end: it ends with the connection, and has no chunks.
      let export = try await exchange("GET /_links.csv HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", port: port)
      #expect(
        export.contains("\r\ndocs,https://one.example/,") && export.hasSuffix(",1700000000\r\n") && export.contains("Connection: close\r\n")
      )
      #expect(!export.contains("chunked"))
    }
  }

  @Test func connectionsAreClosedWhenAsked() async throws {
    try await withPort { _, port in
      for word in ["close", "Close", "CLOSE"] {
        let answer = try await exchange("GET /docs HTTP/1.1\r\nHost: x\r\nConnection: \(word)\r\n\r\n", port: port)
        #expect(answer.hasPrefix("HTTP/1.1 302 Found\r\n") && answer.contains("Connection: close\r\n"))
      }
    }
  }

  @Test func whoEndsTheSendingHalfGetsAnswers() async throws {
    try await withPort { _, port in
      let client = try await RawClient(port: port)
      let body = #"{"target":"https://two.example/","slug":"two"}"#
      try await client.send(
        "POST /_links HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
          + "GET /two HTTP/1.1\r\nHost: x\r\n\r\n")
      try await client.endSending()
      let answers = try await client.wait { !$0.isOpen }
      #expect(answers.contains("HTTP/1.1 201 Created\r\n") && answers.contains("HTTP/1.1 302 Found\r\n"))
    }
  }

  @Test func targetsMayBeAbsolute() async throws {
    try await withPort { _, port in
      let page = try await exchange("GET http://short.example:81/?made=docs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", port: port)
      #expect(page.contains(">short.example:81/docs</a>"))
      #expect(try await exchange("GET http://y/docs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", port: port).contains(" 302 "))
    }
  }

  @Test(arguments: ["", "Host: a\r\nHost: b\r\n", "Host: a b\r\n"]) func hostIsThereOnceAndIsOne(fields: String) async throws {
    try await withPort { _, port in
      let answer = try await exchange("GET /docs HTTP/1.1\r\n\(fields)Connection: close\r\n\r\n", port: port)
      #expect(answer.hasPrefix("HTTP/1.1 400 "))
    }
  }

  @Test func pathsMeanWhatTheyDecodeTo() async throws {
    try await withPort { client, _ in
      for path in ["/%64ocs", "/do%63%73", "/%64%6F%63%73"] {
        let response = try await client.get(path)
        #expect(response.status == .found, "\(path)")
      }
      for path in ["/%2564ocs", "/docs%2F", "/%", "/docs%", "/%zz", "/%ff", "/%5Flinks", "/docs%00"] {
        #expect(try await client.get(path).status == .notFound, "\(path)")
      }
      #expect(try await client.get("/_links/%64ocs").status == .ok)
    }
  }
}
