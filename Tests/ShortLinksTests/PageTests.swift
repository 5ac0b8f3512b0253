import Hummingbird
import Testing

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
