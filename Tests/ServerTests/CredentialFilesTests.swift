import Credentials
import Foundation
import Testing

@testable import Server

/// Tokens as the cluster keeps them.
@Suite struct TokenRecordTests {
  private let now = Date(timeIntervalSince1970: 1_000_000)
  private let token = JoinToken(pin: [UInt8](repeating: 1, count: 32), address: "a:1")
  private let one = TokenRecord.Admission(node: "1", key: "x")
  private let other = TokenRecord.Admission(node: "2", key: "y")

  private func record(uses: Int = 1) -> TokenRecord { TokenRecord(token, uses: uses, life: 60, now: now) }

  @Test func letsInAsManyAsItSays() throws {
    var record = record(uses: 2)
    try record.admit(one, digest: token.digest, now: now)
    try record.admit(other, digest: token.digest, now: now)
    #expect(record.uses == 0 && record.admissions == [one, other])
    #expect(throws: TokenRefusal.used) { try record.admit(.init(node: "3", key: "z"), digest: token.digest, now: now) }
  }

  @Test func theSameServerMayAskAgain() throws {
    var record = record()
    #expect(try record.admit(one, digest: token.digest, now: now))
    #expect(try !record.admit(one, digest: token.digest, now: now))
    #expect(record.uses == 0 && record.admissions == [one])
    // With the same key only: who reads the token later is another.
    #expect(throws: TokenRefusal.used) { try record.admit(.init(node: "1", key: "z"), digest: token.digest, now: now) }
    #expect(throws: TokenRefusal.expired) { try record.admit(one, digest: token.digest, now: now + 61) }
    #expect(throws: TokenRefusal.wrongSecret) { try record.admit(one, digest: [], now: now) }
  }

  @Test func theSecretMustBeRight() {
    var record = record()
    var digest = token.digest
    digest[31] ^= 1
    for shown in [digest, [], Array(token.digest.dropLast()), token.digest + [0], token.secret] {
      #expect(throws: TokenRefusal.wrongSecret) { try record.admit(one, digest: shown, now: now) }
    }
    #expect(record.uses == 1 && record.admissions.isEmpty)
  }

  @Test func itEnds() throws {
    var record = record()
    #expect(throws: TokenRefusal.expired) { try record.admit(one, digest: token.digest, now: now + 61) }
    #expect(record.admissions.isEmpty)
    try record.admit(one, digest: token.digest, now: now + 60)
  }

  @Test func isKeptWithoutItsSecret() throws {
    var record = record(uses: TokenRecord.mostUses)
    for number in 0..<TokenRecord.mostUses {
      try record.admit(
        .init(node: String(UInt64.max - UInt64(number), radix: 16), key: String(repeating: "f", count: 64)), digest: token.digest,
        now: now)
    }
    let bytes = try record.encoded()
    #expect(bytes.count < 16 << 10, "it fits into a record of the cluster's")
    let again = try TokenRecord(decoding: bytes)
    #expect(again.digest == record.digest && again.expires == record.expires && again.uses == 0 && again.admissions == record.admissions)
    let text = String(decoding: bytes, as: UTF8.self)
    #expect(!text.contains(Data(token.secret).base64EncodedString()) && !text.contains(token.text))
    #expect(throws: (any Error).self) { try TokenRecord(decoding: Array(bytes.dropLast())) }
  }
}

/// The authorities as the cluster keeps them.
@Suite struct AuthorityRecordTests {
  private let now = Date(timeIntervalSince1970: 1_000_000_000)
  private let key = WrappingKey.random()
  private let authority: Authority
  private let record: AuthorityRecord

  init() throws {
    authority = try Authority(domain: .random())
    record = try AuthorityRecord(authority, sealedUnder: key)
  }

  private func next() throws -> Authority { try Authority(domain: authority.domain) }

