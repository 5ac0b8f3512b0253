import Hummingbird
import Links
import Testing

@Suite struct RedirectTests {
  @Test func redirectsWithoutBeingRemembered() async throws {
    try await Harness().run { client in
      _ = try await client.create("docs", "https://one.example/#part")
      let response = try await client.get("/docs")
      #expect(response.status == .found)
      #expect(response.headers[.location] == "https://one.example/#part")
      #expect(response.headers[.cacheControl] == "no-store")
      #expect(try await client.get("/docs/?utm=1").status == .found)
      let missing = try await client.get("/DOCS")
      #expect(missing.status == .notFound)
      #expect(missing.headers[.cacheControl] == "no-store")
    }
  }

  @Test func countsVisits() async throws {
    try await Harness().run { client in
      _ = try await client.create("docs", "https://one.example/")
      for _ in 0..<5 { _ = try await client.get("/docs") }
      _ = try await client.send(.head, "/docs")
      #expect(try await client.visits(of: "docs", reach: 5))
      _ = try await client.send(.delete, "/_links/docs")
      _ = try await client.create("docs", "https://one.example/")
      #expect(try await client.get("/_links/docs").json["visits"] as? Int == 0)
    }
  }

  @Test func flushesVisitsAtAGracefulStop() async throws {
    let harness = Harness()
    try await harness.run { client in
      _ = try await client.create("docs", "https://one.example/")
      harness.store.set(.silent(done: false))
      for _ in 0..<3 { _ = try await client.get("/docs") }
      try await Task.sleep(for: .milliseconds(20))
      harness.store.set(.sound)
    }
    try await harness.run { client in
      #expect(try await client.get("/_links/docs").json["visits"] as? Int == 3)
      _ = try await client.get("/docs")
      #expect(try await client.visits(of: "docs", reach: 4), "the owner goes on where it was")
    }
  }

  @Test func goesOnWithoutAQuorumAndCountsLater() async throws {
    let harness = Harness()
    try await harness.run { client in
      _ = try await client.create("docs", "https://one.example/")
      harness.store.set(.noQuorum)
      #expect(try await client.get("/docs").status == .found)
      #expect(try await client.get("/_links").json["stale"] as? Bool == true)
      let unknown = try await client.get("/none")
      #expect(unknown.status == .serviceUnavailable, "this node alone cannot say that a link does not exist")
      #expect(unknown.headers[.retryAfter] == "1")
      let create = try await client.create("new", "https://two.example/")
      #expect(create.status == .serviceUnavailable)
      #expect(create.errorCode == "unavailable")
      #expect(create.headers[.retryAfter] == "1")
      harness.store.set(.sound)
      #expect(try await client.visits(of: "docs", reach: 1))
    }
  }

  @Test func asksBeforeItSaysThatThereIsNoLink() async throws {
    let harness = Harness()
    try await harness.run { client in
      harness.store.set(.silent(done: true))
      _ = try await client.create("new", "https://one.example/")
      harness.store.set(.lagging)
      #expect(try await client.get("/new").headers[.location] == "https://one.example/", "made, and this node has not heard of it")
      #expect(try await client.get("/none").status == .notFound)
    }
  }

  @Test func saysBusy() async throws {
    let harness = Harness()
    try await harness.run { client in
      harness.store.set(.busy)
      let response = try await client.create("new", "https://two.example/")
      #expect(response.status == .serviceUnavailable)
      #expect(response.errorCode == "busy")
      #expect(response.headers[.retryAfter] != nil)
    }
  }

  @Test(arguments: [false, true]) func saysWhenTheOutcomeIsUnknown(done: Bool) async throws {
    let harness = Harness()
    try await harness.run { client in
      harness.store.set(.silent(done: done))
      let response = try await client.create("new", "https://two.example/")
      #expect(response.status == .gatewayTimeout)
      #expect(response.errorCode == "outcome-unknown")
      #expect((try response.json["error"] as? [String: Any])?["slug"] as? String == "new")
      harness.store.set(.sound)
      let again = try await client.create("new", "https://two.example/")
      #expect(again.status == (done ? .ok : .created))
    }
  }

  @Test func countsAFlushOfUnknownOutcomeOnce() async throws {
    let harness = Harness()
    try await harness.run { client in
      _ = try await client.create("docs", "https://one.example/")
      for done in [true, false, true] {
        harness.store.set(.silent(done: done))
        _ = try await client.get("/docs")
        try await Task.sleep(for: .milliseconds(15))
        harness.store.set(.sound)
      }
      _ = try await client.get("/docs")
      #expect(try await client.visits(of: "docs", reach: 4))
      try await Task.sleep(for: .milliseconds(30))
      #expect(try await client.get("/_links/docs").json["visits"] as? Int == 4)
    }
  }
}
