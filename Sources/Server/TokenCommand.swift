import ArgumentParser
import EtcdAPI
import Foundation

struct TokenCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token", abstract: "Make, list and revoke the tokens with which servers join.",
    discussion: "Run it on a server of the cluster, as the user of its node.", subcommands: [Create.self, List.self, Revoke.self])

  struct Create: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a token, and print it.", discussion: "Whoever has it can join the cluster while it is good: keep it to yourself.")

    @OptionGroup var client: ClientOptions
    @Option(help: "How many servers it lets in, 1 to 16.") var uses = 1
    @Option(help: "For how many hours it is good.") var hours = 2.0

    func run() async throws {
      let body = try JSONEncoder().encode(CertificationCalls.TokenRequest(uses: uses, seconds: hours * 3600))
      try await client.administer(.makeToken, body) { bytes throws(ClientError) in
        try Output.line(try CertificationCalls.TokenAnswer(answer: bytes).token)
      }
    }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show the tokens, without their secrets, which are not kept.",
      discussion: "Those that have ended are kept until their place is needed, which does not matter: they let nobody in.")

    @OptionGroup var client: ClientOptions

    func run() async throws {
      try await client.administer(.listTokens, Data("{}".utf8)) { bytes throws(ClientError) in
        let rows = try CertificationCalls.TokenList(answer: bytes).tokens.map { token in
          [token.number, "\(token.uses)", Date(timeIntervalSince1970: Double(token.expires)).formatted(.iso8601)]
        }
        try Output.line(StatusCommand.table([["TOKEN", "LETS IN", "UNTIL"]] + rows))
      }
    }
  }

  struct Revoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Make a token worthless.")

    @OptionGroup var client: ClientOptions
    @Argument(help: "Its number, as `list` shows it.") var number: String

    func run() async throws {
      let body = try JSONEncoder().encode(CertificationCalls.TokenNumber(number: number))
      try await client.administer(.revokeToken, body) { _ in }
    }
  }
}

extension ClientOptions {
  /// Asks for something under `/coracle/`, and hands the answer on, or prints it as it came.
  func administer(
    _ call: AdministrationCall, _ body: Data, _ print: ([UInt8]) throws(ClientError) -> Void
  ) async throws {
    try await withClient { cluster throws(ClientError) in
      let bytes = try await cluster.administer(call, Array(body))
      if json { try Output.line(String(decoding: bytes, as: UTF8.self)) } else { try print(bytes) }
    }
  }
}

extension ClusterClient {
  func administer(_ call: AdministrationCall, _ body: [UInt8]) async throws(ClientError) -> [UInt8] {
    do throws(ClientError) {
      return try await self.call("/coracle/\(call.rawValue)", body, call.kind, beginning: "{")
    } catch .unknown(let text, _) {
      throw .unknown(text, advice: call.advice)
    }
  }
}

extension AdministrationCall {
  var kind: ClusterClient.Kind {
    switch self {
    case .listTokens: .read
    // The same key gets another certificate, as good as the first.
    case .join, .clientCertificate: .repeatable
    case .makeToken, .revokeToken, .rotateAuthority: .write
    }
  }

  /// What to do if nobody knows whether it was done.
  var advice: String {
    switch self {
    case .join, .listTokens, .clientCertificate, .revokeToken: "to repeat it does no harm"
    case .makeToken: "to repeat it does no harm, for a token that nobody has seen lets nobody in"
    case .rotateAuthority: "to repeat it does no harm, for then it is refused, with the time until which the old authority counts"
    }
  }
}
