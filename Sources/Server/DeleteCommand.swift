import ArgumentParser
import EtcdAPI
import KeyValue

struct DeleteCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "del", abstract: "Delete a key, or all keys with a prefix.",
    discussion: "Prints how many keys were deleted. Exit status 1 if there were none.")

  @OptionGroup var client: ClientOptions
  @Argument(help: "The key, or the prefix.") var key: String
  @Flag(help: "Delete every key that begins with it.") var prefix = false

  func validate() throws { guard !key.isEmpty else { throw ValidationError("the key must not be empty") } }

  func run() async throws {
    let range = prefix ? KeyRange(prefix: Array(key.utf8)) : KeyRange(Array(key.utf8))
    var body = JSONWriter()
    body.object { $0.range(range) }
    try await client.withClient { cluster throws(ClientError) in
      let bytes = try await cluster.call("/v3/kv/deleterange", body.bytes, .write)
      let count = try DeleteAnswer(answer: bytes).deleted?.value ?? 0
      try Output.line(client.json ? String(decoding: bytes, as: UTF8.self) : String(count))
      guard count > 0 else { throw .refused("key not found: \(key)") }
    }
  }
}

extension JSONWriter {
  mutating func range(_ range: KeyRange) {
    field("key", base64: range.start)
    field("range_end", base64: range.end ?? [])
  }
}
