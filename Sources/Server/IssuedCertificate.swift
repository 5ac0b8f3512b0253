import Credentials
import Foundation
import KeyValue
import Logging
import Raft
import X509

/// What the log knows of a certificate: enough to say who has one, and until when.
struct IssuedCertificate: Codable, Sendable {
  static let prefix = "certificate/"
  /// How many are kept. Tokens and the authority have room beside them (`Limits.records`).
  static let most = 3072

  var serial: String
  /// In seconds since 1970.
  var notAfter: Int64

  init(_ certificate: Certificate) {
    serial = Array(certificate.serialNumber.bytes).hexadecimal
    notAfter = Int64(certificate.notValidAfter.timeIntervalSince1970)
  }

  init(decoding bytes: [UInt8]) throws { self = try JSONDecoder().decode(Self.self, from: Data(bytes)) }

  func encoded() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return Array(try encoder.encode(self))
  }

  static func name(_ identity: CertifiedIdentity) -> String {
    switch identity {
    case .node(_, let id): "\(prefix)node/\(NodeID(id))"
    case .client(_, let client): "\(prefix)client/\(client)"
    }
  }
}

extension RecordStore {
  /// Removes what is in the way of one more record whose name begins so. Whether there is room then.
  ///
  /// - Parameter end: of a record, in seconds since 1970.
  func makeRoom(_ prefix: String, most: Int, at now: Date, end: ([UInt8]) -> Int64) async throws(StoreError) -> Bool {
    let records = try await list(prefix)
    guard let names = EndedRecords.inTheWay(records.map { ($0.name, end($0.value)) }, most: most, at: now) else { return false }
    for (name, value) in records where names.contains(name) { _ = try await replace(name, value, with: nil) }
    return true
  }
}

/// Records that end by themselves, at a time that stands in them, are kept until their place is needed, so that a node whose clock is wrong
/// removes nothing that counts.
enum EndedRecords {
  /// Unless it is wrong by more than that.
  static let margin: Int64 = 86400

  /// Which must go so that there is room for one more: those that ended first, and no more of them than need be. `nil` if too few have
  /// ended.
  static func inTheWay(_ records: [(name: String, end: Int64)], most: Int, at now: Date) -> Set<String>? {
    let excess = records.count + 1 - most
    guard excess > 0 else { return [] }
    let latest = Int64(now.timeIntervalSince1970) - margin
    let ended = records.filter { $0.end < latest }.sorted { ($0.end, $0.name) < ($1.end, $1.name) }
    return ended.count < excess ? nil : Set(ended.prefix(excess).map(\.name))
  }
}

extension Certification {
  /// Writes down that a certificate was given. One for which there is no room is as good as the others, and said in the log instead.
  func record(_ certificate: Certificate, of identity: CertifiedIdentity, _ records: any RecordStore) async throws {
    let (name, value) = (IssuedCertificate.name(identity), try IssuedCertificate(certificate).encoded())
    do throws(StoreError) {
      for _ in 0..<3 {
        let before = try await records.read(name)
        if before == value { return }
        if before == nil {
          let hasRoom = try await records.makeRoom(IssuedCertificate.prefix, most: IssuedCertificate.most, at: settings.now()) {
            (try? IssuedCertificate(decoding: $0))?.notAfter ?? 0
          }
          guard hasRoom else { throw .keyValue(.tooManyRecords) }
        }
        if try await records.replace(name, before, with: value) { return }
      }
    } catch .keyValue(.tooManyRecords) {
      warn(
        "a certificate is valid, and not among the records of the cluster: there are too many that have not ended",
        ["identity": "\(identity)", "valid_until": "\(certificate.notValidAfter.formatted(.iso8601))"])
    }
  }
}
