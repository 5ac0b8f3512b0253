import ArgumentParser
import Coracle
import Foundation

/// What every command that talks to a cluster takes.
struct ClientOptions: ParsableArguments {
  /// Where `serve` and `demo` listen when nothing else is said.
  static let defaultEndpoints = DemoPorts.clients(base: DemoPorts.defaultBase, nodes: 3).map { "127.0.0.1:\($0)" }.joined(separator: ",")

  @Option(
    help: ArgumentHelp(
      "Nodes to ask, any of which will do: host:port, separated by commas.",
      discussion: "Also taken from the environment: CORACLE_ENDPOINTS. Otherwise those of `serve` and `demo` on this machine."))
  var endpoints: String?

  @Option(help: "How long to try, in seconds.") var timeout = 5.0

  @Flag(help: "Print the answer as the node gave it.") var json = false

  func validate() throws {
    guard (0.001...3600).contains(timeout) else { throw ValidationError("--timeout must be between 0.001 and 3600 seconds") }
    _ = try parsedEndpoints()
  }

  func parsedEndpoints() throws -> [HostPort] {
    let text = endpoints ?? ProcessInfo.processInfo.environment["CORACLE_ENDPOINTS"] ?? Self.defaultEndpoints
    let parts = text.split(separator: ",")
    guard !parts.isEmpty else { throw ValidationError("give at least one endpoint, as host:port, with --endpoints or CORACLE_ENDPOINTS") }
    do {
      return try parts.map { try HostPort(Self.address(in: $0)) }
    } catch let error as HostPortError {
      throw ValidationError(error.description)
    }
  }

  /// Endpoints are often written as URLs.
  private static func address(in text: Substring) -> String {
    let trimmed = text.trimmingCharacters(in: .whitespaces)
    let address = trimmed.hasPrefix("http://") ? String(trimmed.dropFirst("http://".count)) : trimmed
    return address.hasSuffix("/") ? String(address.dropLast()) : address
  }

  /// Runs a conversation with the cluster, and turns its failure into words and an exit status.
  func withClient(_ body: (ClusterClient) async throws(ClientError) -> Void) async throws {
    let client = ClusterClient(endpoints: try parsedEndpoints(), timeout: .seconds(timeout))
    do throws(ClientError) {
      try await body(client)
    } catch {
      Output.complain(error.description)
      throw error.exitCode
    }
  }
}
