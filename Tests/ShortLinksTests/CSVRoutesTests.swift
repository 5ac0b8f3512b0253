import Hummingbird
import Links
import Testing

@Suite struct CSVRoutesTests {
  private func importing(_ text: String, _ client: Client) async throws -> (status: HTTPResponse.Status, json: [String: Any]) {
    let response = try await client.send(.post, "/_links.csv", [.contentType: "text/csv"], text)
    return (response.status, try response.json)
  }

  @Test func exportsWhatItImported() async throws {
    let rows = (1000..<2200).map { "s\($0),https://one.example/?a=\($0)#x,\($0),\($0)\r\n" }.joined()
    let file = LinkCSVWriter.header + rows + "t,\"https://one.example/?a=1,2\",0,5\r\n"
    try await Harness().run { client in
      let (status, json) = try await importing(file, client)
      #expect(status == .ok)
      #expect(json["created"] as? Int == 1201)
      let export = try await client.get("/_links.csv")
      #expect(export.headers[.contentType]?.hasPrefix("text/csv") == true)
      #expect(export.text == file)
      let again = try await importing(file, client).json
      #expect(again["created"] as? Int == 0)
      #expect(again["same"] as? Int == 1201)
    }
  }

  @Test func tellsWhichRowsWereRefused() async throws {
    try await Harness().run { client in
      _ = try await client.create("taken", "https://one.example/")
      let file = "slug,target\na,https://a.example/\n_b,https://b.example/\ntaken,https://c.example/\n\"d\"x,y\na,https://e.example/\n"
      let (status, json) = try await importing(file, client)
      #expect(status == .ok)
      #expect(json["created"] as? Int == 1)
      #expect(json["refused"] as? Int == 4)
      let refusals = try #require(json["refusals"] as? [[String: Any]])
      #expect(refusals.map { $0["line"] as? Int } == [3, 4, 5, 6])
      #expect(refusals.map { $0["code"] as? String } == ["bad-slug", "slug-taken", "bad-row", "slug-taken"])
      #expect(try await client.get("/a").headers[.location] == "https://a.example/", "the first of two rows holds")
    }
  }

  @Test func stopsWhenTheStoreDoes() async throws {
    let harness = Harness()
    harness.store.set(.noQuorum)
    try await harness.run { client in
      let (status, json) = try await importing("slug,target\na,https://a.example/\n", client)
      #expect(status == .serviceUnavailable)
      #expect((json["stopped"] as? [String: Any])?["code"] as? String == "unavailable")
      #expect(try await client.get("/_links.csv").status == .ok, "an export goes on without a quorum")
    }
  }

  @Test func boundsAnImport() async throws {
    var harness = Harness()
    harness.maximumImportBytes = 100
    try await harness.run { client in
      let file = "slug,target\n" + String(repeating: "a,https://a.example/\n", count: 10)
      let (status, json) = try await importing(file, client)
      #expect(status == .contentTooLarge)
      #expect((json["stopped"] as? [String: Any])?["code"] as? String == "too-large")
      let form = try await client.send(.post, "/_links.csv", [.contentType: "application/x-www-form-urlencoded"], "slug,target\n")
      #expect(form.status == .unsupportedMediaType, "a form of another site must not import anything")
    }
  }

  @Test func refusesAFileWithAnotherHeader() async throws {
    try await Harness().run { client in
      let files = [
        "", "a,https://a.example/\n", "name,target\na,https://a.example/\n", "slug,target\ra,https://a.example/\r", "\"slug,target\na,b\n",
        "s\0l\0u\0g\0,\0t\0a\0r\0g\0e\0t\0\n\0a\0,\0", "\u{1f}\u{8b}\n",
      ]
      for file in files {
        let (status, json) = try await importing(file, client)
        #expect(status == .badRequest)
        #expect((json["stopped"] as? [String: Any])?["code"] as? String == "bad-row")
        #expect(try await client.get("/a").status == .notFound)
      }
    }
  }
}
