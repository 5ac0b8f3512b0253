import ArgumentParser
import EtcdAPI
import Foundation

struct AuthorityCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "authority", abstract: "See to the cluster's certificate authority.", subcommands: [Rotate.self])

  struct Rotate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Replace the authority by a new one.",
      discussion: """
        Run it on a server of the cluster, as the user of its node. Nodes get certificates of the new authority at once. The old one \
        counts until the overlap is over: by then, clients need certificates of the new one, and a server that was away all the while \
        needs a token to come back. Tokens that were made before stay good until then. As long as that is not over, the authority is not \
        replaced once more, unless by force.
        """)

    @OptionGroup var client: ClientOptions
    @Option(help: "How many hours both authorities count.") var overlapHours = 168.0
    @Flag(help: "Replace it also while an earlier overlap is not over. Who trusts only the oldest authority is cut off at once.")
    var force = false

    func run() async throws {
      let body = try JSONEncoder().encode(CertificationCalls.RotationRequest(overlap: overlapHours * 3600, force: force))
      try await client.administer(.rotateAuthority, body) { bytes throws(ClientError) in
        let end = Date(timeIntervalSince1970: Double(try CertificationCalls.RotationAnswer(answer: bytes).retires))
        try Output.line("There is a new authority; the old one counts until \(end.formatted(.iso8601)).")
      }
    }
  }
}
