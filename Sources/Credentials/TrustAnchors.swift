import Foundation
// The moment at which a chain is looked at is chosen here, not by the clock alone.
@_spi(FixedExpiryValidationTime) import X509

/// The authorities that count at a moment: one, or two while one follows the other.
public struct TrustAnchors: Sendable {
  public let domain: TrustDomain
  public let authorities: [Certificate]

  public init(domain: TrustDomain, authorities: [Certificate]) {
    self.domain = domain
    self.authorities = authorities
  }

  /// Whom a chain of certificates names. The names that a client would look for are not looked at: an identity is what counts here.
  ///
  /// - Parameter chain: as the other side showed it, its own first.
  public func identity(of chain: [Certificate], now: Date = Date()) async throws(CertificateFault) -> CertifiedIdentity {
    guard let leaf = chain.first else { throw .none }
    // Whose it is comes before how old it is: a stranger's is none of our clock's business.
    var verifier = Verifier(rootCertificates: CertificateStore(authorities)) { RFC5280Policy(fixedExpiryValidationTime: Self.within(leaf)) }
    guard case .validCertificate = await verifier.validate(leaf: leaf, intermediates: CertificateStore(chain.dropFirst().prefix(2)))
    else { throw .foreign }
    try Self.checkTime(of: leaf, now: now)
    guard let identity = Self.identity(in: leaf), identity.domain == domain else { throw .namesNobody }
    return identity
  }

  /// Whether a certificate that was good once still comes from an authority that counts, directly or by another's word.
  ///
  /// - Parameter others: what was shown with it.
  func stillVouch(for leaf: Certificate, by others: some Collection<Certificate>) -> Bool {
    func isSigned(_ certificate: Certificate, by issuers: some Collection<Certificate>) -> Bool {
      issuers.contains { $0.publicKey.isValidSignature(certificate.signature, for: certificate) }
    }
    return isSigned(leaf, by: authorities) || isSigned(leaf, by: others.filter { isSigned($0, by: authorities) })
  }

  static func checkTime(of leaf: Certificate, now: Date) throws(CertificateFault) {
    if now > leaf.notValidAfter { throw .expired(at: leaf.notValidAfter, now: now) }
    if now < leaf.notValidBefore { throw .notYetValid(from: leaf.notValidBefore, now: now) }
  }

  /// What a chain of certificates shows to who knows nothing of the cluster but the pin of its authority.
  ///
  /// - Parameter chain: as the other side showed it; the authority's own certificate is among them.
  public static func anchors(
    pinnedBy pin: [UInt8], in chain: [Certificate], now: Date = Date()
  ) async throws(CertificateFault) -> (TrustAnchors, CertifiedIdentity) {
    guard let leaf = chain.first else { throw .none }
    // Not what an older authority signed for the same key: as an anchor, that is none for everybody.
    guard let authority = chain.dropFirst().first(where: { $0.issuer == $0.subject && (try? Authority.pin(of: $0)) == pin })
    else { throw .foreign }
    guard let named = identity(in: leaf) else { throw .namesNobody }
    let anchors = TrustAnchors(domain: named.domain, authorities: [authority])
    return (anchors, try await anchors.identity(of: chain, now: now))
  }

  /// A moment at which the certificate counts, and with it what was signed for it: so age is looked at apart from whose it is, and the
  /// authority's own dates matter only at the time of the certificates that it gave.
  private static func within(_ leaf: Certificate) -> Date {
    leaf.notValidBefore + leaf.notValidAfter.timeIntervalSince(leaf.notValidBefore) / 2
  }

  static func identity(in leaf: Certificate) -> CertifiedIdentity? {
    guard let names = try? leaf.extensions.subjectAlternativeNames else { return nil }
    let identities = names.compactMap { name -> CertifiedIdentity? in
      guard case .uniformResourceIdentifier(let uri) = name else { return nil }
      return CertifiedIdentity(uri: uri)
    }
    return identities.count == 1 ? identities[0] : nil
  }
}
