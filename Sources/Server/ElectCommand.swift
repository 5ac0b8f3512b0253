import ArgumentParser
import EtcdAPI
import Foundation

struct ElectCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "elect", abstract: "Stand for an election, or watch who is elected.",
    discussion: """
      coracle elect mailer "$HOSTNAME" -- ./mailer
      coracle elect mailer --watch

      Of all candidates, one is elected at a time. With a program: it runs while this candidate is elected, as `lock` has it. Without \
      one: prints the key and the token once it is elected, and stays so until it is interrupted. --watch prints the value of who is \
      elected, and of each one that follows.
      """)

  @OptionGroup var client: ClientOptions
  @OptionGroup var hold: HoldOptions
  @Argument(help: "The name of the election.") var name: String
  @Argument(help: "What the others see of this candidate when it is elected.") var value: String?
  @Flag(help: "Print who is elected, and do not stand.") var watch = false
  @Argument(parsing: .postTerminator, help: "The program and its arguments, after --.") var program: [String] = []

  func validate() throws {
    guard watch != (value != nil) else { throw ValidationError("give either a value, to stand for the election, or --watch") }
    guard !watch || program.isEmpty else { throw ValidationError("--watch runs no program") }
  }

  func run() async throws {
    guard let value else { return try await observe() }
    try await hold.run(client, name, .election(value), program)
  }

  private func observe() async throws {
    var body = JSONWriter()
    body.object { $0.field("name", base64: Array(name.utf8)) }
    let bytes = body.bytes
    try await client.withClient { cluster throws(ClientError) in
      try await cluster.stream("/v3/election/observe", { bytes }) { line throws(ClientError) in
        let answer = try ObservedAnswer(answer: line)
        if let error = answer.error { throw .unavailable([error.detail ?? error.message]) }
        guard let pair = answer.result?.kv else { return false }
        if client.json {
          try Output.line(String(decoding: line, as: UTF8.self))
        } else {
          try Output.write((pair.value?.bytes ?? []) + [UInt8(ascii: "\n")])
        }
        return false
      }
    }
  }
}
