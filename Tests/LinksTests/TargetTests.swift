import Links
import Testing

@Suite struct TargetTests {
  @Test(arguments: [
    "http://example.org", "https://example.org/", "HTTPS://Example.ORG/Path", "https://example.org:8443/a?b=c&d[]=e|f#g",
    "https://example.org.", "https://xn--kln-sna.example/%C3%B6", "https://localhost", "http://a?b", "http://a#b", "http://192.0.2.1:1",
    "http://[::1]", "http://[2001:db8::1]:80/", "http://[1:2:3:4:5:6:7:8]", "http://[::ffff:192.0.2.1]", "http://[::]", "http://[1::]",
    "http://[1:2:3:4:5:6:192.0.2.1]", "http://example.org/@user", "http://1a.example", "http://example.org:65535",
  ])
  func acceptsAndKeeps(_ text: String) throws {
    #expect(try Target(text).text == text)
  }

  @Test func boundsTheLength() throws {
    let base = "https://example.org/"
    let longest = base + String(repeating: "x", count: Target.maximumBytes - base.utf8.count)
    #expect(try Target(longest).text == longest)
    #expect(throws: LinkError.target(.tooLong(bytes: 2049))) { try Target(longest + "x") }
  }

  @Test(arguments: [
    ("", TargetRule.empty), ("example.org", .scheme), ("//example.org", .scheme), ("/path", .scheme), ("javascript:alert(1)", .scheme),
    ("data:text/html,x", .scheme), ("ftp://example.org", .scheme), ("http:/example.org", .scheme), ("http:example.org", .scheme),
    ("httpx://example.org", .scheme), ("http://", .noHost), ("http:///path", .noHost), ("http://?q", .noHost), ("http://:80", .noHost),
    ("https://bank.example@evil.example", .userInformation), ("https://user:password@host.example", .userInformation),
    ("https://@host.example", .userInformation), (" https://a.example", .character(offset: 0)),
    ("https://a.example/b c", .character(offset: 19)), ("https://a.example/\r\nX: y", .character(offset: 18)),
    ("https://a.example/\0", .character(offset: 18)), ("https://a.example/\u{7f}", .character(offset: 18)),
    ("https://a.example\\@b.example", .character(offset: 17)), ("https://a.example/\"", .character(offset: 18)),
    ("https://a.example/<b>", .character(offset: 18)), ("https://köln.example", .notASCII(offset: 9)),
    ("https://a.example/ö", .notASCII(offset: 18)), ("https://a.example/\u{2028}", .notASCII(offset: 18)),
  ])
  func refuses(_ text: String, _ rule: TargetRule) {
    #expect(throws: LinkError.target(rule)) { try Target(text) }
  }

  @Test(arguments: [
    ("a..b", TargetRule.hostName), (".a", .hostName), ("-a.example", .hostName), ("a-.example", .hostName), ("a_b.example", .hostName),
    ("a%2fb.example", .hostName), ("..", .hostName), (".", .hostName), (String(repeating: "x", count: 64), .hostName), ("a;b", .hostName),
    (Array(repeating: "abcdefg", count: 32).joined(separator: "."), .hostName), ("2130706433", .ipv4), ("0x7f.1", .ipv4), ("127.1", .ipv4),
    ("256.0.0.1", .ipv4), ("1.2.3.4.5", .ipv4), ("01.2.3.4", .ipv4), ("a.0x1", .ipv4), ("1.2.3.4.", .ipv4), ("0x", .ipv4),
    ("[::1", .ipv6), ("[]", .ipv6), ("[:]", .ipv6), ("[:::]", .ipv6), ("[1::2::3]", .ipv6), ("[1:2:3:4:5:6:7]", .ipv6),
    ("[1:2:3:4:5:6:7:8:9]", .ipv6), ("[1:2:3:4:5:6:7::8]", .ipv6), ("[12345::]", .ipv6), ("[g::]", .ipv6), ("[fe80::1%25eth0]", .ipv6),
    ("[192.0.2.1::]", .ipv6), ("[::192.0.2.256]", .ipv6), ("[1::2:]", .ipv6), ("a:0", .port), ("a:65536", .port), ("a:", .port),
    ("a:b", .port), ("a:080", .port), ("a:1:2", .port), ("[::1]x", .port), ("[::1]:", .port), ("a:99999999999999999999999", .port),
  ])
  func refusesHosts(_ host: String, _ rule: TargetRule) {
    #expect(throws: LinkError.target(rule)) { try Target("http://\(host)/path") }
  }

  @Test func neverTrapsAndNeverLetsALineBreakThrough() {
    var generator = SeededGenerator(seed: 2)
    let alphabet = Array("ahtps:/?#[]@.%0127xf\\ \r\n-_\u{e9}")
    for _ in 0..<20_000 {
      let text = "http://" + String((0..<generator.below(12)).map { _ in alphabet[generator.below(alphabet.count)] })
      if let target = try? Target(text) {
        #expect(target.text.utf8.allSatisfy { 0x21...0x7e ~= $0 })
        #expect(target.text == text)
      }
    }
  }
}
