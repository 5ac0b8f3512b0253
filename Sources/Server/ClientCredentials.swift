import Credentials
import Foundation
import NIOConcurrencyHelpers
import NIOSSL
import X509

/// What a client shows to the nodes, and by what it knows them. Certificates are renewed while `coracle watch` goes on, so what is in a
/// directory is looked at again for each request.
struct ClientCredentials: Sendable {
  static let keyFile = "client.key"
  static let certificateFile = "client.crt"

  private typealias Known = (configuration: TLSConfiguration, certificates: String)

  private let known: NIOLockedValueBox<Known>
  private let directory: String?

  /// A node's own.
  init(_ contents: NodeSecrets.Contents) throws {
    self.init(
      try Self.configuration(
        authorities: contents.authorities.anchors(at: Date()).authorities, chain: contents.chain, keyPEM: contents.key.pem))
  }

  private init(_ configuration: TLSConfiguration) {
    directory = nil
    known = NIOLockedValueBox((configuration, ""))
  }

  /// Whether a directory holds some; `false` also if it may not be looked into.
  static func exist(in directory: String) -> Bool {
    FileManager.default.fileExists(atPath: directory + "/" + NodeSecrets.folder + "/" + NodeSecrets.authoritiesFile)
  }

  /// A client's directory, or the data directory of a node.
  init(directory: String) throws {
    self.directory = directory
    known = NIOLockedValueBox(try (try? Self.read(directory)) ?? Self.read(directory))
  }

  var configuration: TLSConfiguration {
    guard let directory, let read = try? Self.read(directory) else { return known.withLockedValue { $0.configuration } }
    return known.withLockedValue { known in
      // The same as before, if it can be: connections are shared by those who show the same.
      if known.certificates != read.certificates { known = read }
      return known.configuration
    }
  }

  /// Throws also while the key is another's than the certificate's: one of them is just being replaced.
  private static func read(_ directory: String) throws -> Known {
    let inside = directory + "/" + NodeSecrets.folder
    let isNodes = FileManager.default.fileExists(atPath: inside)
    let files = SecretDirectory(path: isNodes ? inside : directory)
    func read(_ name: String) throws -> String {
      guard let bytes = try files.read(name) else { throw MissingCredentials(path: files.path, file: name) }
      return String(decoding: bytes, as: UTF8.self)
    }
    let (authorities, chain) = (
      try read(NodeSecrets.authoritiesFile), try read(isNodes ? NodeSecrets.certificateFile : Self.certificateFile)
    )
    let key = try read(isNodes ? NodeSecrets.keyFile : Self.keyFile)
    let configuration = try configuration(
      authorities: try CertificateText.decode(authorities), chain: try CertificateText.decode(chain), keyPEM: key)
    return (configuration, authorities + chain)
  }

  /// Nobody's: for who has no certificate yet, and knows the authority.
  init(authority: Certificate) throws {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.trustRoots = .certificates([try Self.convert(authority)])
    // Which server of the cluster answers does not matter; that it is one, its certificate says.
    configuration.certificateVerification = .noHostnameVerification
    self.init(configuration)
  }

  private static func configuration(authorities: [Certificate], chain: [Certificate], keyPEM: String) throws -> TLSConfiguration {
    guard chain.first?.publicKey == (try Certificate.PrivateKey(pemEncoded: keyPEM)).publicKey else { throw CertificateFault.malformed }
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.trustRoots = .certificates(try authorities.map(Self.convert))
    configuration.certificateChain = try chain.map { .certificate(try Self.convert($0)) }
    configuration.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(keyPEM.utf8), format: .pem))
    configuration.certificateVerification = .noHostnameVerification
    return configuration
  }

  private static func convert(_ certificate: Certificate) throws -> NIOSSLCertificate {
    try NIOSSLCertificate(bytes: try certificate.der, format: .der)
  }
}

struct MissingCredentials: Error, CustomStringConvertible {
  let path: String
  let file: String

  var description: String {
    "\(path) has no \(file): name the directory that `coracle client-cert` made, or a server's data directory, as its user"
  }
}
