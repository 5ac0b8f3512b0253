import Credentials
import Foundation
import NIOSSL
import Raft
import RawClient
import Synchronization
import Testing
import X509

@testable import EtcdAPI

/// The client port when it speaks TLS.
@Suite struct SecurePortTests {
  private final class Refusals: Sendable {
    private let seen = Mutex<[ClientRefusal]>([])

    func add(_ refusal: ClientRefusal) { seen.withLock { $0.append(refusal) } }
    var all: [ClientRefusal] { seen.withLock { $0 } }

    func wait(for count: Int) async throws -> [ClientRefusal.Reason] {
      for _ in 0..<1000 where all.count < count { try await Task.sleep(for: .milliseconds(10)) }
      return all.map(\.reason)
    }
  }

  private let authority: Authority
  private let refusals = Refusals()

  init() throws { authority = try Authority(domain: .random()) }

  /// - Parameter issuer: whose certificate is shown; this cluster's authority is believed.
  private func credentials(
    _ identity: (TrustDomain) -> CertifiedIdentity, by issuer: Authority? = nil, from: TimeInterval = 0, life: TimeInterval = 600
  ) throws -> TLSCredentials {
    let (key, issuer, made) = (KeyPair(), issuer ?? authority, TLSCredentials())
    let leaf = try issuer.issue(identity(issuer.domain), for: key.publicKey, now: Date() + from, life: life)
    try made.install(
      .init(
        key: key.privateKey, chain: [leaf, issuer.certificate],
        anchors: TrustAnchors(domain: authority.domain, authorities: [authority.certificate])))
    return made
  }

  private func withPort(
    of service: ModelService = ModelService(), _ change: (inout GatewaySettings) -> Void = { _ in },
    _ body: (GatewayServer, Int) async throws -> Void
  ) async throws {
    var settings = GatewaySettings()
    settings.shutdownTimeout = .milliseconds(300)
    change(&settings)
    let server = try await GatewayServer.start(
      host: "127.0.0.1", port: 0, service: service, settings: settings, credentials: try credentials { .node(domain: $0, 7) },
      refused: { [refusals] in refusals.add($0) })
    let outcome: Result<Void, any Error>
    do { outcome = .success(try await body(server, server.address.port ?? 0)) } catch { outcome = .failure(error) }
    await server.stop()
    try outcome.get()
  }

  private func client(_ port: Int, showing credentials: TLSCredentials) async throws -> RawClient {
    try await RawClient(port: port) { try credentials.clientHandler(HandshakeOutcome()) }
  }

  private func stranger(_ port: Int) async throws -> RawClient {
    try await RawClient(port: port) {
      var configuration = TLSConfiguration.makeClientConfiguration()
      configuration.certificateVerification = .none
      return try NIOSSLClientHandler(context: try NIOSSLContext(configuration: configuration), serverHostname: nil)
    }
  }