  @Test func theKeyIsSealed() throws {
    #expect(try record.newest(key).keyBytes == authority.keyBytes)
    #expect(throws: SealedAuthority.self) { try record.newest(.random()) }
    let text = String(decoding: try record.encoded(), as: UTF8.self)
    #expect(!text.contains(Data(authority.keyBytes).base64EncodedString()))
    #expect(record.entries[0].sealedKey.range(of: Data(authority.keyBytes)) == nil)
  }

  @Test func oneFollowsTheOther() throws {
    let next = try next()
    let followed = try record.succeeded(by: next, key, overlap: 60, now: now)
    #expect(try followed.newest(key).keyBytes == next.keyBytes)
    #expect(try followed.anchors(at: now).authorities == [next.certificate, authority.certificate])
    let chain = try followed.chain(at: now)
    #expect(chain.count == 3 && chain[0].publicKey == next.certificate.publicKey && chain[0].issuer == authority.certificate.subject)
    #expect(followed.entries[1].retires == 1_000_000_060 && followed.entries[0].retires == nil)
    #expect(followed.entries[1].sealedKey.isEmpty, "what signs nothing more needs no key")
    #expect(followed.replacements == 1 && record.replacements == 0)
    #expect(try AuthorityRecord(decoding: try followed.encoded()) == followed)
    #expect(try followed.encoded().count < 16 << 10, "it fits into a record of the cluster's")
    #expect(throws: SealedAuthority.self) { try record.succeeded(by: next, .random(), overlap: 60, now: now) }
  }

  @Test func whoTrustsOneOfTwoBelievesANodeOfEither() async throws {
    let next = try next()
    let followed = try record.succeeded(by: next, key, overlap: 60, now: now)
    let identity = CertifiedIdentity.node(domain: authority.domain, 7)
    let leaf = try next.issue(identity, for: KeyPair().publicKey, now: now, life: 60)
    for trusted in [authority, next] {
      let anchors = TrustAnchors(domain: authority.domain, authorities: [trusted.certificate])
      #expect(try await anchors.identity(of: [leaf] + (try followed.chain(at: now)), now: now) == identity)
    }
  }

  @Test func theOldOneCountsUntilItsTimeIsOver() throws {
    let next = try next()
    let followed = try record.succeeded(by: next, key, overlap: 60, now: now)
    #expect(record.inForce(at: now + 1000) == record, "the newest always does")
    #expect(followed.inForce(at: now + 59) == followed && followed.overlapEnd(at: now + 59) == now + 60)
    #expect(record.overlapEnd(at: now) == nil && followed.overlapEnd(at: now + 60) == nil)
    let rest = followed.inForce(at: now + 60)
    #expect(rest.entries.count == 1 && rest.entries[0].vouched == nil)
    #expect(try followed.anchors(at: now + 60).authorities == [next.certificate])
    #expect(try followed.chain(at: now + 60) == [next.certificate])
    #expect(try rest.newest(key).keyBytes == next.keyBytes)
  }

  @Test func thereAreTwoAtMost() throws {
    let second = try next()
    let third = try next()
    let record = try record.succeeded(by: second, key, overlap: 60, now: now).succeeded(by: third, key, overlap: 60, now: now)
    #expect(try record.certificates() == [third.certificate, second.certificate])
  }

  @Test func whatNoNodeWritesIsRefused() throws {
    var many = record
    many.entries = Array(repeating: record.entries[0], count: AuthorityRecord.maximumEntries + 1)
    var none = record
    none.entries = []
    var elsewhere = record
    elsewhere.domain = "x"
    for record in [many, none, elsewhere] {
      let bytes = try record.encoded()
      #expect(throws: CertificateFault.malformed) { try AuthorityRecord(decoding: bytes) }
    }
    #expect(throws: (any Error).self) { try AuthorityRecord(decoding: []) }
  }
}

