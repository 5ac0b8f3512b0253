import Coracle
import Credentials
import EtcdAPI
import Foundation
import KeyValue
import Logging
import NIOConcurrencyHelpers
import Replica
import Testing

@testable import Server

private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Does what it is asked for, and loses answers.
private final class Lossy: ClusterAdministration {
  let calls: CertificationCalls
  private let state = NIOLockedValueBox((losses: 0, asked: [AdministrationCall]()))

  init(_ calls: CertificationCalls) { self.calls = calls }

  func lose(_ count: Int) { state.withLockedValue { $0.losses = count } }
  func count(_ call: AdministrationCall) -> Int { state.withLockedValue { $0.asked.count { $0 == call } } }

  func perform(
    _ call: AdministrationCall, body: [UInt8], completion: @escaping @Sendable (Result<[UInt8], AdministrationError>) -> Void
  ) {
    let isLost = state.withLockedValue { state in
      state.asked.append(call)
      guard state.losses > 0 else { return false }
      state.losses -= 1
      return true
    }
    calls.perform(call, body: body) { result in
      completion(isLost ? .failure(.store(.request(RequestError(.deadlineExceeded, outcome: .unknown)))) : result)
    }
  }
}

/// A cluster of one node that talks encrypted, at a port of this machine.
private final class SecureCluster: Sendable {
  let node: Node<KeyValueMachine>
  let certification: Certification
  let records: SharedRecords
  let administration: Lossy
  let endpoint: HostPort
  private let server: GatewayServer
  private let end: Task<Void, any Error>

  init(in path: String) async throws {
    let node = try Node(
      NodeConfiguration(name: "a", dataDirectory: path + "/data", peerAddress: try HostPort("127.0.0.1:0")),
      stateMachine: KeyValueMachine.self, logger: quiet)
    end = Task { try await node.run() }
    try await node.waitUntilStarted()
    let service = NodeService(store: KeyValueStore(node), latest: LatestState(node, logger: quiet)) { 0 }
    let secrets = NodeSecrets(dataDirectory: path)
    certification = try Certification.found(
      in: secrets, node: node.status.node.rawValue, names: ["127.0.0.1"], settings: .init(), logger: quiet)
    records = SharedRecords(store: service.store)
    administration = Lossy(
      CertificationCalls(
        certification: certification, records: records, address: "127.0.0.1:1", refusals: RefusalReport("refused", logger: quiet)))
    server = try await GatewayServer.start(
      host: "127.0.0.1", port: 0, service: service, credentials: certification.credentials, administration: administration)
    endpoint = try HostPort("127.0.0.1:\(server.address.port ?? 0)")
    self.node = node
    try await certification.keep(records)
  }

  func stop() async throws {
    await server.stop()
    end.cancel()
    try await end.value
  }

  func token(uses: Int = 1) async throws -> JoinToken {
    let answer: CertificationCalls.TokenAnswer = try await administration.calls.perform(
      .makeToken, CertificationCalls.TokenRequest(uses: uses))
    return try JoinToken(answer.token)
  }

