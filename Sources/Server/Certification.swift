import Coracle
import Credentials
import EtcdAPI
import Foundation
import KeyValue
import Logging
import NIOConcurrencyHelpers
import Raft
import ServiceLifecycle
import X509

/// The cluster's certificate authority at work on one node: it keeps this node's certificate fresh, follows the authorities that the log
/// names, and gives certificates to servers that join and to clients.
final class Certification: Sendable {
  struct Settings: Sendable {
    /// How long a node's certificate is valid; it is renewed at two thirds of that.
    var nodeLife: TimeInterval = 7 * 86400
    /// How often it is looked whether anything must be done.
    var interval = Duration.seconds(1)
  }

  let credentials = TLSCredentials()
  let node: UInt64
  let settings: Settings
  let logger: Logger
  private let secrets: NodeSecrets
  /// At which this node is reached.
  private let names: [String]
  private let contents: NIOLockedValueBox<NodeSecrets.Contents>
  /// The certificate whose issue the log knows of.
  private let reported = NIOLockedValueBox<Certificate?>(nil)

  /// For a node whose directory holds secrets. A certificate that has ended is replaced at once, since no peer would help with that.
  init(
    _ contents: NodeSecrets.Contents, in secrets: NodeSecrets, node: UInt64, names: [String], settings: Settings, logger: Logger
  ) throws {
    self.contents = NIOLockedValueBox(contents)
    (self.secrets, self.node, self.names, self.settings, self.logger) = (secrets, node, names, settings, logger)
    if needsRenewal(contents, now: Date()) { try renew() } else { try install(contents) }
  }

  /// For the first node of a cluster: makes the authority.
  static func found(
    in secrets: NodeSecrets, node: UInt64, names: [String], settings: Settings, logger: Logger
  ) throws -> Certification {
    let authority = try Authority(domain: .random())
    let wrappingKey = WrappingKey.random()
    let key = KeyPair()
    let certificate = try authority.issue(
      .node(domain: authority.domain, node), for: key.publicKey, names: names, now: Date(), life: settings.nodeLife)
    let record = try AuthorityRecord(authority, sealedUnder: wrappingKey)
    let contents = NodeSecrets.Contents(
      wrappingKey: wrappingKey, authorities: record, key: key, chain: [certificate] + (try record.chain()))
    try secrets.save(contents)
    return try Certification(contents, in: secrets, node: node, names: names, settings: settings, logger: logger)
  }

  // MARK: What is in force

  var current: NodeSecrets.Contents { contents.withLockedValue { $0 } }

  private func install(_ contents: NodeSecrets.Contents) throws {
    try credentials.install(
      .init(key: contents.key.privateKey, chain: contents.chain, anchors: try contents.authorities.anchors()))
  }

  private func needsRenewal(_ contents: NodeSecrets.Contents, now: Date) -> Bool {
    guard let certificate = contents.chain.first, let newest = try? contents.authorities.anchors().authorities.first,
      newest.publicKey.isValidSignature(certificate.signature, for: certificate), certificate.publicKey == contents.key.publicKey,
      (try? certificate.extensions.subjectAlternativeNames)?.contains(.uniformResourceIdentifier(identityURI)) == true
    else { return true }
    return now >= certificate.notValidAfter - settings.nodeLife / 3 || now < certificate.notValidBefore
  }

  private var identityURI: String {
    (try? current.authorities.trustDomain()).map { CertifiedIdentity.node(domain: $0, node).uri } ?? ""
  }

  private func renew() throws {
    var contents = current
    let authority = try contents.authorities.newest(contents.wrappingKey)
    contents.key = KeyPair()
    let certificate = try authority.issue(
      .node(domain: authority.domain, node), for: contents.key.publicKey, names: names, now: Date(), life: settings.nodeLife)
    contents.chain = [certificate] + (try contents.authorities.chain())
    try secrets.saveCertificate(contents)
    try adopt(contents)
    logger.info("has a new certificate", metadata: ["valid_until": "\(certificate.notValidAfter.formatted(.iso8601))"])
  }

  private func adopt(_ new: NodeSecrets.Contents) throws {
    try install(new)
    contents.withLockedValue { $0 = new }
  }

  // MARK: What must be done

  /// Does what is due.
  func keep(_ records: SharedRecords) async throws {
    let now = Date()
    if let bytes = try await records.readLocally(AuthorityRecord.name) {
      let record = try AuthorityRecord(decoding: bytes)
      if record != current.authorities { try follow(record) }
      // Before anything that needs a leader: without a certificate that counts there may be none.
      if needsRenewal(current, now: now) { try renew() }
      if let rest = record.withoutRetired(now: now) {
        _ = try await records.replace(AuthorityRecord.name, bytes, with: try rest.encoded())
      }
    } else {
      _ = try await records.replace(AuthorityRecord.name, nil, with: try current.authorities.encoded())
    }
    if needsRenewal(current, now: now) { try renew() }
    try await report(records)
  }

  private func follow(_ record: AuthorityRecord) throws {
    var contents = current
    guard record.domain == contents.authorities.domain else { throw CertificateFault.foreign }
    contents.authorities = record
    // What leads from the old authority to the new one goes with the certificate as long as both count.
    contents.chain = Array(contents.chain.prefix(1)) + (try record.chain())
    try secrets.saveAuthorities(contents)
    try secrets.saveCertificate(contents)
    try adopt(contents)
    logger.notice("the cluster's authorities have changed", metadata: ["count": "\(record.entries.count)"])
  }

  /// The log gets to know which certificate this node has.
  private func report(_ records: SharedRecords) async throws {
    guard let certificate = current.chain.first, certificate != reported.withLockedValue({ $0 }) else { return }
    try await record(certificate, of: CertifiedIdentity.node(domain: try current.authorities.trustDomain(), node), records)
    reported.withLockedValue { $0 = certificate }
  }

  func record(_ certificate: Certificate, of identity: CertifiedIdentity, _ records: SharedRecords) async throws {
    let name =
      switch identity {
      case .node(_, let id): "certificate/node/\(NodeID(id))"
      case .client(_, let client): "certificate/client/\(client)"
      }
    let value = try IssuedCertificate(certificate).encoded()
    for _ in 0..<3 {
      let before = try await records.read(name)
      if before == value { return }
      if try await records.replace(name, before, with: value) { return }
    }
  }
}

/// What the log knows of a certificate: enough to say who has one, and until when.
struct IssuedCertificate: Codable, Sendable {
  var serial: String
  /// In seconds since 1970.
  var notAfter: Int64

  init(_ certificate: Certificate) {
    serial = Array(certificate.serialNumber.bytes).hexadecimal
    notAfter = Int64(certificate.notValidAfter.timeIntervalSince1970)
  }

  func encoded() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return Array(try encoder.encode(self))
  }
}

/// Keeps the node's certificate fresh as long as the node runs.
struct CertificationService: Service {
  let certification: Certification
  let node: Node<KeyValueMachine>
  let records: SharedRecords

  func run() async throws {
    do {
      try await cancelWhenGracefulShutdown {
        try await node.waitUntilStarted()
        while true {
          do {
            try await certification.keep(records)
          } catch let error where !(error is CancellationError) {
            certification.logger.debug("looks after its certificate again later", metadata: ["reason": "\(error)"])
          }
          try await Task.sleep(for: certification.settings.interval)
        }
      }
    } catch is CancellationError {}
  }
}
