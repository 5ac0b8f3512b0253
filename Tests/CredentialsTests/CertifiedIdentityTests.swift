import Credentials
import Testing

@Suite struct CertifiedIdentityTests {
  private static let text = "00112233445566778899aabbccddeeff"
  private let domain: TrustDomain

  init() throws { domain = try #require(TrustDomain(Self.text)) }

  @Test(arguments: [0, 1, 0xabc, .max] as [UInt64]) func nodesAreReadAsTheyWereWritten(id: UInt64) {
    let identity = CertifiedIdentity.node(domain: domain, id)
    #expect(CertifiedIdentity(uri: identity.uri) == identity)
  }

  @Test(arguments: ["alice", "a b", "a/b", "a%2Fb", "é", "node", "../x", "-._~", String(repeating: "n", count: 128)])
  func clientsAreReadAsTheyWereWritten(name: String) {
    let identity = CertifiedIdentity.client(domain: domain, name)
    #expect(CertifiedIdentity(uri: identity.uri) == identity)
    #expect(identity.uri.split(separator: "/", omittingEmptySubsequences: false).count == 5, "a name adds no parts")
  }

  @Test func theFormIsFixed() {
    #expect(CertifiedIdentity.node(domain: domain, 0xabc).uri == "coracle://\(Self.text)/node/0000000000000abc")
    #expect(CertifiedIdentity.client(domain: domain, "a b").uri == "coracle://\(Self.text)/client/a%20b")
  }

  @Test(arguments: [
    "", "coracle://", "coracle://\(text)", "coracle://\(text)/node", "coracle://\(text)/node/", "coracle://\(text)/node/abc",
    "coracle://\(text)/node/0000000000000ABC", "coracle://\(text)/node/+000000000000abc", "coracle://\(text)/node/00000000000000abc",
    "coracle://\(text)/node/0000000000000abc/", "coracle://\(text)/node/0000000000000abc/x", "coracle://\(text)/node/10000000000000000",
    "coracle://\(text)/Node/0000000000000abc", "CORACLE://\(text)/node/0000000000000abc", "spiffe://\(text)/node/0000000000000abc",
    " coracle://\(text)/node/0000000000000abc", "coracle://\(text)0/node/0000000000000abc",
    "coracle://\(text.dropLast(2))/node/0000000000000abc", "coracle://\(text.uppercased())/node/0000000000000abc",
    "coracle:///node/0000000000000abc", "coracle://\(text)/client/", "coracle://\(text)/client/a b",
    "coracle://\(text)/client/%61", "coracle://\(text)/client/a%2fb", "coracle://\(text)/client/%", "coracle://\(text)/client/%00",
    "coracle://\(text)/client/a%0Ab", "coracle://\(text)/client/%FF", "coracle://\(text)/client/a?b", "coracle://\(text)/other/a",
    "coracle://\(text)/client/" + String(repeating: "n", count: 129),
  ])
  func nearMissesNameNobody(uri: String) {
    #expect(CertifiedIdentity(uri: uri) == nil)
  }

  @Test func domainsDiffer() { #expect(TrustDomain.random() != TrustDomain.random()) }
}
