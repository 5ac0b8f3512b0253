import Hummingbird
import Testing

extension HTTPFields {
  fileprivate static func + (left: HTTPFields, right: HTTPFields) -> HTTPFields { right.reduce(into: left) { $0.append($1) } }
}

@Suite struct PageTests {
  private static let browser: HTTPFields = [.accept: "text/html,*/*;q=0.8", .contentType: "application/x-www-form-urlencoded"]

  @Test func worksWithAFormAlone() async throws {
    try await Harness().run { client in
      let empty = try await client.get("/", Self.browser)
      #expect(empty.status == .ok)
      #expect(empty.text.contains("There are no links yet"))
      #expect(!empty.text.contains("<script"))
      #expect(empty.headers[.contentSecurityPolicy]?.hasPrefix("default-src 'none'") == true)
      let form = "target=https%3A%2F%2Fone.example%2F%3Fa%3D1%26b%3D2&slug=docs"
      let made = try await client.send(.post, "/_links", Self.browser, form)
      #expect(made.status == .seeOther)
      #expect(made.headers[.location] == "/?made=docs")
      let page = try await client.get("/?made=docs", Self.browser).text
      #expect(page.contains("<a href=\"/docs\">localhost/docs</a>"))
      #expect(page.contains("https://one.example/?a=1&amp;b=2"))
    }
  }

  /// The form of the start page works, one of another site does not; neither does anything else that such a page makes a browser send.
  @Test func pagesOfOtherSitesChangeNothing() async throws {
    try await Harness().run { client in
      let form = "target=https%3A%2F%2Fone.example%2F&slug="
      let own: HTTPFields = [.origin: "http://localhost"]
      let foreign: [HTTPFields] = [
        [.origin: "http://evil.example"], [.origin: "null"], [.init("Sec-Fetch-Site")!: "cross-site"],
        [.init("Sec-Fetch-Site")!: "same-site"],
      ]
      let kinds: [(HTTPRequest.Method, String, String, String)] = [
        (.post, "/_links", "application/x-www-form-urlencoded", form + "a"), (.post, "/_links", "application/json", "{}"),
        (.post, "/_links.csv", "text/csv", "slug,target\na,https://a.example/\n"), (.delete, "/_links/own", "text/plain", ""),
        (.put, "/_links/own", "application/json", #"{"target":"https://two.example/"}"#),
      ]
      #expect(try await client.send(.post, "/_links", Self.browser + own, form + "own").status == .seeOther)
      for fields in foreign {
        for (method, path, type, body) in kinds {
          let response = try await client.send(method, path, [.contentType: type] + fields, body)
          #expect(response.status == .forbidden && response.errorCode == "foreign-page")
        }
        #expect(try await client.send(.post, "/_links", Self.browser + fields, form + "a").text.contains("A page of another site"))
      }
      #expect(try await client.get("/a", foreign[0]).status == .notFound)
      #expect(try await client.get("/own", foreign[0]).headers[.location] == "https://one.example/")
    }
  }

  @Test func answersAFormWithoutABrowserInJSON() async throws {
    try await Harness().run { client in
      let form: HTTPFields = [.contentType: "application/x-www-form-urlencoded"]
      let made = try await client.send(.post, "/_links", form, "target=https%3A%2F%2Fone.example%2F&slug=")
      #expect(made.status == .created)
      #expect(try made.json["slug"] != nil)
    }
  }

  @Test func keepsTheFormAndEscapesIt() async throws {
    let harness = Harness()
    try await harness.run { client in
      let form = "target=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E&slug=a%27b"
      let bad = try await client.send(.post, "/_links", Self.browser, form)
      #expect(bad.status == .unprocessableContent)
      #expect(bad.text.contains("value=\"&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;\""))
      #expect(bad.text.contains("value=\"a&#39;b\""))
      #expect(!bad.text.contains("<script"))
      #expect(bad.text.contains("role=\"alert\""))
      #expect(!(try await client.get("/?made=%3Cscript%3E", Self.browser).text.contains("<script")))
      harness.store.set(.noQuorum)
      let unavailable = try await client.send(.post, "/_links", Self.browser, "target=https%3A%2F%2Fone.example%2F")
      #expect(unavailable.status == .serviceUnavailable)
      #expect(unavailable.text.contains("value=\"https://one.example/\""))
    }
  }

  @Test func tellsBrowsersInWordsThatThereIsNoLink() async throws {
    try await Harness().run { client in
      let missing = try await client.get("/none", Self.browser)
      #expect(missing.status == .notFound)
      #expect(missing.headers[.contentType]?.hasPrefix("text/html") == true)
      #expect(missing.text.contains("There is no link “none”"))
    }
  }
}
