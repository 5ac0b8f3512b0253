import Credentials
import Foundation
import X509

/// The files of a node's data directory that hold what it shows and what it must keep to itself: `credentials/` below the data directory.
struct NodeSecrets: Sendable {
  /// What the files hold together.
  struct Contents: Sendable {
    var wrappingKey: WrappingKey
    var authorities: AuthorityRecord
    var key: KeyPair
    /// Its own certificate first.
    var chain: [Certificate]
  }

  static let folder = "credentials"
  static let keyFile = "node.key"
  static let certificateFile = "node.crt"
  static let authoritiesFile = "ca.crt"
  private static let joiningFile = "joining.key"
  private static let wrappingFile = "wrapping.key"
  private static let recordFile = "authority.json"

  let directory: SecretDirectory

  init(dataDirectory: String) { directory = SecretDirectory(path: dataDirectory + "/" + Self.folder) }

  /// `nil` if the node has none. Throws if some are missing, damaged, or open to others.
  func load() throws -> Contents? {
    guard let record = try directory.read(Self.recordFile) else { return nil }
    guard let wrapping = try directory.read(Self.wrappingFile).flatMap({ [UInt8](hexadecimal: Self.text($0)) }).flatMap(WrappingKey.init),
      let key = try directory.read(Self.keyFile), let chain = try directory.read(Self.certificateFile)
    else { throw NodeSecretsError(path: directory.path) }
    do {
      let authorities = try AuthorityRecord(decoding: record)
      // With another wrapping key nothing could be renewed.
      _ = try authorities.newest(wrapping)
      return Contents(
        wrappingKey: wrapping, authorities: authorities, key: try KeyPair(pem: Self.text(key)),
        chain: try CertificateText.decode(Self.text(chain)))
    } catch {
      throw NodeSecretsError(path: directory.path)
    }
  }

  /// The record of authorities goes last: without it there are no secrets.
  ///
  /// - Parameter now: decides which authorities clients are told to trust.
  func save(_ contents: Contents, at now: Date) throws {
    try directory.write(Self.wrappingFile, Array(contents.wrappingKey.bytes.hexadecimal.utf8))
    try directory.write(Self.keyFile, Array(contents.key.pem.utf8))
    try directory.write(Self.certificateFile, Array(try CertificateText.encode(contents.chain).utf8))
    try directory.write(Self.authoritiesFile, Array(try CertificateText.encode(contents.authorities.anchors(at: now).authorities).utf8))
    try directory.write(Self.recordFile, try contents.authorities.encoded())
    try directory.remove(Self.joiningFile)
  }

  /// The key with which this node asks to be let in: the same until it is, so that the cluster knows it again if an answer was lost.
  func joiningKey() throws -> KeyPair {
    if let pem = try directory.read(Self.joiningFile), let key = try? KeyPair(pem: Self.text(pem)) { return key }
    let key = KeyPair()
    try directory.write(Self.joiningFile, Array(key.pem.utf8))
    return key
  }

  /// The cluster whose credentials are or were here, even if they are of no use any more.
  func domain() -> TrustDomain? {
    (try? directory.read(Self.recordFile)).flatMap { try? AuthorityRecord(decoding: $0).trustDomain() }
  }

  private static func text(_ bytes: [UInt8]) -> String {
    String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
  }
}

/// The files are not what they should be.
struct NodeSecretsError: Error, CustomStringConvertible {
  let path: String

  var description: String {
    "\(path) is damaged or incomplete: get a token on another server (`coracle token create`), and run `coracle join` with it on this one; "
      + "the data stays as it is"
  }
}