/// The files of a node.
@Suite struct NodeSecretsTests {
  private func withSecrets(_ body: (NodeSecrets, String) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("coracle-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try body(NodeSecrets(dataDirectory: directory), directory + "/credentials")
  }

  private func contents() throws -> NodeSecrets.Contents {
    let (authority, key, wrappingKey) = (try Authority(domain: .random()), KeyPair(), WrappingKey.random())
    let leaf = try authority.issue(.node(domain: authority.domain, 7), for: key.publicKey, now: Date(), life: 60)
    return NodeSecrets.Contents(
      wrappingKey: wrappingKey, authorities: try AuthorityRecord(authority, sealedUnder: wrappingKey), key: key,
      chain: [leaf, authority.certificate])
  }

  @Test func areReadAsTheyWereWritten() throws {
    try withSecrets { secrets, directory in
      #expect(try secrets.load() == nil)
      let written = try contents()
      try secrets.save(written, at: Date())
      let read = try #require(try secrets.load())
      #expect(read.wrappingKey.bytes == written.wrappingKey.bytes && read.authorities == written.authorities)
      #expect(read.key.pem == written.key.pem && read.chain == written.chain)
      for file in try FileManager.default.contentsOfDirectory(atPath: directory) {
        let mode = try FileManager.default.attributesOfItem(atPath: directory + "/" + file)[.posixPermissions] as? NSNumber
        #expect(mode?.intValue == 0o600, "\(file)")
      }
      #expect(ClientCredentials.exist(in: (directory as NSString).deletingLastPathComponent))
    }
  }

  @Test(arguments: ["wrapping.key", "node.key", "node.crt"]) func oneThatIsMissingOrDamagedIsNamed(file: String) throws {
    try withSecrets { secrets, directory in
      try secrets.save(try contents(), at: Date())
      try secrets.directory.write(file, [1, 2, 3])
      #expect(throws: NodeSecretsError.self) { try secrets.load() }
      try secrets.directory.remove(file)
      let error = #expect(throws: NodeSecretsError.self) { try secrets.load() }
      #expect(error?.description.contains("coracle token create") == true && error?.description.contains(directory) == true)
    }
  }

  @Test func anotherClustersWrappingKeyIsOfNoUse() throws {
    try withSecrets { secrets, _ in
      try secrets.save(try contents(), at: Date())
      try secrets.directory.write("wrapping.key", Array(String(repeating: "0", count: 64).utf8))
      #expect(throws: NodeSecretsError.self) { try secrets.load() }
    }
  }

  @Test func aServerAsksWithOneKeyUntilItIsLetIn() throws {
    try withSecrets { secrets, _ in
      let key = try secrets.joiningKey()
      #expect(try secrets.joiningKey().pem == key.pem)
      #expect(try secrets.load() == nil, "there are no secrets yet")
      try secrets.save(try contents(), at: Date())
      #expect(try secrets.joiningKey().pem != key.pem, "it begins anew next time")
      try secrets.directory.write("joining.key", [1, 2, 3])
      let again = try secrets.joiningKey()
      #expect(try secrets.joiningKey().pem == again.pem, "what is damaged is replaced")
    }
  }

  @Test func thoseThatOthersMayReadAreRefused() throws {
    try withSecrets { secrets, directory in
      try secrets.save(try contents(), at: Date())
      try FileManager.default.setAttributes([.posixPermissions: NSNumber(value: 0o644)], ofItemAtPath: directory + "/node.key")
      let error = #expect(throws: SecretFileError.self) { try secrets.load() }
      #expect(error?.description.contains("chmod 600 \(directory)/node.key") == true)
      #expect(throws: SecretFileError.self) { try ClientCredentials(directory: (directory as NSString).deletingLastPathComponent) }
    }
  }

  @Test func beforeTheRecordOfAuthoritiesThereAreNone() throws {
    try withSecrets { secrets, _ in
      try secrets.save(try contents(), at: Date())
      try secrets.directory.remove("authority.json")
      #expect(try secrets.load() == nil, "a stop in the middle of a first write leaves nothing to stumble over")
    }
  }
}
