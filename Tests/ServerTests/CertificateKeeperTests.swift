import Credentials
import Foundation
import Testing

@testable import Server

/// What is said of an operator's certificate, and how often.
@Suite struct CertificateKeeperTests {
  private let directory = FileManager.default.temporaryDirectory.appendingPathComponent("coracle-\(UUID().uuidString)").path
  private let now = Date()

  private func write(_ key: KeyPair = KeyPair(), life: TimeInterval) throws {
    let authority = try Authority(domain: .random())
    let leaf = try authority.issue(
      .client(domain: authority.domain, "x"), for: key.publicKey, names: ["a.example.net"], now: now, life: life)
    try Data(try CertificateText.encode([leaf]).utf8).write(to: URL(fileURLWithPath: directory + "/cert.pem"))
    try Data(key.pem.utf8).write(to: URL(fileURLWithPath: directory + "/key.pem"))
    try FileManager.default.setAttributes([.posixPermissions: NSNumber(value: 0o600)], ofItemAtPath: directory + "/key.pem")
  }

  private func withKeeper(life: TimeInterval, _ body: (inout CertificateKeeper) throws -> Void) throws {
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try write(life: life)
    let files = CertificateFiles(certificate: directory + "/cert.pem", key: directory + "/key.pem")
    var keeper = CertificateKeeper(try OwnCertificate(files, .always))
    try body(&keeper)
  }

  @Test func theSameTroubleIsToldOnceAnHour() throws {
    try withKeeper(life: 90 * 86400) { keeper in
      #expect(keeper.look(now: now).isEmpty)
      let files = keeper.certificate.files
      try Data("half".utf8).write(to: URL(fileURLWithPath: files.certificate))
      let trouble = [CertificateKeeper.Finding.unusable(.noCertificate(files.certificate))]
      #expect(keeper.look(now: now) == trouble)
      #expect(keeper.look(now: now + 1).isEmpty && keeper.look(now: now + 3599).isEmpty)
      #expect(keeper.look(now: now + 3600) == trouble)
      // Another one is said at once, and so is its end.
      try FileManager.default.removeItem(atPath: files.certificate)
      #expect(keeper.look(now: now + 3601) == [.unusable(.unreadable(files.certificate, ENOENT))])
      try write(life: 80 * 86400)
      #expect(keeper.look(now: now + 3602) == [.new(keeper.certificate.end)])
      #expect(keeper.look(now: now + 3603).isEmpty)
    }
  }

  @Test func theEndIsToldOnceADayUntilItIsRenewed() throws {
    try withKeeper(life: 90 * 86400) { keeper in
      let end = keeper.certificate.end
      #expect(keeper.look(now: end - 15 * 86400).isEmpty)
      #expect(keeper.look(now: end - 13 * 86400) == [.endsSoon(end)])
      #expect(keeper.look(now: end - 12.5 * 86400).isEmpty)
      #expect(keeper.look(now: end - 12 * 86400) == [.endsSoon(end)])
      #expect(keeper.look(now: end + 1) == [.ended(end)])
      try write(life: 180 * 86400)
      #expect(keeper.look(now: end + 2) == [.new(keeper.certificate.end)])
    }
  }
}
