import Hummingbird
import Links
import Synchronization
import Testing

@Suite struct LinkRoutesTests {
  @Test func createsUnderAChosenName() async throws {
    try await Harness().run { client in
      let response = try await client.create("docs", "https://one.example/?a=1")
      #expect(response.status == .created)
      #expect(response.headers[.location] == "/_links/docs")
      let json = try response.json
      #expect(json["slug"] as? String == "docs")
      #expect(json["path"] as? String == "/docs")
      #expect(json["target"] as? String == "https://one.example/?a=1")
      #expect(json["created"] as? Int == 1_700_000_000)
      let again = try await client.create("docs", "https://one.example/?a=1")
      #expect(again.status == .ok, "repeating a create is safe")
      let other = try await client.create("docs", "https://two.example/")
      #expect(other.status == .conflict)
      #expect(other.errorCode == "slug-taken")
      #expect(try await client.get("/docs").headers[.location] == "https://one.example/?a=1")
    }
  }

  @Test func createsUnderARandomName() async throws {
    try await Harness().run { client in
      let slugs = try await [client.create(nil, "https://one.example/"), client.create("", "https://one.example/")]
      for response in slugs {
        #expect(response.status == .created)
        let slug = try #require(response.json["slug"] as? String)
        #expect(slug.utf8.count == Slug.randomLength)
        #expect(try await client.get("/\(slug)").status == .found)
      }
    }
  }

  @Test func triesAnotherRandomNameAndGivesUpInTheEnd() async throws {
    let calls = Mutex(0)
    var harness = Harness()
    harness.random = {
      calls.withLock { calls in
        calls += 1
        return calls < 10 ? 1 : 2
      }
    }
    // The process number takes the first integer, the first link the second one; the third create finds it taken until the tenth.
    try await harness.run { client in
      #expect(try await client.create(nil, "https://one.example/").status == .created)
      #expect(try await client.create(nil, "https://two.example/").json["slug"] as? String == Slug(random: 2).text)
      let full = try await client.create(nil, "https://three.example/")
      #expect(full.status == .serviceUnavailable)
      #expect(full.errorCode == "no-free-slug")
    }
  }

