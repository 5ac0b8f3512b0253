import Coracle
import Credentials
import Foundation
import KeyValue
import Logging
import Metrics
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
    /// The time of day.
    var now: @Sendable () -> Date = { Date() }

    /// What failed is tried again after that: a minute, with the usual life.
    var pause: Duration { max(interval, .seconds(nodeLife / 10_000)) }
  }

  private struct State {
    var contents: NodeSecrets.Contents
    /// What is believed: the authorities that counted when that was looked at last.
    var trusted: AuthorityRecord
    /// Whether the files hold all this.
    var isSaved = true
    /// When what failed is tried again.
    var retry = ContinuousClock.now
  }

  let credentials = TLSCredentials()
  let node: UInt64
  let settings: Settings
  let logger: Logger
  private let secrets: NodeSecrets
  /// At which this node is reached.
  private let names: [String]
  private let state: NIOLockedValueBox<State>
  /// The certificate whose issue the log knows of.
  private let reported = NIOLockedValueBox<Certificate?>(nil)
  private let troubles: NIOLockedValueBox<RefusalLog>
  private let validUntil = Gauge(label: "coracle_certificate_valid_until_seconds")

  /// For a node whose directory holds secrets. A certificate that has ended is replaced at once, since no peer would help with that.
  init(
    _ contents: NodeSecrets.Contents, in secrets: NodeSecrets, node: UInt64, names: [String], settings: Settings, logger: Logger
  ) throws {
    (self.secrets, self.node, self.names, self.settings, self.logger) = (secrets, node, names, settings, logger)
    let now = settings.now()
    state = NIOLockedValueBox(State(contents: contents, trusted: contents.authorities.inForce(at: now)))
    troubles = NIOLockedValueBox(RefusalLog(logger: logger))
    renewAndSave(at: now)
    if !credentials.areInstalled {
      try install(contents, at: now)
      state.withLockedValue { $0.isSaved = $0.contents.chain == contents.chain }
    }
    // Nobody would talk to this node, and nothing but an operator changes that.
    guard let certificate = current.chain.first, now <= certificate.notValidAfter else {
      throw NodeSecretsError(path: secrets.directory.path)
    }
  }

  /// For the first node of a cluster: makes the authority.
  static func found(
    in secrets: NodeSecrets, node: UInt64, names: [String], settings: Settings, logger: Logger
  ) throws -> Certification {
    let authority = try Authority(domain: .random())
    let wrappingKey = WrappingKey.random()
    let (key, now) = (KeyPair(), settings.now())
    let certificate = try authority.issue(
      .node(domain: authority.domain, node), for: key.publicKey, names: names, now: now, life: settings.nodeLife)
    let record = try AuthorityRecord(authority, sealedUnder: wrappingKey)
    let contents = NodeSecrets.Contents(
      wrappingKey: wrappingKey, authorities: record, key: key, chain: [certificate] + (try record.chain(at: now)))
    try secrets.save(contents, at: now)
    return try Certification(contents, in: secrets, node: node, names: names, settings: settings, logger: logger)
  }

  var current: NodeSecrets.Contents { state.withLockedValue { $0.contents } }

  /// Does what is due. Throws what kept it from being done for the other nodes to see; that is tried again at the next call.
  func keep(_ records: any RecordStore) async throws {
    let known: [UInt8]?
    do {
      known = try await records.readLocally(AuthorityRecord.name)
    } catch {
      tend(nil)
      throw error
    }
    tend(known)
    if known == nil { _ = try await records.replace(AuthorityRecord.name, nil, with: try current.authorities.encoded()) }
    try await report(records)
  }

  // MARK: What this node does alone

  /// Needs no other node, and so no leader: without certificates that count there may be none.
  ///
  /// - Parameter known: what the log says of the authorities, as far as this node has come.
  private func tend(_ known: [UInt8]?) {
    let now = settings.now()
    attempt("does not follow the cluster's authorities; are all nodes of the same release?") { try follow(known, at: now) }
    guard state.withLockedValue({ $0.retry }) <= ContinuousClock.now else { return }
    renewAndSave(at: now)
  }

  private func renewAndSave(at now: Date) {
    let isRenewed = attempt(
      "cannot renew its certificate, without which no node takes it; if that goes on, `coracle join` with a token gets another"
    ) {
      if current.needsRenewal(node, life: settings.nodeLife, at: now) { try renew(at: now) }
    }
    let isSaved = attempt("cannot write its certificate to its file, and has an older one after a restart: see to the disk") {
      try save(at: now)
    }
    if !isRenewed || !isSaved { state.withLockedValue { $0.retry = .now + settings.pause } }
  }

  /// Whether it was done.
  @discardableResult
  private func attempt(_ message: Logger.Message, _ work: () throws -> Void) -> Bool {
    do {
      try work()
      return true
    } catch {
      warn(message, ["reason": "\(error)", "valid_until": "\(current.chain.first?.notValidAfter.formatted(.iso8601) ?? "-")"])
      return false
    }
  }

  /// Once a second at most.
  func warn(_ message: Logger.Message, _ metadata: Logger.Metadata) {
    troubles.withLockedValue { $0.record(message, metadata, now: .now()) }
  }

  private func follow(_ known: [UInt8]?, at now: Date) throws {
    var contents = current
    if let known {
      let record = try AuthorityRecord(decoding: known)
      guard record.domain == contents.authorities.domain else { throw CertificateFault.foreign }
      if record.replacements >= contents.authorities.replacements { contents.authorities = record }
    }
    // By this node's clock, for this node: the record stays as it is.
    let trusted = contents.authorities.inForce(at: now)
    guard contents.authorities != current.authorities || trusted != state.withLockedValue({ $0.trusted }) else { return }
    try install(contents, at: now)
    logger.notice("the cluster's authorities have changed", metadata: ["count": "\(trusted.entries.count)"])
  }

  private func renew(at now: Date) throws {
    var contents = current
    let authority = try contents.authorities.newest(contents.wrappingKey)
    contents.key = KeyPair()
    let certificate = try authority.issue(
      .node(domain: authority.domain, node), for: contents.key.publicKey, names: names, now: now, life: settings.nodeLife)
    contents.chain = [certificate]
    // In force before it is in its file: the disk may be full, and the old one ends all the same.
    try install(contents, at: now)
    logger.info("has a new certificate", metadata: ["valid_until": "\(certificate.notValidAfter.formatted(.iso8601))"])
  }

  /// From now on, this is shown and believed. What leads from the old authority to the new one goes with the certificate as long as both
  /// count.
  private func install(_ contents: NodeSecrets.Contents, at now: Date) throws {
    var contents = contents
    contents.chain = Array(contents.chain.prefix(1)) + (try contents.authorities.chain(at: now))
    try credentials.install(
      .init(key: contents.key.privateKey, chain: contents.chain, anchors: try contents.authorities.anchors(at: now)))
    state.withLockedValue { [contents] state in
      (state.contents, state.trusted, state.isSaved) = (contents, contents.authorities.inForce(at: now), false)
    }
    validUntil.record(contents.chain.first?.notValidAfter.timeIntervalSince1970 ?? 0)
  }

  private func save(at now: Date) throws {
    let state = state.withLockedValue { $0 }
    guard !state.isSaved else { return }
    try secrets.save(state.contents, at: now)
    self.state.withLockedValue { $0.isSaved = true }
  }

  // MARK: What the others see

  /// The log gets to know which certificate this node has.
  private func report(_ records: any RecordStore) async throws {
    guard let certificate = current.chain.first, certificate != reported.withLockedValue({ $0 }) else { return }
    try await record(certificate, of: CertifiedIdentity.node(domain: try current.authorities.trustDomain(), node), records)
    reported.withLockedValue { $0 = certificate }
  }
}

