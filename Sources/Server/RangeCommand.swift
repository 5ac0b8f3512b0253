import ArgumentParser
import EtcdAPI
import KeyValue

struct RangeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "range", abstract: "Print keys and values in the order of the keys.",
    discussion: "One pair a line: the key, a tab, the value, each as it is. Without arguments: all keys.")

  @OptionGroup var client: ClientOptions
  @Argument(help: "The first key; with --prefix, what the keys begin with.") var start = ""
  @Argument(help: "The end, which is not printed itself. Without it: no end.") var end: String?
  @Flag(help: "Keys that begin with the first argument.") var prefix = false
  @Option(help: "Print at most this many pairs; 0 for all.") var limit: Int64 = 0
  @Flag(help: "Print keys alone.") var keysOnly = false
  @Flag(help: "From the last key to the first.") var reverse = false
  @Flag(help: "Take what the node has, which may be old: works without a majority.") var serializable = false

  func validate() throws {
    guard limit >= 0 else { throw ValidationError("--limit must not be negative") }
    guard !prefix || end == nil else { throw ValidationError("--prefix takes one argument") }
  }

  var range: KeyRange {
    if prefix { return KeyRange(prefix: Array(start.utf8)) }
    return KeyRange(start: start.isEmpty ? [0] : Array(start.utf8), end: end.map { Array($0.utf8) } ?? [0])
  }

  func run() async throws {
    var body = JSONWriter()
    body.object {
      $0.range(range)
      $0.field("limit", limit)
      if reverse { $0.field("sort_order", text: "DESCEND") }
      $0.field("serializable", serializable)
      $0.field("keys_only", keysOnly)
    }
    try await client.withClient { cluster throws(ClientError) in
      let bytes = try await cluster.call("/v3/kv/range", body.bytes, .read)
      guard !client.json else { return try Output.line(String(decoding: bytes, as: UTF8.self)) }
      var text: [UInt8] = []
      let answer = try RangeAnswer(answer: bytes)
      for pair in answer.kvs ?? [] {
        text += pair.key.bytes
        if !keysOnly { text += [UInt8(ascii: "\t")] + (pair.value?.bytes ?? []) }
        text.append(UInt8(ascii: "\n"))
      }
      try Output.write(text)
      if answer.more == true { Output.complain("there are more: --limit \(limit)") }
    }
  }
}