  func record(of token: JoinToken) async throws -> TokenRecord {
    try TokenRecord(decoding: try #require(try await records.read(TokenRecord.name(token.number))))
  }

  /// The authority is replaced, and nothing counts any more but the new one.
  func replaceAuthority() async throws {
    for _ in 0..<2 {
      let _: CertificationCalls.RotationAnswer = try await administration.calls.perform(
        .rotateAuthority, CertificationCalls.RotationRequest(overlap: 60, force: true))
      try await certification.keep(records)
    }
  }

  /// As an operator asks, on a server of the cluster.
  func ask<Body: Encodable>(_ call: AdministrationCall, _ body: Body) async throws -> [UInt8] {
    let client = ClusterClient(
      endpoints: [endpoint, endpoint], timeout: .seconds(5), credentials: try ClientCredentials(certification.current))
    let result: Result<[UInt8], ClientError>
    do throws(ClientError) {
      result = .success(try await client.administer(call, (try? Array(JSONEncoder().encode(body))) ?? []))
    } catch {
      result = .failure(error)
    }
    await client.close()
    return try result.get()
  }
}

/// How a server comes to its first certificate, over a real port.
@Suite(.serialized, .timeLimit(.minutes(5))) struct EnrollmentTests {
  private func withPath(_ body: (String) async throws -> Void) async throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("coracle-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    let result: Result<Void, any Error>
    do { result = .success(try await body(path)) } catch { result = .failure(error) }
    try FileManager.default.removeItem(atPath: path)
    try result.get()
  }

  private func withCluster(_ body: (SecureCluster, _ newcomer: String) async throws -> Void) async throws {
    try await withPath { path in
      let cluster = try await SecureCluster(in: path)
      let result: Result<Void, any Error>
      do { result = .success(try await body(cluster, path + "/newcomer")) } catch { result = .failure(error) }
      try await cluster.stop()
      try result.get()
    }
  }

  /// `coracle join`, as far as its certificate.
  @discardableResult
  private func join(_ cluster: SecureCluster, _ token: JoinToken, at path: String) async throws -> Certification {
    let configuration = try ServeOptions.parse(["--host", "b.example", "--data-dir", path]).configuration()
    let result = try await Identification(configuration, quiet).certification(Join(endpoint: cluster.endpoint, token: token))
    return try #require(result).certification
  }

  private func secrets(_ path: String) -> NodeSecrets { NodeSecrets(dataDirectory: path) }

  @Test func aTokenLetsAServerIn() async throws {
    try await withCluster { cluster, path in
      let token = try await cluster.token()
      let certification = try await join(cluster, token, at: path)
      #expect(certification.current.authorities == cluster.certification.current.authorities)
      #expect(try secrets(path).load()?.chain.first == certification.current.chain.first)
      #expect(try await cluster.record(of: token).uses == 0)
      #expect(try secrets(path).directory.read("joining.key") == nil)
    }
  }

  @Test func aLostAnswerDoesNotUseUpTheToken() async throws {
    try await withCluster { cluster, path in
      let token = try await cluster.token()
      cluster.administration.lose(2)
      try await join(cluster, token, at: path)
      #expect(cluster.administration.count(.join) == 3)
    }
  }

  @Test func aJoinThatEndedBeforeTheAnswerGoesOnWithTheSameToken() async throws {
    try await withCluster { cluster, path in
      let token = try await cluster.token()
      // It is let in, and ends before it has written that down.
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
      let node = UInt64.random(in: 1 ... .max)
      let enrollment = Enrollment(endpoint: cluster.endpoint, token: token, key: try secrets(path).joiningKey())
      _ = try await enrollment.enroll(node, names: [])
      let again = Enrollment(endpoint: cluster.endpoint, token: token, key: try secrets(path).joiningKey())
      let contents = try await again.enroll(node, names: [])
      #expect(contents.key.pem == enrollment.key.pem)
      await #expect(throws: EnrollmentError.self) {
        _ = try await Enrollment(endpoint: cluster.endpoint, token: token, key: KeyPair()).enroll(node, names: [])
      }
    }
  }

  @Test func aTokenOfAnotherClusterIsRefusedAndNotUsed() async throws {
    try await withCluster { cluster, path in
      try await withCluster { other, _ in
        try await join(cluster, try await cluster.token(), at: path)
        let before = try #require(try secrets(path).load())
        let token = try await other.token()
        let error = await #expect(throws: EnrollmentError.self) { try await join(other, token, at: path) }
        #expect(error?.description.contains("another cluster") == true && error?.description.contains("empty directory") == true)
        #expect(try await other.record(of: token).uses == 1 && other.administration.count(.join) == 0)
        let after = try #require(try secrets(path).load())
        #expect(after.authorities == before.authorities && after.chain == before.chain && after.key.pem == before.key.pem)
        // A token for this cluster does not lead to a server of the other.
        let wrongWay = try await cluster.token()
        let stranger = await #expect(throws: EnrollmentError.self) { try await join(other, wrongWay, at: path + "-2") }
        #expect(stranger?.description.contains("not of the cluster that made the token") == true)
      }
    }
  }

