import Credentials
import EtcdAPI
import Foundation
import KeyValue
import Replica
import Testing

@testable import Server

/// What a node answers to those who ask for certificates and tokens.
@Suite struct CertificationCallsTests {
  private let bench: CertificationBench
  private let certification: Certification
  private let calls: CertificationCalls

  init() async throws {
    bench = try CertificationBench()
    certification = try bench.found()
    calls = bench.calls(certification)
    try await certification.keep(bench.records)
  }

  private func refusal(_ body: () async throws -> Void) async -> String? {
    do { try await body() } catch AdministrationError.refused(let text) { return text } catch { return nil }
    return nil
  }

  // MARK: The authority

  private func rotate(overlap: Double = 3600, force: Bool? = nil) async throws -> CertificationCalls.RotationAnswer {
    try await calls.perform(.rotateAuthority, CertificationCalls.RotationRequest(overlap: overlap, force: force))
  }

  private var record: AuthorityRecord {
    get throws { try AuthorityRecord(decoding: try #require(bench.records[AuthorityRecord.name])) }
  }

  @Test func isReplacedOnceAtATime() async throws {
    let answer = try await rotate()
    let end = bench.now + 3600
    #expect(answer.retires == Int64(end.timeIntervalSince1970))
    let first = try record
    let text = try #require(await refusal { _ = try await rotate() })
    for part in [end.formatted(.iso8601), bench.now.formatted(.iso8601), "--force"] { #expect(text.contains(part)) }
    #expect(try record == first)
    bench.wait(3600)
    _ = try await rotate()
    #expect(try record.replacements == 2)
  }

  @Test func isReplacedAgainByForce() async throws {
    _ = try await rotate()
    let second = try record.certificates()[0]
    _ = try await rotate(force: true)
    #expect(try record.certificates().last == second && record.replacements == 2)
  }

  @Test func anUnknownOutcomeIsCalledSoAndTheSecondAttemptDoesNothing() async throws {
    bench.records.loseAnswers()
    let unknown = AdministrationError.store(.request(RequestError(.deadlineExceeded, outcome: .unknown)))
    await #expect(throws: unknown) { try await rotate() }
    bench.records.loseAnswers(false)
    let first = try record
    #expect(first.replacements == 1)
    #expect(await refusal { _ = try await rotate() } != nil)
    #expect(try record == first)
  }

  @Test func withoutALeaderNothingWasDone() async throws {
    bench.records.loseLeader()
    let notDone = AdministrationError.store(.request(RequestError(.noLeader, outcome: .notDone)))
    await #expect(throws: notDone) { try await rotate() }
    await #expect(throws: notDone) { try await makeToken() }
  }

  // MARK: Tokens

  @discardableResult
  private func makeToken(uses: Int? = nil, seconds: Double? = nil) async throws -> JoinToken {
    let answer: CertificationCalls.TokenAnswer = try await calls.perform(
      .makeToken, CertificationCalls.TokenRequest(uses: uses, seconds: seconds))
    return try JoinToken(answer.token)
  }

  private func join(_ token: JoinToken, _ key: KeyPair, node: String = "8") async throws -> CertificationCalls.JoinAnswer {
    try await calls.perform(
      .join,
      CertificationCalls.JoinRequest(
        number: token.number.hexadecimal, secret: Data(token.secret), node: node, request: try key.request(), names: ["b.example"]))
  }

  @Test func aServerThatDidNotHearTheAnswerMayAskAgain() async throws {
    let (token, key) = (try await makeToken(), KeyPair())
    for _ in 0..<2 {
      let answer = try await join(token, key)
      #expect(try CertificateText.decode(answer.certificates).first?.publicKey == key.publicKey)
    }
    #expect(await refusal { _ = try await join(token, KeyPair()) }?.contains("used before") == true, "with another key it is another")
    #expect(await refusal { _ = try await join(token, key, node: "9") }?.contains("used before") == true)
  }

  @Test func nobodyKnowsWhetherItWasLetInAndItIsWhenItAsksAgain() async throws {
    let (token, key) = (try await makeToken(), KeyPair())
    bench.records.loseAnswers()
    await #expect(throws: AdministrationError.self) { _ = try await join(token, key) }
    bench.records.loseAnswers(false)
    _ = try await join(token, key)
  }

  @Test func aTokenIsKeptUntilItsPlaceIsNeeded() async throws {
    let first = try await makeToken(seconds: 60)
    for _ in 1..<TokenRecord.most { try await makeToken(seconds: 7200) }
    #expect(await refusal { try await makeToken() }?.contains("token list") == true)
    // A clock that runs a day ahead takes none away that counts.
    bench.wait(86400)
    #expect(await refusal { try await makeToken() } != nil)
    #expect(bench.records.names(TokenRecord.prefix).count == TokenRecord.most)
    bench.wait(61)
    try await makeToken()
    #expect(bench.records.names(TokenRecord.prefix).count == TokenRecord.most)
    #expect(bench.records[TokenRecord.name(first.number)] == nil)
  }

  // MARK: The records of certificates

  private func fill(ends: TimeInterval) throws {
    let certificate = try #require(certification.current.chain.first)
    var record = IssuedCertificate(certificate)
    record.notAfter = Int64((bench.now + ends).timeIntervalSince1970)
    let count = IssuedCertificate.most - bench.records.names(IssuedCertificate.prefix).count
    for number in 0..<count { bench.records["\(IssuedCertificate.prefix)client/\(number)"] = try record.encoded() }
  }

  private func clientCertificate(_ name: String) async throws {
    let answer: CertificationCalls.ClientAnswer = try await calls.perform(
      .clientCertificate, CertificationCalls.ClientRequest(name: name, request: try KeyPair().request()))
    #expect(try CertificateText.decode(answer.certificates).count == 2)
  }

  @Test func whatHasEndedMakesRoom() async throws {
    try fill(ends: -90000)
    try await clientCertificate("alice")
    #expect(bench.records["certificate/client/alice"] != nil)
    #expect(bench.records.names(IssuedCertificate.prefix).count == IssuedCertificate.most)
    #expect(bench.log.warnings.isEmpty)
  }

  @Test func withoutRoomACertificateIsGivenAllTheSame() async throws {
    try fill(ends: 60)
    try await clientCertificate("alice")
    #expect(bench.records["certificate/client/alice"] == nil)
    #expect(bench.log.warnings.count == 1 && bench.log.warnings[0].contains("client alice"))
    let token = try await makeToken()
    _ = try await join(token, KeyPair())
    // What has a place keeps it.
    try await clientCertificate("1")
    #expect(bench.records.names(IssuedCertificate.prefix).count == IssuedCertificate.most)
  }
}
