import Crypto
import Foundation
import Testing
import X509

@testable import Credentials

/// Whom a chain of certificates names, and why it names nobody.
@Suite struct TrustAnchorsTests {
  private static let hour: TimeInterval = 3600
  private let now = Date()
  private let domain = TrustDomain.random()
  private let authority: Authority
  private let key = KeyPair()
  private let node: CertifiedIdentity

  init() throws {
    authority = try Authority(domain: domain)
    node = .node(domain: domain, 7)
  }

  private func leaf(
    _ identity: CertifiedIdentity, by authority: Authority, from: TimeInterval = 0, life: TimeInterval = hour
  ) throws -> Certificate {
    try authority.issue(identity, for: key.publicKey, now: now + from, life: life)
  }

  private func outcome(_ chain: [Certificate], trusting authorities: [Authority]) async -> Result<CertifiedIdentity, CertificateFault> {
    await outcome(chain, TrustAnchors(domain: domain, authorities: authorities.map(\.certificate)))
  }

  private func outcome(_ chain: [Certificate], _ anchors: TrustAnchors) async -> Result<CertifiedIdentity, CertificateFault> {
    do throws(CertificateFault) { return .success(try await anchors.identity(of: chain, now: now)) } catch { return .failure(error) }
  }

  /// A certificate as no authority of ours would make it.
  private func forged(
    below issuer: Certificate, signedWith signer: P256.Signing.PrivateKey, names: [GeneralName], isAuthority: Bool = false
  ) throws -> Certificate {
    try Certificate(
      version: .v3, serialNumber: .init(), publicKey: key.publicKey, notValidBefore: now - Self.hour, notValidAfter: now + Self.hour,
      issuer: issuer.subject, subject: try DistinguishedName { CommonName("forged") },
      extensions: try Certificate.Extensions {
        Critical(isAuthority ? BasicConstraints.isCertificateAuthority(maxPathLength: nil) : .notCertificateAuthority)
        SubjectAlternativeNames(names)
      }, issuerPrivateKey: .init(signer))
  }

  private var authorityKey: P256.Signing.PrivateKey {
    get throws { try P256.Signing.PrivateKey(rawRepresentation: authority.keyBytes) }
  }

  @Test func nodesAndClientsAreKnown() async throws {
    let client = CertifiedIdentity.client(domain: domain, "alice")
    for identity in [node, client] {
      #expect(await outcome([try leaf(identity, by: authority)], trusting: [authority]) == .success(identity))
    }
  }

  @Test func noChainIsNoCertificate() async {
    #expect(await outcome([], trusting: [authority]) == .failure(.none))
  }

  @Test func anotherAuthorityIsForeign() async throws {
    // Even one of the same domain, and though it comes with its own certificate.
    let other = try Authority(domain: domain)
    #expect(await outcome([try leaf(node, by: other), other.certificate], trusting: [authority]) == .failure(.foreign))
  }

  @Test func whatIsForeignIsNotCalledExpired() async throws {
    let other = try Authority(domain: domain)
    let old = try leaf(node, by: other, from: -10 * Self.hour)
    #expect(await outcome([old], trusting: [authority]) == .failure(.foreign))
  }

  @Test func aSignatureOfAnotherKeyUnderTheAuthoritysNameIsForeign() async throws {
    let forged = try forged(below: authority.certificate, signedWith: .init(), names: [.uniformResourceIdentifier(node.uri)])
    #expect(await outcome([forged], trusting: [authority]) == .failure(.foreign))
  }

  @Test func whoHasACertificateIsNoAuthority() async throws {
    let own = P256.Signing.PrivateKey()
    let mine = try authority.issue(.client(domain: domain, "eve"), for: .init(own.publicKey), now: now, life: Self.hour)
    let forged = try forged(below: mine, signedWith: own, names: [.uniformResourceIdentifier(node.uri)])
    #expect(await outcome([forged, mine], trusting: [authority]) == .failure(.foreign))
  }

  @Test func timeCounts() async throws {
    let ended = try leaf(node, by: authority, from: -10 * Self.hour)
    #expect(await outcome([ended], trusting: [authority]) == .failure(.expired(at: ended.notValidAfter, now: now)))
    let later = try leaf(node, by: authority, from: 3 * Self.hour)
    #expect(await outcome([later], trusting: [authority]) == .failure(.notYetValid(from: later.notValidBefore, now: now)))
    // A clock that is wrong by less than an hour does no harm.
    #expect(await outcome([try leaf(node, by: authority, from: Self.hour / 2)], trusting: [authority]) == .success(node))
    for fault in [CertificateFault.expired(at: now, now: now), .notYetValid(from: now, now: now)] {
      #expect("\(fault)".contains("clock"), "a wrong clock is named as the reason")
    }
  }

  /// A clock that has lost its time says 1970; one that is set wrong says anything.
  @Test(arguments: [0, 4_000_000_000, 200_000_000_000])
  func anAuthorityCountsWhateverItsClockSaid(seconds: TimeInterval) async throws {
    let then = Date(timeIntervalSince1970: seconds)
    let chain = [try authority.issue(node, for: key.publicKey, now: then, life: 2), authority.certificate]
    #expect(try await TrustAnchors(domain: domain, authorities: [authority.certificate]).identity(of: chain, now: then) == node)
  }

