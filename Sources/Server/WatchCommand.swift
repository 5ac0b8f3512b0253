import ArgumentParser
import EtcdAPI
import KeyValue

struct WatchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch", abstract: "Print changes as they happen.",
    discussion: """
      One change a line: `put`, a tab, the key, a tab, the value; or `delete`, a tab, the key. With --json: what the node sends, a line \
      for each answer. It goes on until it is interrupted, at another node if its own goes, with nothing left out and nothing twice. If it \
      falls behind what the store remembers, it says so and ends with status 1.
      """)

  @OptionGroup var client: ClientOptions
  @Argument(help: "The key; with --prefix, what the keys begin with.") var start: String
  @Argument(help: "The end of a range of keys, which is not watched itself.") var end: String?
  @Flag(help: "Keys that begin with the first argument.") var prefix = false
  @Option(help: "The first revision to print; without it, what comes from now on.") var from: Int64?
  @Option(help: "End after this many changes; 0 for none.") var limit = 0

  func validate() throws {
    guard !prefix || end == nil else { throw ValidationError("--prefix takes one argument") }
    guard !start.isEmpty || prefix else { throw ValidationError("the key is empty; for all keys, give '' and --prefix") }
    guard from ?? 1 > 0 else { throw ValidationError("--from must be above 0") }
    guard limit >= 0 else { throw ValidationError("--limit must not be negative") }
  }

  private var range: KeyRange {
    prefix ? KeyRange(prefix: Array(start.utf8)) : KeyRange(start: Array(start.utf8), end: end.map { Array($0.utf8) })
  }

  func run() async throws {
    // The first that was not printed; 0 as long as none is known.
    var next = from ?? 0
    var printed = 0
    try await client.withClient { cluster throws(ClientError) in
      try await cluster.stream("/v3/watch", { body(from: next) }) { line throws(ClientError) in
        let answer = try WatchAnswer(answer: line)
        if let error = answer.error { throw .unavailable([error.detail ?? error.message]) }
        guard let result = answer.result else { return false }
        if result.canceled == true {
          throw .refused(
            result.compact_revision.map { "the store remembers nothing before revision \($0.value): read the keys, and watch from there" }
              ?? result.cancel_reason ?? "the watch was ended")
        }
        if result.created == true, next == 0, let revision = result.header.revision?.value { next = revision + 1 }
        let events = result.events ?? []
        guard let last = events.last else { return false }
        if client.json { try Output.line(String(decoding: line, as: UTF8.self)) }
        for event in events where !client.json && (limit == 0 || printed < limit) {
          try Output.write(event.line)
          printed += 1
        }
        if client.json { printed += events.count }
        next = last.kv.mod_revision.value + 1
        return limit > 0 && printed >= limit
      }
    }
  }

  private func body(from revision: Int64) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { body in
      body.object("create_request") { create in
        create.range(range)
        create.field("start_revision", revision)
      }
    }
    return writer.bytes
  }
}

extension WatchAnswer.Event {
  fileprivate var line: [UInt8] {
    let tab = UInt8(ascii: "\t")
    let isDeletion = type == "DELETE"
    let value = isDeletion ? [] : [tab] + (kv.value?.bytes ?? [])
    return Array((isDeletion ? "delete" : "put").utf8) + [tab] + kv.key.bytes + value + [UInt8(ascii: "\n")]
  }
}
