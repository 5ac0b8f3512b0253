import ArgumentParser
import EtcdAPI
import Foundation

struct PutCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "put", abstract: "Set the value of a key.")

  @OptionGroup var client: ClientOptions
  @Argument(help: "The key.") var key: String
  @Argument(help: "The value; - to take it from standard input.") var value: String

  @Option(help: "The number of the lease that the key goes with; 0 for none.") var lease: Int64 = 0

  func validate() throws { guard !key.isEmpty else { throw ValidationError("the key must not be empty") } }

  private static func input() throws -> [UInt8] {
    do {
      return Array(try FileHandle.standardInput.readToEnd() ?? Data())
    } catch {
      throw ValidationError("value: standard input cannot be read: \(error.localizedDescription)")
    }
  }

  func run() async throws {
    let bytes = value == "-" ? try Self.input() : Array(value.utf8)
    var body = JSONWriter()
    body.object {
      $0.field("key", base64: Array(key.utf8))
      $0.field("value", base64: bytes)
      $0.field("lease", lease)
    }
    try await client.withClient { cluster throws(ClientError) in
      let answer = try await cluster.call("/v3/kv/put", body.bytes, .write)
      if client.json { try Output.line(String(decoding: answer, as: UTF8.self)) }
    }
  }
}