  @Test func aClientIsHeardAndAStrangerIsToldWhatToShow() async throws {
    try await withPort { _, port in
      let known = try await client(port, showing: try credentials { .client(domain: $0, "alice") })
      try await known.post("/v3/kv/put", #"{"key":"YQ==","value":"Yg=="}"#)
      #expect(try await known.wait(answers: 1).hasPrefix("HTTP/1.1 200"))
      let stranger = try await stranger(port)
      try await stranger.post("/v3/kv/range", #"{"key":"YQ=="}"#)
      let text = try await stranger.wait(answers: 1)
      #expect(text.hasPrefix("HTTP/1.1 401") && text.contains("client-cert"))
      for client in [known, stranger] { await client.close() }
      #expect(refusals.all.isEmpty)
    }
  }

  @Test func whoIsNotLetInIsReported() async throws {
    try await withPort { _, port in
      let other = try Authority(domain: .random())
      let foreign = try await client(port, showing: try credentials({ .client(domain: $0, "alice") }, by: other))
      #expect(try await refusals.wait(for: 1) == [.certificate])
      let expired = try await client(port, showing: try credentials({ .client(domain: $0, "alice") }, from: -50_000))
      #expect(try await refusals.wait(for: 2) == [.certificate, .certificate])
      let plain = try await RawClient(port: port)
      try await plain.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(try await refusals.wait(for: 3).last == .handshake)
      for client in [foreign, expired, plain] { try await client.wait { !$0.isOpen } }
      #expect(refusals.all.count == 3 && refusals.all[1].text.contains("clock") && refusals.all[0].host == "127.0.0.1")
    }
  }

  @Test func aHandshakeEndsInTime() async throws {
    try await withPort {
      $0.headTimeout = .milliseconds(50)
    } _: { _, port in
      let silent = try await RawClient(port: port)
      #expect(try await refusals.wait(for: 1) == [.handshakeTime])
      try await silent.wait { !$0.isOpen }
    }
  }

  @Test func oneTooManyIsReported() async throws {
    try await withPort {
      $0.maximumConnections = 1
    } _: { _, port in
      let first = try await RawClient(port: port)
      let second = try await RawClient(port: port)
      #expect(try await refusals.wait(for: 1) == [.tooManyConnections])
      for client in [first, second] { await client.close() }
    }
  }

  /// With TLS there is some time between the decision to close and the end; what comes then is not looked at any more.
  @Test func aPortThatClosesDoesNotMindHalfARequest() async throws {
    try await withPort { server, port in
      let stranger = try await stranger(port)
      try await stranger.send("GET /health HTTP/1.1\r\n")
      let known = try await client(port, showing: try credentials { .client(domain: $0, "alice") })
      try await known.post("/v3/kv/put", #"{"key":"YQ==","value":"Yg=="}"#)
      try await known.wait(answers: 1)
      await server.stop()
      try await stranger.wait { !$0.isOpen }
      #expect(!stranger.received.contains("200"))
    }
  }

  // MARK: Connections that are open

  private func opened(_ client: RawClient) async throws {
    try await client.post("/v3/watch", #"{"create_request":{"key":"YQ=="}}"#)
    try await client.wait { $0.received.contains("created") }
  }

  @Test func aCertificateThatEndsEndsWhatItOpened() async throws {
    let service = ModelService()
    try await withPort(of: service) { _, port in
      let brief = try credentials({ .client(domain: $0, "alice") }, life: 2)
      let (watching, asking) = (try await client(port, showing: brief), try await client(port, showing: brief))
      try await opened(watching)
      try await asking.post("/v3/kv/range", #"{"key":"YQ=="}"#)
      #expect(try await asking.wait(answers: 1).hasPrefix("HTTP/1.1 200"))
      let told = try await watching.wait { !$0.isOpen }
      #expect(told.contains("its certificate ended at") && service.watchCount == 0)
      try await asking.post("/v3/kv/range", #"{"key":"YQ=="}"#)
      #expect(try await asking.wait(answers: 2).contains("HTTP/1.1 401"))
      try await asking.wait { !$0.isOpen }
    }
  }

  @Test func aNodeThatIsRemovedHearsNoMore() async throws {
    let service = ModelService()
    let member = Member(id: NodeID(8), name: "b", peerAddress: "b:1", clientAddress: "b:2")
    service.behave { $0.configuration = Configuration(voters: [member]) }
    try await withPort(of: service) { _, port in
      let node = try await client(port, showing: try credentials { .node(domain: $0, 8) })
      try await opened(node)
      let other = try await client(port, showing: try credentials { .client(domain: $0, "alice") })
      try await opened(other)
      service.behave { $0.configuration = Configuration(voters: [], removed: [NodeID(8)]) }
      #expect(try await node.wait { !$0.isOpen }.contains("was removed from the cluster"))
      #expect(other.isOpen)
      await other.close()
    }
  }
}

/// The client port with a certificate of the operator's.
@Suite struct OwnCertificatePortTests {
  private static let name = "api.example.net"
  private let cluster: Authority
  private let company: Authority
  private let directory: String

  init() throws {
    cluster = try Authority(domain: .random())
    company = try Authority(domain: .random())
    directory = FileManager.default.temporaryDirectory.appendingPathComponent("coracle-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
  }

  private var files: CertificateFiles { CertificateFiles(certificate: directory + "/cert.pem", key: directory + "/key.pem") }

  private func write() throws {
    let key = KeyPair()
    let leaf = try company.issue(.node(domain: company.domain, 1), for: key.publicKey, names: [Self.name], now: Date(), life: 600)
    try Data(try CertificateText.encode([leaf]).utf8).write(to: URL(fileURLWithPath: files.certificate))
    try Data(key.pem.utf8).write(to: URL(fileURLWithPath: files.key))
    try FileManager.default.setAttributes([.posixPermissions: NSNumber(value: 0o600)], ofItemAtPath: files.key)
  }

  private func credentials(_ identity: CertifiedIdentity) throws -> TLSCredentials.Material {
    let key = KeyPair()
    let leaf = try cluster.issue(identity, for: key.publicKey, now: Date(), life: 600)
    return .init(
      key: key.privateKey, chain: [leaf, cluster.certificate],
      anchors: TrustAnchors(domain: cluster.domain, authorities: [cluster.certificate]))
  }

  private func withPort(_ body: (Int, OwnCertificate) async throws -> Void) async throws {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try write()
    let own = try OwnCertificate(files, .underItsNames)
    let shown = TLSCredentials()
    shown.show(own)
    try shown.install(try credentials(.node(domain: cluster.domain, 7)))
    var settings = GatewaySettings()
    settings.shutdownTimeout = .milliseconds(300)
    let server = try await GatewayServer.start(
      host: "127.0.0.1", port: 0, service: ModelService(), settings: settings, credentials: shown)
    let outcome: Result<Void, any Error>
    do { outcome = .success(try await body(server.address.port ?? 0, own)) } catch { outcome = .failure(error) }
    await server.stop()
    try outcome.get()
  }

  /// A client that asks for a name and believes one authority.
  private func client(
    _ port: Int, asking name: String?, believing authority: Authority, showing client: String? = nil
  ) async throws -> RawClient {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.trustRoots = .certificates([try NIOSSLCertificate(bytes: try authority.certificate.der, format: .der)])
    configuration.certificateVerification = .noHostnameVerification
    if let client {
      let material = try credentials(.client(domain: cluster.domain, client))
      configuration.certificateChain = try material.chain.map { .certificate(try NIOSSLCertificate(bytes: try $0.der, format: .der)) }
      configuration.privateKey = .privateKey(
        try NIOSSLPrivateKey(bytes: Array(try material.key.serializeAsPEM().pemString.utf8), format: .pem))
    }
    let context = try NIOSSLContext(configuration: configuration)
    return try await RawClient(port: port) { try NIOSSLClientHandler(context: context, serverHostname: name) }
  }

  /// The beginning of the answer to a put; empty if the client did not believe what it was shown.
  private func put(_ client: RawClient, answers: Int = 1) async throws -> String {
    do { try await client.post("/v3/kv/put", #"{"key":"YQ==","value":"Yg=="}"#) } catch { return "" }
    try await client.wait { !$0.isOpen || $0.received.components(separatedBy: "HTTP/1.1 ").count > answers }
    return client.received.components(separatedBy: "HTTP/1.1 ").last.map { String($0.prefix(3)) } ?? ""
  }

  @Test func isShownToWhoAsksForItsName() async throws {
    try await withPort { port, _ in
      let clients = [
        (try await client(port, asking: Self.name, believing: company, showing: "alice"), "200"),
        (try await client(port, asking: Self.name, believing: company), "401"),
        (try await client(port, asking: Self.name, believing: cluster), ""),
        (try await client(port, asking: nil, believing: cluster, showing: "alice"), "200"),
        (try await client(port, asking: "node0.coracle.invalid", believing: cluster, showing: "alice"), "200"),
        (try await client(port, asking: "other.example.net", believing: company), ""),
        (try await client(port, asking: nil, believing: company), ""),
      ]
      for (number, (client, status)) in clients.enumerated() {
        #expect(try await put(client) == status, "client \(number)")
        if !status.isEmpty { await client.close() }
      }
    }
  }

  @Test func aNewOneIsShownToLaterConnectionsAndOpenOnesGoOn() async throws {
    try await withPort { port, own in
      let early = try await client(port, asking: Self.name, believing: company, showing: "alice")
      #expect(try await put(early) == "200")
      let before = own.end
      try await Task.sleep(for: .seconds(1.1))
      try write()
      #expect(try own.refresh())
      #expect(own.end > before)
      let late = try await client(port, asking: Self.name, believing: company, showing: "alice")
      #expect(try await put(late) == "200")
      #expect(try await put(early, answers: 2) == "200")
      for client in [early, late] { await client.close() }
    }
  }
}
