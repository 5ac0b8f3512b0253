import Credentials
import Foundation
import NIOSSL
import X509

/// What a client shows to the nodes, and by what it knows them.
struct ClientCredentials: Sendable {
  static let keyFile = "client.key"
  static let certificateFile = "client.crt"

  let configuration: TLSConfiguration

  /// A node's own.
  init(_ contents: NodeSecrets.Contents) throws {
    try self.init(
      authorities: contents.authorities.anchors(at: Date()).authorities, chain: contents.chain, keyPEM: contents.key.pem)
  }

  /// Whether a directory holds some; `false` also if it may not be looked into.
  static func exist(in directory: String) -> Bool {
    FileManager.default.fileExists(atPath: directory + "/" + NodeSecrets.folder + "/" + NodeSecrets.authoritiesFile)
  }

  /// A client's directory, or the data directory of a node.
  init(directory: String) throws {
    let inside = directory + "/" + NodeSecrets.folder
    let isNodes = FileManager.default.fileExists(atPath: inside)
    let files = SecretDirectory(path: isNodes ? inside : directory)
    func read(_ name: String) throws -> String {
      guard let bytes = try files.read(name) else { throw MissingCredentials(path: files.path, file: name) }
      return String(decoding: bytes, as: UTF8.self)
    }
    try self.init(
      authorities: try CertificateText.decode(try read(NodeSecrets.authoritiesFile)),
      chain: try CertificateText.decode(try read(isNodes ? NodeSecrets.certificateFile : Self.certificateFile)),
      keyPEM: try read(isNodes ? NodeSecrets.keyFile : Self.keyFile))
  }

  /// Nobody's: for who has no certificate yet, and knows the authority.
  init(authority: Certificate) throws {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.trustRoots = .certificates([try Self.convert(authority)])
    // Which server of the cluster answers does not matter; that it is one, its certificate says.
    configuration.certificateVerification = .noHostnameVerification
    self.configuration = configuration
  }

  private init(authorities: [Certificate], chain: [Certificate], keyPEM: String) throws {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.trustRoots = .certificates(try authorities.map(Self.convert))
    configuration.certificateChain = try chain.map { .certificate(try Self.convert($0)) }
    configuration.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(keyPEM.utf8), format: .pem))
    configuration.certificateVerification = .noHostnameVerification
    self.configuration = configuration
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
