import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOSSL
import X509

/// What a node shows in TLS and whom it believes. It may change at any time: later connections use what is new, and what was shown on those
/// that are open is looked at again (`HandshakeOutcome.lapse`).
public final class TLSCredentials: Sendable {
  /// A key with its certificate, and the authorities.
  public struct Material: Sendable {
    public var key: Certificate.PrivateKey
    /// The own certificate first, then what connects it with older authorities, then the authority's own.
    public var chain: [Certificate]
    public var anchors: TrustAnchors

    public init(key: Certificate.PrivateKey, chain: [Certificate], anchors: TrustAnchors) {
      self.key = key
      self.chain = chain
      self.anchors = anchors
    }
  }

  private struct Contexts {
    /// How many there were before.
    var generation = 0
    var anchors: TrustAnchors
    var peerServer: NIOSSLContext
    var clientServer: NIOSSLContext
    var client: NIOSSLContext
  }

  private let contexts = NIOLockedValueBox<Contexts?>(nil)
  private let own = NIOLockedValueBox<OwnCertificate?>(nil)

  public init() {}

  /// From now on, clients that ask for a name of this certificate are shown it. All others are shown the cluster's: those that come with an
  /// address, and the nodes and commands of the cluster, which ask for a name that is nobody's and know the cluster's authority alone.
  /// Whoever it is shown to may show a certificate of the cluster as before.
  public func show(_ certificate: OwnCertificate) { own.withLockedValue { $0 = certificate } }

  /// From now on, this is shown and believed.
  public func install(_ material: Material) throws {
    let chain = try material.chain.map { NIOSSLCertificateSource.certificate(try NIOSSLCertificate(bytes: try $0.der, format: .der)) }
    let key = try NIOSSLPrivateKey(bytes: Array(try material.key.serializeAsPEM().pemString.utf8), format: .pem)
    var server = TLSConfiguration.makeServerConfiguration(certificateChain: chain, privateKey: .privateKey(key))
    server.minimumTLSVersion = .tlsv13
    // Who the other side is, is checked here instead, against authorities and identities.
    server.certificateVerification = .noHostnameVerification
    var clients = server
    clients.minimumTLSVersion = .tlsv12
    clients.certificateVerification = .optionalVerification
    clients.applicationProtocols = ["http/1.1"]
    clients.sslContextCallback = { [own] asked, promise in
      promise.succeed(own.withLockedValue { $0 }?.override(for: asked.serverHostname) ?? .noChanges)
    }
    var client = TLSConfiguration.makeClientConfiguration()
    client.minimumTLSVersion = .tlsv13
    client.certificateChain = chain
    client.privateKey = .privateKey(key)
    client.certificateVerification = .noHostnameVerification
    var made = Contexts(
      anchors: material.anchors, peerServer: try NIOSSLContext(configuration: server),
      clientServer: try NIOSSLContext(configuration: clients), client: try NIOSSLContext(configuration: client))
    contexts.withLockedValue { contexts in
      made.generation = (contexts?.generation ?? -1) + 1
      contexts = made
    }
  }

  /// Whether there is anything to show yet.
  public var areInstalled: Bool { contexts.withLockedValue { $0 != nil } }

  public var anchors: TrustAnchors? { contexts.withLockedValue { $0?.anchors } }

  private func current() throws(CertificateFault) -> Contexts {
    guard let current = contexts.withLockedValue({ $0 }) else { throw .none }
    return current
  }

  /// For a connection that a peer opened: it must show a certificate.
  package func serverHandlerForPeers(_ outcome: HandshakeOutcome) throws -> NIOSSLServerHandler {
    let current = try current()
    return NIOSSLServerHandler(context: current.peerServer, customVerificationCallback: verification(outcome, current))
  }

  /// For one that a client opened: it may show one.
  package func serverHandlerForClients(_ outcome: HandshakeOutcome) throws -> NIOSSLServerHandler {
    let current = try current()
    return NIOSSLServerHandler(context: current.clientServer, customVerificationCallback: verification(outcome, current))
  }

  /// For one that this node opens.
  package func clientHandler(_ outcome: HandshakeOutcome) throws -> NIOSSLClientHandler {
    let current = try current()
    return try NIOSSLClientHandler(
      context: current.client, serverHostname: nil, customVerificationCallback: verification(outcome, current))
  }

