import Credentials
import Foundation
import NIOConcurrencyHelpers
import Testing
import X509

@testable import Server

/// What a node does for its certificate, and whom it believes.
@Suite struct CertificationTests {
  private let bench: CertificationBench

  init() throws { bench = try CertificationBench() }

  private var file: Certificate? {
    get throws { try bench.secrets.load()?.chain.first }
  }

  // MARK: Its own certificate

  @Test func isRenewedWhenTwoThirdsAreOver() async throws {
    let certification = try bench.found()
    try await certification.keep(bench.records)
    let first = certification.current.chain.first
    #expect(bench.records[AuthorityRecord.name] != nil && bench.records.names("certificate/").count == 1)
    bench.wait(CertificationBench.life * 2 / 3 - 1)
    try await certification.keep(bench.records)
    #expect(certification.current.chain.first == first)
    bench.wait(1)
    try await certification.keep(bench.records)
    let second = try #require(certification.current.chain.first)
    #expect(second.notValidAfter == bench.now + CertificationBench.life && second.publicKey != first?.publicKey)
    #expect(try file == second)
    #expect(bench.records[bench.records.names("certificate/")[0]] == (try IssuedCertificate(second).encoded()))
  }

  @Test func isRenewedAlsoIfTheClockWasSetBack() async throws {
    let certification = try bench.found()
    bench.wait(-7200)
    try await certification.keep(bench.records)
    #expect(try #require(certification.current.chain.first).notValidAfter == bench.now + CertificationBench.life)
  }

  @Test func isRenewedWithoutALeader() async throws {
    let certification = try bench.found()
    bench.records.loseLeader()
    bench.wait(CertificationBench.life)
    await #expect(throws: (any Error).self) { try await certification.keep(bench.records) }
    let renewed = try #require(certification.current.chain.first)
    #expect(renewed.notValidAfter == bench.now + CertificationBench.life)
    #expect(try file == renewed)
    #expect(bench.records.writes == 0)
  }

  /// A disk that is full for longer than a certificate lives ends no node.
  @Test func countsThoughItsFileCannotBeWritten() async throws {
    let certification = try bench.found()
    let old = try #require(certification.current.chain.first)
    let folder = bench.secrets.directory.path
    let aside = folder + "-aside"
    try FileManager.default.moveItem(atPath: folder, toPath: aside)
    try Data().write(to: URL(fileURLWithPath: folder))
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: folder)
    bench.wait(CertificationBench.life - 1)
    try await certification.keep(bench.records)
    let renewed = try #require(certification.current.chain.first)
    #expect(renewed.notValidAfter == bench.now + CertificationBench.life)
    let warning = try #require(bench.log.warnings.first)
    for text in ["cannot write its certificate", folder, renewed.notValidAfter.formatted(.iso8601)] { #expect(warning.contains(text)) }
    // There is room again.
    try FileManager.default.removeItem(atPath: folder)
    try FileManager.default.moveItem(atPath: aside, toPath: folder)
    #expect(try file == old)
    for _ in 0..<100 {
      try await certification.keep(bench.records)
      if try file == renewed { break }
      try await Task.sleep(for: .milliseconds(20))
    }
    #expect(try file == renewed)
  }