extension NodeSecrets.Contents {
  /// Whether the certificate is not of the newest authority, not for this key and node, or two thirds over.
  func needsRenewal(_ node: UInt64, life: TimeInterval, at now: Date) -> Bool {
    guard let certificate = chain.first, let newest = try? authorities.certificates().first, let domain = try? authorities.trustDomain(),
      newest.publicKey.isValidSignature(certificate.signature, for: certificate), certificate.publicKey == key.publicKey,
      (try? certificate.extensions.subjectAlternativeNames)?
        .contains(.uniformResourceIdentifier(CertifiedIdentity.node(domain: domain, node).uri)) == true
    else { return true }
    return now >= certificate.notValidAfter - life / 3 || now < certificate.notValidBefore
  }
}

/// Keeps the node's certificate fresh as long as the node runs.
struct CertificationService: Service {
  let certification: Certification
  let node: Node<KeyValueMachine>
  let records: any RecordStore

  func run() async throws {
    do {
      try await cancelWhenGracefulShutdown {
        try await node.waitUntilStarted()
        while true {
          do {
            try await certification.keep(records)
          } catch let error where !(error is CancellationError) {
            // There is no leader, for the most part.
            certification.logger.debug("writes its certificate down later", metadata: ["reason": "\(error)"])
          }
          try await Task.sleep(for: certification.settings.interval)
        }
      }
    } catch is CancellationError {}
  }
}