  @Test func anAuthoritysDatesDoNotDependOnTheClock() throws {
    let certificate = authority.certificate
    let again = try Certificate(der: try certificate.der)
    #expect(again.notValidBefore.formatted(.iso8601) == "1950-01-01T00:00:00Z")
    #expect(again.notValidAfter.formatted(.iso8601) == "9999-12-30T23:59:59Z")
    // Of two certificates for one key OpenSSL takes the one that ends last.
    let other = try Authority(domain: domain)
    let vouched = try Certificate(der: try authority.vouch(for: other.certificate).der)
    #expect(vouched.notValidBefore == certificate.notValidBefore && vouched.notValidAfter > other.certificate.notValidAfter)
    #expect(vouched.notValidAfter.formatted(.iso8601) == "9999-12-31T23:59:59Z")
  }

  @Test func namesNobodyOfThisCluster() async throws {
    let other = TrustDomain.random()
    let sameKey = try Authority(domain: other, certificate: authority.certificate, keyBytes: authority.keyBytes)
    #expect(await outcome([try leaf(.node(domain: other, 7), by: sameKey)], trusting: [authority]) == .failure(.namesNobody))
    let lists: [[GeneralName]] = [
      [], [.dnsName("node.example")], [.uniformResourceIdentifier("https://node.example")], [.dnsName(node.uri)],
      [.uniformResourceIdentifier(node.uri), .uniformResourceIdentifier(CertifiedIdentity.node(domain: domain, 8).uri)],
    ]
    for names in lists {
      let certificate = try forged(below: authority.certificate, signedWith: try authorityKey, names: names)
      #expect(await outcome([certificate], trusting: [authority]) == .failure(.namesNobody), "\(names)")
    }
  }

  // MARK: One authority after the other

  @Test func aNewAuthorityIsBelievedByWhoTrustsTheOldOneAndByWhoTrustsTheNewOne() async throws {
    let next = try Authority(domain: domain)
    let leaf = try leaf(node, by: next)
    let chain = [leaf, try authority.vouch(for: next.certificate), next.certificate, authority.certificate]
    for trusted in [[authority], [next], [next, authority]] { #expect(await outcome(chain, trusting: trusted) == .success(node)) }
    let withoutVoucher = [leaf, next.certificate, authority.certificate]
    #expect(await outcome(withoutVoucher, trusting: [authority]) == .failure(.foreign))
    // The other way round it proves nothing.
    #expect(await outcome([try self.leaf(node, by: authority)] + chain.dropFirst(), trusting: [next]) == .failure(.foreign))
  }

  @Test func anAuthorityIsMadeAgainOfItsKeyAlone() throws {
    let again = try Authority(domain: domain, certificate: authority.certificate, keyBytes: authority.keyBytes)
    #expect(again.certificate == authority.certificate)
    let other = try Authority(domain: domain)
    #expect(throws: CertificateFault.malformed) {
      try Authority(domain: domain, certificate: authority.certificate, keyBytes: other.keyBytes)
    }
  }

  // MARK: The pin of a token

  @Test func aPinFindsItsAuthority() async throws {
    let pin = try Authority.pin(of: authority.certificate)
    let chain = [try leaf(node, by: authority), authority.certificate]
    let (anchors, identity) = try await TrustAnchors.anchors(pinnedBy: pin, in: chain, now: now)
    #expect(identity == node && anchors.authorities == [authority.certificate])
    let other = try Authority(domain: domain)
    // The pin is of another; the right authority is there, and has not signed; there is none.
    let otherPin = try Authority.pin(of: other.certificate)
    await #expect(throws: CertificateFault.foreign) { try await TrustAnchors.anchors(pinnedBy: otherPin, in: chain, now: now) }
    let pretence = [try leaf(node, by: other), authority.certificate, other.certificate]
    await #expect(throws: CertificateFault.foreign) { try await TrustAnchors.anchors(pinnedBy: pin, in: pretence, now: now) }
    await #expect(throws: CertificateFault.foreign) { try await TrustAnchors.anchors(pinnedBy: pin, in: [chain[0]], now: now) }
    await #expect(throws: CertificateFault.none) { try await TrustAnchors.anchors(pinnedBy: pin, in: [], now: now) }
  }

  /// While one authority follows another, two certificates are for the key that the pin names.
  @Test func aPinFindsTheAuthoritysOwnCertificate() async throws {
    let next = try Authority(domain: domain)
    let chain = [try leaf(node, by: next), try authority.vouch(for: next.certificate), next.certificate, authority.certificate]
    let (anchors, identity) = try await TrustAnchors.anchors(pinnedBy: try Authority.pin(of: next.certificate), in: chain, now: now)
    #expect(identity == node && anchors.authorities == [next.certificate])
  }

  // MARK: Keys and texts

  @Test func aSigningRequestProvesItsKey() throws {
    let request = try key.request()
    #expect(try KeyPair.publicKey(ofRequest: request) == key.publicKey)
    var lines = request.split(separator: "\n").map(String.init)
    // Near the end is the signature.
    lines[lines.count - 2] = String(lines[lines.count - 2].map { $0 == "A" ? "B" : $0 == "=" ? "=" : "A" })
    for text in ["", "x", key.pem, lines.joined(separator: "\n")] {
      #expect(throws: CertificateFault.malformed) { try KeyPair.publicKey(ofRequest: text) }
    }
  }

  @Test func certificatesAreTextUpToABound() throws {
    let certificate = authority.certificate
    let text = try CertificateText.encode([certificate, try leaf(node, by: authority)])
    #expect(try CertificateText.decode(text).first == certificate)
    let tooMany = try CertificateText.encode(Array(repeating: certificate, count: CertificateText.maximum + 1))
    for text in ["", "x", key.pem, tooMany] {
      #expect(throws: CertificateFault.malformed) { try CertificateText.decode(text) }
    }
    #expect(try KeyPair(pem: key.pem).publicKey == key.publicKey)
    #expect(throws: CertificateFault.malformed) { try KeyPair(pem: text) }
  }
}
