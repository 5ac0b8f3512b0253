import ArgumentParser
import EtcdAPI

struct CompactCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compact", abstract: "Forget what was before a revision.",
    discussion: """
      What was before it cannot be read or watched any more; what is there now stays. The store does this by itself with what is older \
      than an hour, and with more than 128 MiB of the past.
      """)

  @OptionGroup var client: ClientOptions
  @Argument(help: "The oldest revision that can still be read.") var revision: Int64

  func validate() throws {
    guard revision > 0 else { throw ValidationError("the revision must be above 0") }
  }

  func run() async throws {
    var body = JSONWriter()
    body.object { $0.field("revision", revision) }
    try await client.withClient { cluster throws(ClientError) in
      let bytes = try await cluster.call("/v3/kv/compaction", body.bytes, .write)
      if client.json { try Output.line(String(decoding: bytes, as: UTF8.self)) }
    }
  }
}
