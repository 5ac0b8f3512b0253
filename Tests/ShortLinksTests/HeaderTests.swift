import Hummingbird
import Logging
import NIOEmbedded
import Testing

@testable import ShortLinks

/// What every answer tells browsers.
@Suite struct HeaderTests {
  private typealias Name = HTTPFields.Element.Name
  private static let referrerPolicy = Name("Referrer-Policy")!
  private static let frameOptions = Name("X-Frame-Options")!

  /// Of the list of all routes, and of paths that there are not.
  @Test func everyAnswerHasThem() async throws {
    let routes = Harness().routes + [(.get, "/nobody"), (.get, "/_nothing"), (.post, "/a/b/c"), (.get, "/_links?limit=x")]
    try await Harness().run { client in
      #expect(try await client.create("docs", "https://one.example/").status == .created)
      var redirects = 0
      for accept in ["text/html", "application/json"] {
        for (method, path) in routes where (method, path) != (.delete, "/_links/docs") {
          let response = try await client.send(method, path, [.accept: accept])
          let headers = response.headers
          let comment = "\(method) \(path) \(response.status)"
          #expect(headers[.xContentTypeOptions] == "nosniff" && headers[Self.frameOptions] == "DENY", "\(comment)")
          let policy = headers[.contentSecurityPolicy] ?? ""
          #expect(policy.hasPrefix("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "\(comment)")
          #expect(headers[.strictTransportSecurity] == nil, "plain text, or a certificate that no browser knows")
          let isRedirect = response.status == .found
          if isRedirect { redirects += 1 }
          #expect(headers[Self.referrerPolicy] == (isRedirect ? nil : "same-origin"), "\(comment)")
          #expect(headers[.crossOriginResourcePolicy] == (isRedirect ? nil : "same-origin"), "\(comment)")
        }
      }
      #expect(redirects == 4, "GET and HEAD of the link, twice")
    }
  }

  /// What came in is text where it comes out.
  @Test func nothingThatWasSentIsTakenForHTML() async throws {
    let script = "<script>alert(1)</script>"
    let encoded = "%3Cscript%3Ealert(1)%3C%2Fscript%3E"
    try await Harness().run { client in
      let browser: HTTPFields = [.accept: "text/html", .contentType: "application/x-www-form-urlencoded"]
      var answers = [
        try await client.send(.post, "/_links", browser, "target=\(encoded)&slug=\(encoded)"),
        try await client.send(.post, "/_links", browser, "target=https%3A%2F%2Fa.example%2F&slug=%22%3E\(encoded)"),
      ]
      for path in ["/\(encoded)", "/_links/\(encoded)", "/?made=\(encoded)", "/_links?after=\(encoded)", "/_links?limit=\(encoded)"] {
        answers.append(try await client.get(path, browser))
      }
      for answer in answers {
        #expect(!answer.text.contains(script) && answer.headers[.contentType]?.hasPrefix("text/html") == true, "\(answer.text)")
      }
    }
  }

  @Test func browsersComeBackByTLSWhereTheyLookForTheHostsPages() async throws {
    for (host, isTrusted, expected) in [
      ("go.example.net", true, "max-age=2592000"), ("go.example.net:8443", true, nil), ("[::1]:8443", true, nil),
      ("[::1]", true, "max-age=2592000"), ("go.example.net", false, nil),
    ] {
      let request = Request(
        head: HTTPRequest(method: .get, scheme: "https", authority: host, path: "/"), body: RequestBody(buffer: ByteBuffer()))
      let context = LinkRequestContext(source: ApplicationRequestContextSource(channel: EmbeddedChannel(), logger: Logger(label: "test")))
      let response = try await SafeHeaders(isTrustedByBrowsers: isTrusted).handle(request, context: context) { _, _ in
        Response(status: .ok)
      }
      #expect(response.headers[.strictTransportSecurity] == expected, "\(host)")
    }
  }
}
