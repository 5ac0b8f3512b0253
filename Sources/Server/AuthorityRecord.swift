import Credentials
import Foundation
import X509

/// The cluster's certificate authorities, as the log has them: the newest first, and while it follows another one, that one too.
///
/// Their keys are sealed under the wrapping key, which every voter has in a file, and which is in no log, snapshot or backup.
struct AuthorityRecord: Codable, Equatable, Sendable {
  struct Entry: Codable, Equatable, Sendable {
    /// DER.
    var certificate: Data
    /// DER: the signature of the authority before it below its key.
    var vouched: Data?
    /// Empty if it has a successor.
    var sealedKey: Data
    /// When it counts no more, in seconds since 1970; `nil` for the newest.
    var retires: Int64?
  }

  /// Under which it stands among the cluster's own records.
  static let name = "authority"
  static let maximumEntries = 2
  private static let purpose = "coracle authority"

  /// The trust domain.
  var domain: String
  /// How often the authority was replaced. A node that starts again meets older records in its log before it meets the one that it has.
  var replacements = 0
  var entries: [Entry]

  init(_ authority: Authority, sealedUnder key: WrappingKey) throws {
    domain = "\(authority.domain)"
    entries = [
      Entry(certificate: Data(try authority.certificate.der), sealedKey: Data(try key.seal(authority.keyBytes, for: Self.purpose)))
    ]
  }

  init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    domain = try fields.decode(String.self, forKey: .domain)
    // Older releases did not count.
    replacements = try fields.decodeIfPresent(Int.self, forKey: .replacements) ?? 0
    entries = try fields.decode([Entry].self, forKey: .entries)
  }

  init(decoding bytes: [UInt8]) throws {
    self = try JSONDecoder().decode(Self.self, from: Data(bytes))
    guard (1...Self.maximumEntries).contains(entries.count), TrustDomain(domain) != nil else { throw CertificateFault.malformed }
  }

  func encoded() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return Array(try encoder.encode(self))
  }

  func trustDomain() throws(CertificateFault) -> TrustDomain {
    guard let domain = TrustDomain(domain) else { throw .malformed }
    return domain
  }

  /// As far as they count at a moment. The record itself changes when the authority is replaced, and only then: one wrong clock must not
  /// decide for all.
  func inForce(at now: Date) -> AuthorityRecord {
    var record = self
    record.entries.removeAll { $0.retires.map { $0 <= Int64(now.timeIntervalSince1970) } ?? false }
    guard record != self, !record.entries.isEmpty else { return self }
    record.entries[0].vouched = nil
    return record
  }

  /// Until when the authority before the newest one counts; `nil` if there is none, or its time is over.
  func overlapEnd(at now: Date) -> Date? {
    inForce(at: now).entries.dropFirst().first?.retires.map { Date(timeIntervalSince1970: TimeInterval($0)) }
  }

  /// All of them, the newest first.
  func certificates() throws -> [Certificate] { try entries.map { try Certificate(der: Array($0.certificate)) } }

  /// Whom to believe.
  func anchors(at now: Date) throws -> TrustAnchors {
    TrustAnchors(domain: try trustDomain(), authorities: try inForce(at: now).certificates())
  }

  /// What is shown after a certificate of the newest authority: that authority's, and what leads there from the one before.
  func chain(at now: Date) throws -> [Certificate] {
    let record = inForce(at: now)
    return try record.entries.compactMap(\.vouched).map { try Certificate(der: Array($0)) } + record.certificates()
  }

  /// The newest authority, with its key. Throws `SealedAuthority` if the wrapping key is another.
  func newest(_ key: WrappingKey) throws -> Authority {
    guard let entry = entries.first, let bytes = key.open(Array(entry.sealedKey), for: Self.purpose) else { throw SealedAuthority() }
    return try Authority(domain: try trustDomain(), certificate: try Certificate(der: Array(entry.certificate)), keyBytes: bytes)
  }

  /// A new authority follows the newest one, which counts for a while longer; one that is still on its way out goes now.
  ///
  /// - Parameter overlap: in seconds.
  func succeeded(by next: Authority, _ key: WrappingKey, overlap: Int64, now: Date) throws -> AuthorityRecord {
    let current = try newest(key)
    var record = try AuthorityRecord(next, sealedUnder: key)
    record.replacements = replacements + 1
    record.entries[0].vouched = Data(try current.vouch(for: next.certificate).der)
    var old = entries[0]
    old.retires = Int64(now.timeIntervalSince1970) + overlap
    old.vouched = nil
    // It signs nothing more.
    old.sealedKey = Data()
    record.entries.append(old)
    return record
  }
}

/// The authority's key was sealed under another wrapping key.
struct SealedAuthority: Error, Equatable, CustomStringConvertible {
  var description: String { "the authority's key cannot be opened: the file wrapping.key is not the cluster's" }
}
