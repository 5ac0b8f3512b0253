import RequestChecks
import Testing

@Suite struct AuthorityTests {
  @Test(
    arguments: [
      ("example.net", "example.net", nil), ("Example.NET:80", "example.net", 80), ("[::1]:2379", "[::1]", 2379),
      ("[::FFFF]", "[::ffff]", nil),
      ("127.0.0.1:0", "127.0.0.1", 0), ("a:", "a", nil), ("", "", nil), ("a_b.c", "a_b.c", nil), ("a:65535", "a", 65535),
    ] as [(String, String, UInt16?)])
  func readsHostAndPort(text: String, host: String, port: UInt16?) throws {
    let authority = try #require(Authority(text))
    #expect(authority.host == host && authority.port == port)
  }

  @Test(arguments: [
    "a:b", "a:65536", "user@host", "a b", "a/b", "[::1", "[]", "[::1]x", "[g::]", "a:1:2", "::1", "ä", "a\u{0}", "a:-1", "a?",
  ])
  func refusesWhatIsNone(text: String) { #expect(Authority(text) == nil) }

  @Test func knowsNumbersFromNames() {
    for text in ["127.0.0.1", "[::1]:80", "localhost", "LOCALHOST:1", "app.localhost", "10.1", "192.0.2.7:2379"] {
      #expect(Authority(text)?.isNumericOrLocal == true, "\(text)")
    }
    for text in ["evil.example", "", "127.0.0.1.evil.example", "localhost.evil.example", "1a", "notlocalhost"] {
      #expect(Authority(text)?.isNumericOrLocal == false, "\(text)")
    }
  }
}

@Suite struct RequestTargetTests {
  @Test(
    arguments: [
      ("/v3/kv/put", nil, "/v3/kv/put"), ("/a?b=http://c/", nil, "/a?b=http://c/"), ("http://h:1/a?b", "h:1", "/a?b"),
      ("HTTPS://[::1]", "[::1]", "/"), ("http://h?q", "h", "/?q"), ("*", nil, "*"), ("//h/a", nil, "//h/a"),
    ] as [(String, String?, String)])
  func readsBothForms(text: String, authority: String?, path: String) throws {
    let target = try #require(RequestTarget(text))
    #expect(target.authority == authority && target.path == path)
  }

  @Test(arguments: ["", "a", "ftp://h/", "http:///a", "http://u@h/", "h:80", "http:/h/"]) func refusesOthers(text: String) {
    #expect(RequestTarget(text) == nil)
  }
}

@Suite struct PercentEncodingTests {
  @Test(arguments: [
    ("docs", "docs"), ("%64ocs", "docs"), ("%64%6F%6fs", "doos"), ("a%2Fb", "a/b"), ("%c3%a9", "é"), ("a+b", "a+b"), ("", ""),
  ]) func decodes(text: String, meant: String) { #expect(PercentEncoding.decode(text) == meant) }

  @Test(arguments: ["%", "a%4", "%zz", "%ff", "%%41", "%c3"]) func refusesWhatIsNone(text: String) {
    #expect(PercentEncoding.decode(text) == nil)
  }
}

@Suite struct RequestSourceTests {
  private func fault(
    _ method: String = "POST", host: String? = "127.0.0.1:2379", origin: String? = nil, site: String? = nil, servesPages: Bool = true
  ) -> RequestFault? {
    let source = RequestSource(
      method: method, needsHost: true, hosts: host.map { [$0] } ?? [], origins: origin.map { [$0] } ?? [], fetchSite: site)
    do {
      try source.check(servesPages: servesPages)
      return nil
    } catch {
      return error
    }
  }

  @Test func programsAreNotAsked() {
    #expect(fault() == nil)
    #expect(fault(host: "any.example", servesPages: false) == nil)
    #expect(fault(host: "", servesPages: false) == nil)
  }

  @Test(
    "Pages of this very port may",
    arguments: [
      ("127.0.0.1:2381", "http://127.0.0.1:2381"), ("localhost", "http://localhost"), ("LocalHost:80", "http://localhost"),
      ("[::1]:2381", "http://[::1]:2381"), ("links.example", "https://links.example"), ("links.example", "https://links.example:443"),
      ("links.example:443", "https://links.example"),
    ])
  func ownPages(host: String, origin: String) {
    #expect(fault(host: host, origin: origin) == nil)
    #expect(fault("DELETE", host: host, origin: origin) == nil)
  }

  @Test(
    "Pages of others may not",
    arguments: [
      "http://evil.example", "null", "http://127.0.0.1", "http://127.0.0.1:2380", "http://localhost:2379",
      "https://127.0.0.1:2379.evil.example",
      "file://", "", "127.0.0.1:2379", "ftp://127.0.0.1:2379", "http://127.0.0.1:2379/", "http://user@127.0.0.1:2379",
    ])
  func foreignPages(origin: String) {
    for method in ["POST", "PUT", "DELETE", "PATCH", "DANCE"] { #expect(fault(method, origin: origin) == .foreignPage(origin)) }
    #expect(fault(origin: origin, servesPages: false) == .foreignPage(origin))
    for method in ["GET", "HEAD", "OPTIONS"] { #expect(fault(method, origin: origin) == nil) }
  }

  @Test func theBrowserKnowsBest() {
    for site in ["cross-site", "same-site", "something-new", ""] {
      #expect(fault(site: site) == .foreignPage(nil))
      #expect(fault(origin: "http://127.0.0.1:2379", site: site) != nil)
    }
    #expect(fault(site: "none") == nil)
    // A proxy that speaks TLS may put its own name for this port into Host.
    #expect(fault(host: "127.0.0.1:2381", origin: "https://links.example", site: "same-origin") == nil)
    #expect(fault(origin: "http://evil.example", site: "none") != nil)
  }

  /// A page of `evil.example` whose name was made to lead here.
  @Test func aNameThatWasMadeToLeadHereIsNoHome() {
    for (origin, site) in [("http://evil.example:2379", nil), (nil, "same-origin")] as [(String?, String?)] {
      #expect(fault(host: "evil.example:2379", origin: origin, site: site, servesPages: false) != nil)
    }
    #expect(fault(host: "127.0.0.1:2379", origin: "http://127.0.0.1:2379", servesPages: false) == nil)
  }

  @Test func oneHostThatIsOne() {
    #expect(fault(host: nil) == .noHost)
    #expect(fault("GET", host: "a b") == .malformedHost)
    let two = RequestSource(method: "GET", needsHost: true, hosts: ["a", "a"], origins: [], fetchSite: nil)
    #expect(throws: RequestFault.severalHosts) { try two.check(servesPages: true) }
    let old = RequestSource(method: "POST", needsHost: false, hosts: [], origins: [], fetchSite: nil)
    #expect(throws: Never.self) { try old.check(servesPages: true) }
    let oldPage = RequestSource(method: "POST", needsHost: false, hosts: [], origins: ["http://evil.example"], fetchSite: nil)
    #expect(throws: RequestFault.foreignPage("http://evil.example")) { try oldPage.check(servesPages: true) }
  }
}
