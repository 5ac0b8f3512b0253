import Crypto
import Foundation
import SwiftASN1
import X509

/// The cluster's certificate authority: a key on the curve P-256 and the certificate that everybody trusts.
public struct Authority: Sendable {
  /// From when to when the authority's own certificate is valid: as early and as late as a certificate can say (RFC 5280, 4.1.2.5), but for
  /// the last day, which `vouch` needs. So it makes no difference what time it was, by a clock that was perhaps wrong, when it was made.
  static let validity = Date(timeIntervalSince1970: -631_152_000)...Date(timeIntervalSince1970: 253_402_300_799 - 86400)
  /// Certificates count from so long before they were made, so that a clock that is a little wrong does no harm.
  public static let allowedSkew: TimeInterval = 3600

  public let domain: TrustDomain
  public let certificate: Certificate
  private let key: P256.Signing.PrivateKey

  /// A new one, whose certificate it signs itself.
  public init(domain: TrustDomain) throws {
    let key = P256.Signing.PrivateKey()
    let name = try Self.name(domain, key.publicKey)
    let certificate = try Certificate(
      version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: .init(key.publicKey),
      notValidBefore: Self.validity.lowerBound, notValidAfter: Self.validity.upperBound, issuer: name, subject: name,
      extensions: try Self.extensions(key.publicKey), issuerPrivateKey: .init(key))
    self.init(domain: domain, certificate: certificate, key: key)
  }

  /// One that was made before.
  ///
  /// - Parameters:
  ///   - certificate: must be of the key.
  ///   - key: as `keyBytes` gave it.
  public init(domain: TrustDomain, certificate: Certificate, keyBytes: [UInt8]) throws {
    let key = try P256.Signing.PrivateKey(rawRepresentation: keyBytes)
    guard Certificate.PublicKey(key.publicKey) == certificate.publicKey else { throw CertificateFault.malformed }
    self.init(domain: domain, certificate: certificate, key: key)
  }

  private init(domain: TrustDomain, certificate: Certificate, key: P256.Signing.PrivateKey) {
    self.domain = domain
    self.certificate = certificate
    self.key = key
  }

  /// The secret key. Whoever has it can be any node and any client.
  public var keyBytes: [UInt8] { Array(key.rawRepresentation) }

  /// What is written down of an authority to know it again, whatever certificate it shows: the digest of its public key.
  public static func pin(of certificate: Certificate) throws -> [UInt8] { try KeyPair.digest(of: certificate.publicKey) }

  /// A certificate for somebody's key.
  ///
  /// - Parameters:
  ///   - names: DNS names and addresses at which a node is reached; clients that check names, as those of etcd do, look for them.
  ///   - life: in seconds from now.
  public func issue(
    _ identity: CertifiedIdentity, for publicKey: Certificate.PublicKey, names: [String] = [], now: Date, life: TimeInterval
  ) throws -> Certificate {
    let (commonName, usages): (String, [ExtendedKeyUsage.Usage]) =
      switch identity {
      case .node: ("\(identity)", [.serverAuth, .clientAuth])
      case .client(_, let name): (name, [.clientAuth])
      }
    return try Certificate(
      version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
      notValidBefore: now - Self.allowedSkew, notValidAfter: now + life, issuer: certificate.subject,
      subject: try DistinguishedName { CommonName(commonName) },
      extensions: try Certificate.Extensions {
        Critical(BasicConstraints.notCertificateAuthority)
        Critical(KeyUsage(digitalSignature: true))
        try ExtendedKeyUsage(usages)
        SubjectAlternativeNames([.uniformResourceIdentifier(identity.uri)] + names.map(Self.generalName))
      }, issuerPrivateKey: .init(key))
  }

  /// This authority's signature below another one's key: whoever trusts this one trusts the other then.
  ///
  /// It is valid for a day longer than the other's own certificate: of two for one key, OpenSSL tries the one that ends last and no other,
  /// and for who trusts this authority alone it must be this.
  public func vouch(for other: Certificate) throws -> Certificate {
    try Certificate(
      version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: other.publicKey, notValidBefore: other.notValidBefore,
      notValidAfter: other.notValidAfter + 86400, issuer: certificate.subject, subject: other.subject,
      extensions: other.extensions, issuerPrivateKey: .init(key))
  }

  private static func extensions(_ key: P256.Signing.PublicKey) throws -> Certificate.Extensions {
    try Certificate.Extensions {
      Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 1))
      Critical(KeyUsage(keyCertSign: true, cRLSign: true))
      SubjectKeyIdentifier(keyIdentifier: ArraySlice(Insecure.SHA1.hash(data: key.x963Representation)))
    }
  }

  /// Differs from that of every other authority, since chains are built by names.
  private static func name(_ domain: TrustDomain, _ key: P256.Signing.PublicKey) throws -> DistinguishedName {
    let mark = Array(SHA256.hash(data: key.x963Representation).prefix(4)).hexadecimal
    return try DistinguishedName {
      OrganizationName("Coracle \(domain)")
      CommonName("Coracle authority \(mark)")
    }
  }

  private static func generalName(_ name: String) -> GeneralName {
    guard let address = IPAddressBytes(name) else { return .dnsName(name) }
    return .ipAddress(ASN1OctetString(contentBytes: ArraySlice(address.bytes)))
  }
}

extension Certificate {
  public init(der: [UInt8]) throws { try self.init(derEncoded: der) }

  public var der: [UInt8] {
    get throws {
      var serializer = DER.Serializer()
      try serializer.serialize(self)
      return serializer.serializedBytes
    }
  }
}
