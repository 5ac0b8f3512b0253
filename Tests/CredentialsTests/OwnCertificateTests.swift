import Foundation
import NIOSSL
import Testing
import X509

@testable import Credentials

/// Files of an operator's, as ACME clients leave them.
@Suite struct OwnCertificateTests {
  private let authority: Authority
  private let directory: String

  init() throws {
    authority = try Authority(domain: .random())
    directory = FileManager.default.temporaryDirectory.appendingPathComponent("coracle-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
  }

  private var files: CertificateFiles { CertificateFiles(certificate: directory + "/cert.pem", key: directory + "/key.pem") }

  private func write(_ name: String, _ text: String, mode: Int = 0o600) throws {
    let path = directory + "/" + name
    try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    try FileManager.default.setAttributes([.posixPermissions: NSNumber(value: mode)], ofItemAtPath: path)
  }

  /// - Returns: The certificate's serial number, by which it is known again.
  @discardableResult
  private func make(
    _ certificate: String = "cert.pem", _ key: String = "key.pem", names: [String] = ["a.example.net"]
  ) throws -> Certificate.SerialNumber {
    let pair = KeyPair()
    let leaf = try authority.issue(.client(domain: authority.domain, "x"), for: pair.publicKey, names: names, now: Date(), life: 600)
    try write(certificate, try CertificateText.encode([leaf, authority.certificate]), mode: 0o644)
    try write(key, pair.pem)
    return leaf.serialNumber
  }

  private func shown(_ own: OwnCertificate, _ name: String? = "a.example.net") throws -> Certificate.SerialNumber? {
    guard case .certificate(let leaf)? = own.override(for: name)?.certificateChain?.first else { return nil }
    return try Certificate(derEncoded: try leaf.toDERBytes()).serialNumber
  }

  private func withFiles(_ body: () throws -> Void) throws {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try body()
  }

  private func fault(_ use: OwnCertificate.Use = .underItsNames) -> CertificateFilesError? {
    do throws(CertificateFilesError) { _ = try OwnCertificate(files, use) } catch { return error }
    return nil
  }

  @Test func isShownToWhoAsksForItsNames() throws {
    try withFiles {
      let serial = try make(names: ["A.example.net", "*.wild.example.net", "192.0.2.1"])
      let own = try OwnCertificate(files, .underItsNames)
      for name in ["a.example.net", "A.EXAMPLE.NET", "b.wild.example.net", "x.Wild.example.net"] {
        #expect(try shown(own, name) == serial, "\(name)")
      }
      for name in [nil, "", "b.example.net", "wild.example.net", "a.b.wild.example.net", ".wild.example.net", "192.0.2.1", "*"] {
        #expect(try shown(own, name) == nil, "\(name ?? "no name")")
      }
      #expect(own.override(for: "a.example.net")?.certificateChain?.count == 2, "what leads to the authority is shown too")
      #expect(own.end > Date() + 500 && own.usualRest == 700, "of 600 s and the hour before")
    }
  }

  @Test func whatCannotBeUsedIsRefusedWithWords() throws {
    try withFiles {
      #expect(fault() == .unreadable(files.certificate, ENOENT))
      try make()
      #expect(fault() == nil)
      try FileManager.default.removeItem(atPath: files.key)
      #expect(fault() == .unreadable(files.key, ENOENT))
      try FileManager.default.createDirectory(atPath: files.key, withIntermediateDirectories: false)
      #expect(fault() == .noFile(files.key))
      try FileManager.default.removeItem(atPath: files.key)
      try write("key.pem", "no key")
      #expect(fault() == .noKey(files.key))
      try write("key.pem", KeyPair().pem)
      #expect(fault() == .notItsKey(certificate: files.certificate, key: files.key))
      try write("cert.pem", KeyPair().pem)
      #expect(fault() == .noCertificate(files.certificate))
      try make(names: ["192.0.2.1"])
      #expect(fault() == .namesNoHost(files.certificate), "nobody would ever be shown it")
      #expect(fault(.always) == nil)
      try write("key.pem", String(repeating: "x", count: SecretDirectory.maximumFileSize + 1))
      #expect(fault() == .noFile(files.key))
    }
  }

  @Test(arguments: [0o640, 0o604, 0o644, 0o660, 0o601]) func aKeyThatOthersMayOpenIsRefused(mode: Int) throws {
    try withFiles {
      try make()
      try FileManager.default.setAttributes([.posixPermissions: NSNumber(value: mode)], ofItemAtPath: files.key)
      #expect(fault() == .openToOthers(files.key, mode: "600"))
      #expect("\(fault() as Any)".contains("chmod 600 \(files.key)"))
    }
  }

  @Test(.enabled(if: geteuid() == 0, "only root can give files away")) func soIsAKeyOfAnotherUser() throws {
    try withFiles {
      try make()
      #expect(chown(files.key, 12345, 12345) == 0)
      #expect(fault() == .ofAnotherUser(files.key))
    }
  }

  @Test func whatIsNewIsShownAndWhatIsBrokenIsNot() throws {
    try withFiles {
      let old = try make()
      let own = try OwnCertificate(files, .underItsNames)
      #expect(try own.refresh() == false)
      // One half of a new pair is there.
      let new = try make("new-cert.pem", "new-key.pem")
      #expect(rename(directory + "/new-cert.pem", files.certificate) == 0)
      #expect(throws: CertificateFilesError.notItsKey(certificate: files.certificate, key: files.key)) { try own.refresh() }
      #expect(try shown(own) == old)
      #expect(rename(directory + "/new-key.pem", files.key) == 0)
      #expect(try own.refresh())
      #expect(try shown(own) == new)
      #expect(try own.refresh() == false)
      try FileManager.default.removeItem(atPath: files.certificate)
      #expect(throws: CertificateFilesError.unreadable(files.certificate, ENOENT)) { try own.refresh() }
      #expect(try shown(own) == new)
    }
  }

  /// As certbot keeps them: what is read is a link, and it is the link that is made anew.
  @Test func linksAreFollowed() throws {
    try withFiles {
      let serials = [try make("cert1.pem", "key1.pem"), try make("cert2.pem", "key2.pem")]
      func link(_ number: Int) throws {
        for name in ["cert", "key"] {
          let link = directory + "/\(name).pem"
          if number > 1 { try FileManager.default.removeItem(atPath: link) }
          try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "\(name)\(number).pem")
        }
      }
      try link(1)
      let own = try OwnCertificate(files, .underItsNames)
      #expect(try shown(own) == serials[0])
      try link(2)
      #expect(try own.refresh())
      #expect(try shown(own) == serials[1])
      // It is the file that must be kept from others, not the link.
      try FileManager.default.setAttributes([.posixPermissions: NSNumber(value: 0o644)], ofItemAtPath: directory + "/key2.pem")
      #expect(fault() == .openToOthers(files.key, mode: "600"))
    }
  }
}
