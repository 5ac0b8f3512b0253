import ArgumentParser
import EtcdAPI

struct GetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "get", abstract: "Print the value of a key, as it is.", discussion: "Exit status 1 if there is no such key.")

  @OptionGroup var client: ClientOptions
  @Argument(help: "The key.") var key: String
  @Flag(help: "Take what the node has, which may be old: works without a majority.") var serializable = false

  func validate() throws { guard !key.isEmpty else { throw ValidationError("the key must not be empty") } }

  func run() async throws {
    var body = JSONWriter()
    body.object {
      $0.field("key", base64: Array(key.utf8))
      $0.field("serializable", serializable)
    }
    try await client.withClient { cluster throws(ClientError) in
      let bytes = try await cluster.call("/v3/kv/range", body.bytes, .read)
      let pair = try RangeAnswer(answer: bytes).kvs?.first
      if client.json {
        try Output.line(String(decoding: bytes, as: UTF8.self))
      } else if let pair {
        try Output.writeValue(pair.value?.bytes ?? [])
      }
      guard pair != nil else { throw .refused("key not found: \(key)") }
    }
  }
}
