import ArgumentParser
import EtcdAPI
import Foundation

struct SettingsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "settings", abstract: "Show or change how large the store may become, and for how long it remembers.",
    discussion: "What is given is changed, on all nodes; without any of it, nothing is. The history can be read and watched.")

  @OptionGroup var client: ClientOptions
  @Option(help: "Most MiB of the store; above that, puts are refused.") var quota: Int64?
  @Option(help: "Seconds for which every change is remembered at least; 0 for ever.") var historySeconds: Int64?
  @Option(help: "Most MiB of the past; 0 for no bound.") var history: Int64?

  private static let largest: Int64 = 1 << 30

  func validate() throws {
    guard quota.map({ (1...Self.largest).contains($0) }) ?? true else {
      throw ValidationError("--quota must be between 1 and \(Self.largest) MiB")
    }
    guard history.map({ (0...Self.largest).contains($0) }) ?? true else {
      throw ValidationError("--history must be between 0 and \(Self.largest) MiB")
    }
    guard historySeconds.map({ $0 >= 0 }) ?? true else { throw ValidationError("--history-seconds must not be below 0") }
  }

  private struct Answer: Decodable {
    var quota: WireInteger<Int64>
    var history_seconds: WireInteger<Int64>?
    var history_bytes: WireInteger<Int64>?
  }

  func run() async throws {
    var body = JSONWriter()
    body.object {
      if let quota { $0.field("quota", text: "\(quota << 20)") }
      if let historySeconds { $0.field("history_seconds", text: "\(historySeconds)") }
      if let history { $0.field("history_bytes", text: "\(history << 20)") }
    }
    let kind: ClusterClient.Kind = [quota, historySeconds, history].contains { $0 != nil } ? .write : .read
    try await client.withClient { cluster throws(ClientError) in
      let bytes = try await cluster.call("/v3/maintenance/settings", body.bytes, kind)
      guard !client.json else { return try Output.line(String(decoding: bytes, as: UTF8.self)) }
      let answer = try Answer(answer: bytes)
      try Output.line(
        StatusCommand.table([
          ["QUOTA", "HISTORY", "HISTORY AT MOST"],
          [
            "\(answer.quota.value >> 20) MiB", answer.history_seconds.map { "\($0.value) s" } ?? "for ever",
            answer.history_bytes.map { "\($0.value >> 20) MiB" } ?? "no bound",
          ],
        ]))
    }
  }
}
