import Crypto
import Foundation
import SwiftASN1
import X509

/// A secret key on the curve P-256, as nodes and clients have them.
public struct KeyPair: Sendable {
  private let key: P256.Signing.PrivateKey

  /// A new one.
  public init() { key = P256.Signing.PrivateKey() }

  /// As `pem` gave it. Throws `.malformed`.
  public init(pem: String) throws(CertificateFault) {
    guard let key = try? P256.Signing.PrivateKey(pemRepresentation: pem) else { throw .malformed }
    self.key = key
  }

  /// The secret, as a PKCS #8 file.
  public var pem: String { key.pemRepresentation }

  public var privateKey: Certificate.PrivateKey { Certificate.PrivateKey(key) }
  public var publicKey: Certificate.PublicKey { Certificate.PublicKey(key.publicKey) }

  /// By which a public key is known again: SHA-256 of its `SubjectPublicKeyInfo` (RFC 5280).
  public static func digest(of publicKey: Certificate.PublicKey) throws -> [UInt8] {
    var serializer = DER.Serializer()
    try serializer.serialize(publicKey)
    return Array(SHA256.hash(data: serializer.serializedBytes))
  }

  /// A certificate signing request (PKCS #10), which proves that its sender has the key.
  public func request() throws -> String {
    let request = try CertificateSigningRequest(
      version: .v1, subject: try DistinguishedName { CommonName("coracle") }, privateKey: privateKey, attributes: .init(),
      signatureAlgorithm: .ecdsaWithSHA256)
    return try request.serializeAsPEM().pemString
  }

  /// The key that a request is for. Throws `.malformed` if it is none, or not signed with that key, or not of this kind.
  public static func publicKey(ofRequest pem: String) throws(CertificateFault) -> Certificate.PublicKey {
    guard let request = try? CertificateSigningRequest(pemEncoded: pem),
      request.publicKey.isValidSignature(request.signature, for: request), P256.Signing.PublicKey(request.publicKey) != nil
    else { throw .malformed }
    return request.publicKey
  }
}

/// Certificates as text.
public enum CertificateText {
  /// Most certificates of one text.
  public static let maximum = 8

  public static func encode(_ certificates: [Certificate]) throws -> String {
    try certificates.map { try $0.serializeAsPEM().pemString + "\n" }.joined()
  }

  /// All that there are, in their order. Throws `.malformed` for what is none, or has none.
  public static func decode(_ text: String) throws(CertificateFault) -> [Certificate] {
    guard let documents = try? PEMDocument.parseMultiple(pemString: text), (1...maximum).contains(documents.count),
      let certificates = try? documents.map({ try Certificate(pemDocument: $0) })
    else { throw .malformed }
    return certificates
  }
}