  @Test func aRenewalThatFailsIsAWarningOnceASecond() async throws {
    var contents = try bench.found().current
    contents.wrappingKey = .random()
    let certification = try bench.certification(contents)
    #expect(bench.log.warnings.isEmpty)
    let end = try #require(contents.chain.first?.notValidAfter)
    bench.wait(CertificationBench.life - 1)
    for _ in 0..<50 { try await certification.keep(bench.records) }
    #expect((1...5).contains(bench.log.warnings.count))
    for text in ["cannot renew", "wrapping.key", end.formatted(.iso8601), "coracle join"] { #expect(bench.log.warnings[0].contains(text)) }
    #expect(certification.current.chain.first?.notValidAfter == end, "what it has goes on")
    // With one that has ended there is nothing to start with, and the words say what helps.
    bench.wait(2)
    let error = #expect(throws: NodeSecretsError.self) { try bench.certification(contents) }
    #expect(error?.description.contains("coracle token create") == true)
  }

  @Test func oneThatHasEndedIsReplacedAtTheStart() throws {
    let contents = try bench.found().current
    bench.wait(10 * CertificationBench.life)
    let certification = try bench.certification(contents)
    #expect(try #require(certification.current.chain.first).notValidAfter == bench.now + CertificationBench.life)
    #expect(try file == certification.current.chain.first)
  }

  /// The machine stopped, or the disk was full, between the two files.
  @Test func aKeyWithoutItsCertificateGetsOne() throws {
    _ = try bench.found()
    let key = KeyPair()
    try bench.secrets.directory.write(NodeSecrets.keyFile, Array(key.pem.utf8))
    let certification = try bench.certification(try #require(try bench.secrets.load()))
    let contents = certification.current
    #expect(contents.chain.first?.publicKey == contents.key.publicKey && certification.credentials.areInstalled)
    #expect(try file == contents.chain.first)
    #expect(bench.log.warnings.isEmpty)
  }

  // MARK: The authorities

  private func replaced(_ certification: Certification, overlap: Int64) throws -> AuthorityRecord {
    let record = try bench.replace(certification.current.authorities, certification.current.wrappingKey, overlap: overlap)
    bench.records[AuthorityRecord.name] = try record.encoded()
    return record
  }

  @Test func aNewAuthorityIsFollowed() async throws {
    let certification = try bench.found()
    let record = try replaced(certification, overlap: 60)
    try await certification.keep(bench.records)
    let contents = certification.current
    #expect(contents.authorities == record && contents.chain.count == 4)
    #expect(try #require(contents.chain.first).issuer == record.certificates()[0].subject, "it has a certificate of the new one")
    #expect(certification.credentials.anchors?.authorities.count == 2)
    #expect(try bench.secrets.load()?.authorities == record)
  }

  @Test func aWrongClockRetiresAnAuthorityForItsOwnNodeAlone() async throws {
    let certification = try bench.found()
    let record = try replaced(certification, overlap: 3600)
    try await certification.keep(bench.records)
    bench.wait(86400)
    try await certification.keep(bench.records)
    #expect(certification.credentials.anchors?.authorities == [try record.certificates()[0]])
    #expect(certification.current.chain.count == 2, "it shows the old one no more")
    let text = String(decoding: try #require(try bench.secrets.directory.read(NodeSecrets.authoritiesFile)), as: UTF8.self)
    #expect(try CertificateText.decode(text).count == 1)
    #expect(bench.records[AuthorityRecord.name] == (try record.encoded()), "for the others it counts")
    // The clock was wrong, and is set.
    bench.wait(-86400)
    try await certification.keep(bench.records)
    #expect(try certification.credentials.anchors?.authorities == record.certificates())
    #expect(certification.current.chain.count == 4)
  }

  /// Its log begins with what was before its last snapshot.
  @Test func anOlderRecordIsNotFollowed() async throws {
    let certification = try bench.found()
    let old = try certification.current.authorities.encoded()
    let record = try replaced(certification, overlap: 60)
    try await certification.keep(bench.records)
    bench.wait(120)
    let restarted = try bench.certification(try #require(try bench.secrets.load()))
    bench.records[AuthorityRecord.name] = old
    try await restarted.keep(bench.records)
    #expect(restarted.current.authorities == record)
    #expect(restarted.credentials.anchors?.authorities == [try record.certificates()[0]])
  }

  @Test func anotherClustersAuthorityIsNotFollowed() async throws {
    let certification = try bench.found()
    let anchors = certification.credentials.anchors?.authorities
    bench.records[AuthorityRecord.name] = try AuthorityRecord(try Authority(domain: .random()), sealedUnder: .random()).encoded()
    bench.wait(CertificationBench.life)
    try await certification.keep(bench.records)
    #expect(certification.credentials.anchors?.authorities == anchors)
    #expect(try #require(certification.current.chain.first).notValidAfter > bench.now, "its own certificate is renewed all the same")
    #expect(bench.log.warnings.contains { $0.contains("does not follow") })
  }
}

/// What makes room among the cluster's records.
@Suite struct EndedRecordsTests {
  private let now = Date(timeIntervalSince1970: 1_000_000)

  @Test func nothingGoesBeforeItsPlaceIsNeeded() {
    #expect(EndedRecords.inTheWay([("a", 0), ("b", 1)], most: 3, at: now) == [])
    #expect(EndedRecords.inTheWay([], most: 1, at: now) == [])
  }

  @Test func whatEndedFirstGoesAndNoMoreThanNeedBe() {
    let records: [(name: String, end: Int64)] = [("a", 30), ("b", 10), ("c", 2_000_000), ("d", 20)]
    #expect(EndedRecords.inTheWay(records, most: 4, at: now) == ["b"])
    #expect(EndedRecords.inTheWay(records, most: 3, at: now) == ["b", "d"])
    #expect(EndedRecords.inTheWay(records, most: 1, at: now) == nil, "one of them counts")
  }

  @Test func aClockThatIsWrongByLessThanADayRemovesNothingThatCounts() {
    #expect(EndedRecords.inTheWay([("a", 1_000_000 - 86400)], most: 1, at: now) == nil)
    #expect(EndedRecords.inTheWay([("a", 1_000_000 - 86401)], most: 1, at: now) == ["a"])
  }
}