  @Test func whoHasCredentialsThatCountIsNotLetInAgain() async throws {
    try await withCluster { cluster, path in
      let first = try await join(cluster, try await cluster.token(), at: path).current.chain.first
      let token = try await cluster.token()
      #expect(try await join(cluster, token, at: path).current.chain.first == first)
      #expect(try await cluster.record(of: token).uses == 1 && cluster.administration.count(.join) == 1)
    }
  }

  @Test func credentialsOfARetiredAuthorityAreReplacedWithANewToken() async throws {
    try await withCluster { cluster, path in
      let before = try await join(cluster, try await cluster.token(), at: path).current
      try await cluster.replaceAuthority()
      let after = try await join(cluster, try await cluster.token(), at: path).current
      #expect(after.authorities == cluster.certification.current.authorities && after.authorities != before.authorities)
      #expect(after.key.pem != before.key.pem, "a key that may be lost does not come back")
    }
  }

  @Test(arguments: ["wrapping.key", "node.key", "node.crt"])
  func credentialsThatAreDamagedAreReplacedWithAToken(file: String) async throws {
    try await withCluster { cluster, path in
      try await join(cluster, try await cluster.token(), at: path)
      let wrong = file == "wrapping.key" ? String(repeating: "0", count: 64) : "x"
      try secrets(path).directory.write(file, Array(wrong.utf8))
      #expect(throws: NodeSecretsError.self) { try secrets(path).load() }
      try await join(cluster, try await cluster.token(), at: path)
      #expect(try secrets(path).load()?.wrappingKey.bytes == cluster.certification.current.wrappingKey.bytes)
    }
  }

  // MARK: The operator's commands

  @Test func aReplacementWhoseAnswerIsLostIsNotAskedForTwice() async throws {
    try await withCluster { cluster, _ in
      cluster.administration.lose(1)
      let request = CertificationCalls.RotationRequest(overlap: 60)
      let error = await #expect(throws: ClientError.self) { try await cluster.ask(.rotateAuthority, request) }
      #expect(error?.exitCode == ExitStatus.unknown && error?.description.contains("to repeat it does no harm") == true)
      #expect(cluster.administration.count(.rotateAuthority) == 1)
      let again = await #expect(throws: ClientError.self) { try await cluster.ask(.rotateAuthority, request) }
      #expect(again?.exitCode == ExitStatus.failed && again?.description.contains("--force") == true)
    }
  }

  @Test func aTokenWhoseAnswerIsLostIsNotAskedForTwice() async throws {
    try await withCluster { cluster, _ in
      cluster.administration.lose(1)
      let error = await #expect(throws: ClientError.self) {
        try await cluster.ask(.makeToken, CertificationCalls.TokenRequest())
      }
      #expect(error?.exitCode == ExitStatus.unknown && cluster.administration.count(.makeToken) == 1)
    }
  }

  @Test func aClientsCertificateIsAskedForAgain() async throws {
    try await withCluster { cluster, _ in
      let request = CertificationCalls.ClientRequest(name: "alice", request: try KeyPair().request())
      cluster.administration.lose(1)
      _ = try await cluster.ask(.clientCertificate, request)
      #expect(cluster.administration.count(.clientCertificate) == 2)
      // If nobody ever says, that is said.
      cluster.administration.lose(.max)
      let error = await #expect(throws: ClientError.self) { try await cluster.ask(.clientCertificate, request) }
      #expect(error?.exitCode == ExitStatus.unknown)
    }
  }
}
