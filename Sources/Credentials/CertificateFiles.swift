import Foundation
import SwiftASN1
import X509

#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// A certificate and its key in two PEM files, which somebody else keeps fresh: an ACME client, or the tools of a company.
public struct CertificateFiles: Hashable, Sendable {
  /// The certificate, and after it those that lead to an authority, at most `CertificateText.maximum`: certbot's `fullchain.pem`.
  public let certificate: String
  /// Its key, without a passphrase: certbot's `privkey.pem`.
  public let key: String

  public init(certificate: String, key: String) {
    self.certificate = certificate
    self.key = key
  }

  /// What the files hold, as it is. Links are followed, since ACME clients keep links to the newest files.
  func read() throws(CertificateFilesError) -> Contents {
    Contents(certificate: try Self.read(certificate, isSecret: false), key: try Self.read(key, isSecret: true))
  }

  struct Contents: Equatable {
    var certificate: [UInt8]
    var key: [UInt8]
  }

  /// What the contents mean. Throws if the two do not belong together.
  func pair(_ contents: Contents) throws(CertificateFilesError) -> (chain: [Certificate], key: Certificate.PrivateKey) {
    guard let chain = try? CertificateText.decode(String(decoding: contents.certificate, as: UTF8.self)), let leaf = chain.first else {
      throw .noCertificate(certificate)
    }
    guard let key = Self.key(in: String(decoding: contents.key, as: UTF8.self)) else { throw .noKey(self.key) }
    guard leaf.publicKey == key.publicKey else { throw .notItsKey(certificate: certificate, key: self.key) }
    return (chain, key)
  }

  /// OpenSSL writes the parameters of a curve before the key.
  private static func key(in text: String) -> Certificate.PrivateKey? {
    guard let documents = try? PEMDocument.parseMultiple(pemString: text),
      let document = documents.first(where: { $0.discriminator.hasSuffix("PRIVATE KEY") })
    else { return nil }
    return try? Certificate.PrivateKey(pemDocument: document)
  }

  private static func read(_ path: String, isSecret: Bool) throws(CertificateFilesError) -> [UInt8] {
    // Not blocking: what should be a file may be a pipe.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .unreadable(path, errno) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .unreadable(path, errno) }
    guard status.st_mode & S_IFMT == S_IFREG, status.st_size <= SecretDirectory.maximumFileSize else { throw .noFile(path) }
    if isSecret { try check(path, status) }
    let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
    guard let data = try? handle.read(upToCount: SecretDirectory.maximumFileSize) ?? Data() else { throw .unreadable(path, EIO) }
    return Array(data)
  }

  /// As PostgreSQL has it: nobody else may open the key; but one that belongs to root may be readable by a group, so that several services
  /// share it.
  private static func check(_ path: String, _ status: stat) throws(CertificateFilesError) {
    let isOwn = status.st_uid == geteuid()
    guard isOwn || status.st_uid == 0 else { throw .ofAnotherUser(path) }
    guard status.st_mode & (isOwn ? 0o077 : 0o037) == 0 else { throw .openToOthers(path, mode: isOwn ? "600" : "640") }
  }
}

/// Why an operator's files cannot be used.
public enum CertificateFilesError: Error, Hashable, Sendable, CustomStringConvertible {
  case unreadable(String, Int32)
  /// It is none, or larger than any such file is.
  case noFile(String)
  case openToOthers(String, mode: String)
  case ofAnotherUser(String)
  case noCertificate(String)
  case noKey(String)
  case notItsKey(certificate: String, key: String)
  /// A port that is to show it under its names would never show it.
  case namesNoHost(String)
  case unusable(String)

  public var description: String {
    switch self {
    case .unreadable(let path, let code): "cannot read \(path): \(String(cString: strerror(code)).lowercased())"
    case .noFile(let path): "\(path) is no file of at most \(SecretDirectory.maximumFileSize >> 10) KiB"
    case .openToOthers(let path, let mode):
      "others than its owner may open \(path), which holds a key: if nobody can have read it, say `chmod \(mode) \(path)` and try again"
    case .ofAnotherUser(let path): "\(path), which holds a key, belongs to another user: `chown` it to the one who runs this, or to root"
    case .noCertificate(let path): "\(path) holds no certificates in PEM, of which there may be \(CertificateText.maximum)"
    case .noKey(let path):
      "\(path) holds no key that can be used: it must be in PEM, without a passphrase; RSA from 2048 bits on, or on P-256, P-384, P-521"
    case .notItsKey(let certificate, let key): "the key in \(key) is not that of the first certificate in \(certificate)"
    case .namesNoHost(let path): "the certificate in \(path) names no host, and so no client would ask for it: have its names put into it"
    case .unusable(let path): "the certificate in \(path), or its key, cannot be used for TLS"
    }
  }
}
