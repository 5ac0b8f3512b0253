import Credentials
import EtcdAPI
import Foundation
import KeyValue
import Logging
import NIOConcurrencyHelpers
import Replica

@testable import Server

/// The cluster's records in memory, with or without a leader.
final class MemoryRecords: RecordStore {
  private struct State {
    var values: [String: [UInt8]] = [:]
    var hasLeader = true
    var losesAnswers = false
    var writes = 0
  }

  private let state = NIOLockedValueBox(State())

  subscript(name: String) -> [UInt8]? {
    get { state.withLockedValue { $0.values[name] } }
    set { state.withLockedValue { $0.values[name] = newValue } }
  }

  func loseLeader() { state.withLockedValue { $0.hasLeader = false } }
  /// From now on, what is written is written, and nobody hears so.
  func loseAnswers(_ losesAnswers: Bool = true) { state.withLockedValue { $0.losesAnswers = losesAnswers } }
  var writes: Int { state.withLockedValue { $0.writes } }
  func names(_ prefix: String) -> [String] { state.withLockedValue { $0.values.keys.filter { $0.hasPrefix(prefix) } } }

  private func lead() throws(StoreError) {
    guard state.withLockedValue({ $0.hasLeader }) else { throw .request(RequestError(.noLeader, outcome: .notDone)) }
  }

  func read(_ name: String) async throws(StoreError) -> [UInt8]? {
    try lead()
    return self[name]
  }

  func readLocally(_ name: String) async throws(StoreError) -> [UInt8]? { self[name] }

  func list(_ prefix: String) async throws(StoreError) -> [(name: String, value: [UInt8])] {
    try lead()
    return names(prefix).sorted().map { ($0, self[$0] ?? []) }
  }

  func replace(_ name: String, _ expected: [UInt8]?, with value: [UInt8]?) async throws(StoreError) -> Bool {
    try lead()
    let isLost: Bool? = state.withLockedValue { state in
      guard state.values[name] == expected else { return nil }
      state.values[name] = value
      state.writes += 1
      return state.losesAnswers
    }
    guard let isLost else { return false }
    guard !isLost else { throw .request(RequestError(.deadlineExceeded, outcome: .unknown)) }
    return true
  }
}

/// Keeps what is logged.
struct LogCollector: LogHandler {
  let lines = NIOLockedValueBox<[String]>([])
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.trace

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) { lines.withLockedValue { $0.append("\(event.level) \(event.message) \(event.metadata ?? [:])") } }

  var warnings: [String] { lines.withLockedValue { $0.filter { $0.hasPrefix("warning") } } }
}

/// A node's certification in a directory of its own, by a clock that stands where it is put.
final class CertificationBench: Sendable {
  static let life: TimeInterval = 600
  static let begin = Date(timeIntervalSince1970: 1_800_000_000)

  let path: String
  let records = MemoryRecords()
  let log = LogCollector()
  private let clock = NIOLockedValueBox(CertificationBench.begin)

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("coracle-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  var now: Date { clock.withLockedValue { $0 } }
  func wait(_ seconds: TimeInterval) { clock.withLockedValue { $0 += seconds } }

  var secrets: NodeSecrets { NodeSecrets(dataDirectory: path) }
  var logger: Logger { Logger(label: "test") { _ in self.log } }

  var settings: Certification.Settings {
    var settings = Certification.Settings()
    (settings.nodeLife, settings.interval) = (Self.life, .zero)
    settings.now = { [clock] in clock.withLockedValue { $0 } }
    return settings
  }

  /// A new cluster's.
  func found() throws -> Certification {
    try Certification.found(in: secrets, node: 7, names: ["localhost"], settings: settings, logger: logger)
  }

  /// After a restart.
  func certification(_ contents: NodeSecrets.Contents) throws -> Certification {
    try Certification(contents, in: secrets, node: 7, names: ["localhost"], settings: settings, logger: logger)
  }

  func calls(_ certification: Certification) -> CertificationCalls {
    CertificationCalls(
      certification: certification, records: records, address: "127.0.0.1:1", refusals: RefusalReport("refused", logger: logger))
  }

  /// The record of the authority after another one has followed.
  func replace(_ record: AuthorityRecord, _ key: WrappingKey, overlap: Int64) throws -> AuthorityRecord {
    try record.succeeded(by: try Authority(domain: try record.trustDomain()), key, overlap: overlap, now: now)
  }
}

extension ClusterAdministration {
  func perform<Body: Encodable, Answer: Decodable>(
    _ call: AdministrationCall, _ body: Body, as: Answer.Type = Answer.self
  ) async throws -> Answer {
    let body = Array(try JSONEncoder().encode(body))
    let result = await withCheckedContinuation { continuation in perform(call, body: body) { continuation.resume(returning: $0) } }
    return try JSONDecoder().decode(Answer.self, from: Data(try result.get()))
  }
}