  @Test(arguments: [
    (#"{"target":"javascript:alert(1)"}"#, HTTPResponse.Status.unprocessableContent, "bad-target"),
    (#"{"target":"https://a.example/","slug":"_x"}"#, .unprocessableContent, "bad-slug"),
    (#"{"target":"https://a.example/","slug":"a/b"}"#, .unprocessableContent, "bad-slug"),
    (#"{"target":"https://a.example/\r\nSet-Cookie: x"}"#, .unprocessableContent, "bad-target"),
    (#"{"slug":"a"}"#, .badRequest, "bad-request"), (#"{"target":7}"#, .badRequest, "bad-request"), ("{", .badRequest, "bad-request"),
    ("[]", .badRequest, "bad-request"), ("", .badRequest, "bad-request"),
  ])
  func refusesBadBodies(_ body: String, _ status: HTTPResponse.Status, _ code: String) async throws {
    try await Harness().run { client in
      let response = try await client.send(.post, "/_links", [.contentType: "application/json"], body)
      #expect(response.status == status)
      #expect(response.errorCode == code)
    }
  }

  @Test func boundsBodiesAndWantsAContentType() async throws {
    try await Harness().run { client in
      let large = String(repeating: "x", count: 20_000)
      let response = try await client.create("a", "https://a.example/\(large)")
      #expect(response.status == .contentTooLarge)
      #expect(response.errorCode == "too-large")
      #expect(try await client.send(.post, "/_links", [:], "{}").status == .unsupportedMediaType)
      #expect(try await client.send(.post, "/_links", [.contentType: "text/plain"], "{}").status == .unsupportedMediaType)
    }
  }

  @Test func editsAndDeletesWhatIsMeant() async throws {
    try await Harness().run { client in
      let tag = try #require(try await client.create("docs", "https://one.example/").headers[.eTag])
      let json: HTTPFields = [.contentType: "application/json"]
      let missing = try await client.send(.put, "/_links/none", json, #"{"target":"https://two.example/"}"#)
      #expect(missing.status == .notFound)
      let edited = try await client.send(.put, "/_links/docs", json, #"{"target":"https://two.example/"}"#)
      #expect(edited.status == .ok)
      #expect(try edited.json["created"] as? Int == 1_700_000_000)
      #expect(try await client.get("/docs").headers[.location] == "https://two.example/")
      let old: HTTPFields = [.contentType: "application/json", .ifMatch: tag]
      #expect(try await client.send(.put, "/_links/docs", old, #"{"target":"https://one.example/"}"#).status == .preconditionFailed)
      #expect(try await client.send(.delete, "/_links/docs", [.ifMatch: tag]).status == .preconditionFailed)
      #expect(try await client.send(.delete, "/_links/docs", [.ifMatch: "7"]).status == .badRequest)
      let current = try #require(try await client.get("/_links/docs").headers[.eTag])
      #expect(try await client.send(.delete, "/_links/docs", [.ifMatch: current]).status == .noContent)
      #expect(try await client.send(.delete, "/_links/docs").status == .notFound)
      #expect(try await client.get("/docs").status == .notFound)
    }
  }

  @Test func listsPageByPage() async throws {
    try await Harness().run { client in
      for slug in ["c", "a", "b"] { _ = try await client.create(slug, "https://one.example/") }
      let first = try await client.get("/_links?limit=2").json
      #expect((first["links"] as? [[String: Any]])?.map { $0["slug"] as? String } == ["a", "b"])
      #expect(first["next"] as? String == "b")
      #expect(first["stale"] as? Bool == false)
      let second = try await client.get("/_links?limit=2&after=b").json
      #expect((second["links"] as? [[String: Any]])?.map { $0["slug"] as? String } == ["c"])
      #expect(second["next"] == nil)
      for query in ["limit=0", "limit=501", "limit=x", "after=_", "limit="] {
        #expect(try await client.get("/_links?\(query)").status == .badRequest)
      }
    }
  }

  @Test func refusesOtherMethodsAndPaths() async throws {
    try await Harness().run { client in
      for (path, allowed) in [
        ("/", "GET, HEAD"), ("/_links", "GET, HEAD, POST"), ("/_links/a", "GET, HEAD, PUT, DELETE"), ("/a", "GET, HEAD"),
        ("/_links.csv", "GET, HEAD, POST"), ("/_health", "GET, HEAD"),
      ] {
        let response = try await client.send(.patch, path)
        #expect(response.status == .methodNotAllowed)
        #expect(response.headers[.allow] == allowed)
      }
      for path in ["/_unknown", "/a/b", "/%00", "/a%2Fb", "/..", "/_links/_x", "/%ff", "/" + String(repeating: "a", count: 65)] {
        #expect(try await client.get(path).status == .notFound, "\(path)")
      }
    }
  }

  @Test func answersHeadAsGetWithoutABody() async throws {
    // Over a connection: a body after a HEAD would be read as the next answer.
    try await Harness().run(.live) { client in
      _ = try await client.create("docs", "https://one.example/")
      for (path, status) in [("/docs", HTTPResponse.Status.found), ("/none", .notFound), ("/", .ok), ("/_links.csv", .ok)] {
        let head = try await client.send(.head, path)
        #expect(head.status == status)
        #expect(head.body.readableBytes == 0)
        #expect(try await client.get(path).status == status)
      }
    }
  }

  @Test func saysThatItIsAlive() async throws {
    let harness = Harness()
    harness.store.set(.noQuorum)
    try await harness.run { client in
      let response = try await client.get("/_health")
      #expect(response.status == .ok)
      #expect(try response.json["status"] as? String == "ok")
    }
  }
}
