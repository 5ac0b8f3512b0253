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

  @Option(
    help: ArgumentHelp(
      "A directory with a certificate to show: of a client, as `coracle client-cert` makes it, or a server's data directory.",
      discussion: """
        Also taken from the environment: CORACLE_CREDENTIALS. Otherwise coracle-data, if that is the data directory of a server that talks \
        encrypted.
        """))
  var credentials: String?

  @Option(help: "How long to try, in seconds.") var timeout = 5.0

  @Flag(help: "Print the answer as the node gave it.") var json = false

  func validate() throws {
    guard (0.001...3600).contains(timeout) else { throw ValidationError("--timeout must be between 0.001 and 3600 seconds") }
    _ = try parsedEndpoints()
    let isEncrypted = endpointsText.lowercased().contains("https://")
    guard !isEncrypted || namedCredentials != nil || ClientCredentials.exist(in: Self.defaultDirectory) else {
      throw ValidationError("\(source): https:// needs a certificate to show: name its directory with --credentials")
    }
  }

  private var endpointsText: String {
    endpoints ?? ProcessInfo.processInfo.environment["CORACLE_ENDPOINTS"] ?? Self.defaultEndpoints
  }

  private var namedCredentials: String? { credentials ?? ProcessInfo.processInfo.environment["CORACLE_CREDENTIALS"] }

  func parsedEndpoints() throws -> [HostPort] {
    let text = endpointsText
    let parts = text.split(separator: ",")
    guard !parts.isEmpty else { throw ValidationError("\(source): give at least one endpoint, as host:port") }
    var addresses: [HostPort] = []
    do {
      for part in parts {
        let address = try HostPort(try address(in: part))
        if !addresses.contains(address) { addresses.append(address) }
      }
    } catch let error as HostPortError {
      throw ValidationError("\(source): \(error)")
    }
    return addresses
  }

  /// What to show; `nil` if nodes are to be talked to in plain text: none was named, and the endpoints are not written with `https://`.
  func shownCredentials() throws -> ClientCredentials? {
    do {
      if let namedCredentials { return try ClientCredentials(directory: namedCredentials) }
      guard !endpointsText.lowercased().contains("http://"), ClientCredentials.exist(in: Self.defaultDirectory) else { return nil }
      return try ClientCredentials(directory: Self.defaultDirectory)
    } catch {
      Output.complain("\(error)")
      throw ExitStatus.failed
    }
  }

  private static let defaultDirectory = "coracle-data"

  /// Where the endpoints come from, for people.
  private var source: String { endpoints == nil ? "CORACLE_ENDPOINTS" : "--endpoints" }

  private var areDefaultEndpoints: Bool { endpoints == nil && ProcessInfo.processInfo.environment["CORACLE_ENDPOINTS"] == nil }

  /// Endpoints are often written as URLs.
  private func address(in text: Substring) throws -> String {
    let trimmed = text.trimmingCharacters(in: .whitespaces)
    let lowercased = trimmed.lowercased()
    let scheme = ["http://", "https://"].first(where: lowercased.hasPrefix)
    let address = String(trimmed.dropFirst(scheme?.count ?? 0))
    return address.hasSuffix("/") ? String(address.dropLast()) : address
  }

  /// Runs a conversation with the cluster, and turns its failure into words and an exit status.
  func withClient(_ body: (ClusterClient) async throws(ClientError) -> Void) async throws {
    let client = ClusterClient(endpoints: try parsedEndpoints(), timeout: .seconds(timeout), credentials: try shownCredentials())
    var problem: ClientError?
    do throws(ClientError) {
      try await body(client)
    } catch {
      problem = error
    }
    let isHintInPlace = areDefaultEndpoints && client.isNobodyThere
    await client.close()
    guard let problem else { return }
    if json {
      Output.complain(asItIs: problem.json)
    } else if !problem.isQuiet {
      Output.complain(problem.description + (isHintInPlace ? "\n  Is a cluster running? `coracle demo` starts one." : ""))
    }
    throw problem.exitCode
  }
}