  private func verification(_ outcome: HandshakeOutcome, _ current: Contexts) -> NIOSSLCustomVerificationCallback {
    outcome.verification(current.anchors, of: self, generation: current.generation)
  }

  /// Changes with every `install`.
  fileprivate var generation: Int? { contexts.withLockedValue { $0?.generation } }
}

/// Whom the other side of one connection has shown itself to be. Confined to the connection's event loop.
package final class HandshakeOutcome {
  package private(set) var identity: CertifiedIdentity?
  package private(set) var fault: CertificateFault?
  /// What the connection was made with.
  private var credentials: TLSCredentials?
  private var generation = 0
  /// What the other side showed, and when that ends.
  private var chain: [Certificate] = []
  private var shownEnds = Date.distantFuture
  /// The last credentials under which the chain was good.
  private var goodUnder = 0

  package init() {}

  private static let longestChain = 5

  func verification(_ anchors: TrustAnchors, of credentials: TLSCredentials, generation: Int) -> NIOSSLCustomVerificationCallback {
    (self.credentials, self.generation, goodUnder) = (credentials, generation, generation)
    return { certificates, promise in
      let this = NIOLoopBound(self, eventLoop: promise.futureResult.eventLoop)
      let chain = certificates.count <= Self.longestChain ? try? certificates.map { try Certificate(der: $0.toDERBytes()) } : nil
      promise.futureResult.eventLoop.makeFutureWithTask { () throws -> CertifiedIdentity in
        guard let chain else { throw CertificateFault.malformed }
        return try await anchors.identity(of: chain)
      }.whenComplete { result in
        switch result {
        case .success(let identity):
          this.value.identity = identity
          this.value.keep(chain ?? [])
          promise.succeed(.certificateVerified)
        case .failure(let error):
          this.value.fault = error as? CertificateFault ?? .malformed
          promise.succeed(.failed)
        }
      }
    }
  }

  /// A session that goes on from an earlier connection shows no certificate again. What that one showed was checked then, against the same
  /// authorities, since a session does not outlive them; but it may have ended since.
  package func resume(_ certificate: NIOSSLCertificate?) {
    guard identity == nil, fault == nil, let certificate, let leaf = try? Certificate(der: certificate.toDERBytes()) else { return }
    do throws(CertificateFault) {
      try TrustAnchors.checkTime(of: leaf, now: Date())
      identity = TrustAnchors.identity(in: leaf)
      keep([leaf])
    } catch {
      fault = error
    }
  }

  private func keep(_ shown: [Certificate]) {
    chain = shown
    shownEnds = shown.first?.notValidAfter ?? .distantFuture
  }

  /// Why what the other side showed counts no more, if so: it has ended, or the authority that gave it counts no more. Nothing lapses of
  /// who has shown nothing.
  package func lapse(now: Date = Date()) -> CertificateFault? {
    guard let leaf = chain.first, let credentials else { return nil }
    if now > shownEnds { return .expired(at: shownEnds, now: now) }
    guard let generation = credentials.generation, generation != goodUnder, let anchors = credentials.anchors else { return nil }
    guard anchors.stillVouch(for: leaf, by: chain.dropFirst()) else { return .foreign }
    goodUnder = generation
    return nil
  }

  /// Whether a connection should be opened in place of this one: what this side shows has changed, or what the other side showed ends
  /// within `time`.
  package func isDue(within time: TimeInterval, now: Date = Date()) -> Bool {
    guard let credentials else { return false }
    return shownEnds < now + time || credentials.generation != generation
  }

  /// What went wrong, for people.
  package static func words(for error: any Error) -> String {
    guard let error = error as? NIOSSLError else { return "\(error)" }
    // The library's text names the places of its own source; what happened stands between two marks.
    let text = "\(error)"
    guard let start = text.firstRange(of: "OPENSSL_internal:"), let end = text[start.upperBound...].firstRange(of: " at ") else {
      return "TLS was not agreed on"
    }
    let reason = text[start.upperBound..<end.lowerBound].lowercased().replacing("_", with: " ")
    return "TLS was not agreed on: \(reason)"
  }
}
