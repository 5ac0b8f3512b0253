import ArgumentParser
import Coracle
import Foundation
import UnixSignals

struct DemoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo", abstract: "Run a cluster on this machine, to try it out.",
    discussion: """
      Each node is a process of its own: kill one, and see the others go on. Ctrl-C stops them all. \
      The data stay in the directory, and are used again at the next start.
      """)

  @Option(help: "Where the data and the logs of the nodes are; made if it is missing.") var directory = "coracle-demo"
  @Option(help: "How many nodes: 1 to 7.") var nodes = 3
  @Option(help: "The first node's port for clients; the next two are for its peers and for links. Each further node is ten ports on.")
  var basePort = DemoPorts.defaultBase

  func validate() throws {
    guard !directory.isEmpty else { throw ValidationError("--directory must not be empty") }
    guard (1...7).contains(nodes) else { throw ValidationError("--nodes must be between 1 and 7") }
    guard (1024...65_000).contains(basePort) else { throw ValidationError("--base-port must be between 1024 and 65000") }
  }

  func run() async throws {
    let program = Bundle.main.executablePath ?? CommandLine.arguments[0]
    let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
    let cluster = (0..<nodes).map { DemoNode($0, of: nodes, base: basePort, directory: directory) }
    let home: DemoDirectory
    do throws(DemoRefusal) {
      home = try DemoDirectory(directory)
      try await home.check(cluster)
    } catch {
      Output.complain("the demo does not start: \(error.text)")
      throw ExitStatus.failed
    }
    defer { withExtendedLifetime(home) {} }
    let (ends, continuation) = AsyncStream.makeStream(of: (DemoNode, String).self)
    do {
      for node in cluster { try node.start(program) { continuation.yield((node, $0)) } }
    } catch {
      Output.complain("cannot start: \(error.localizedDescription)")
      await stop(cluster)
      throw ExitStatus.failed
    }
    describe(cluster)
    let announcement = Task { await announceLeader(cluster) }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { for await _ in signals { break } }
      group.addTask { [nodes] in await Self.report(ends, of: nodes, program) }
      _ = await group.next()
      group.cancelAll()
    }
    announcement.cancel()
    Output.tell("stopping")
    await stop(cluster)
  }

  private func stop(_ cluster: [DemoNode]) async {
    for node in cluster { node.terminate() }
    let deadline = ContinuousClock.now + .seconds(10)
    for node in cluster where node.processID != 0 { await node.waitUntilEnded(by: deadline) }
  }

  /// Says which nodes ended, and returns when none is left.
  private static func report(_ ends: AsyncStream<(DemoNode, String)>, of nodes: Int, _ program: String) async {
    var left = nodes
    for await (node, end) in ends {
      left -= 1
      Output.tell("\n\(node.name) ended: \(end); its log is \(node.logFile). To start it again:")
      Output.tell("  \(program) \(node.arguments.joined(separator: " "))")
      if left == 0 { return Output.tell("no node is left") }
    }
  }

  private func announceLeader(_ cluster: [DemoNode]) async {
    let client = ClusterClient(
      endpoints: cluster.compactMap { try? HostPort("127.0.0.1:\($0.ports.client)") }, timeout: .seconds(15))
    do throws(ClientError) {
      _ = try await client.call("/v3/kv/range", Array(#"{"key":"AA=="}"#.utf8), .read)
      Output.tell("ready: a leader is elected, any node takes any request")
    } catch {
      if !Task.isCancelled { Output.complain(error.description) }
    }
    await client.close()
  }

  private func describe(_ cluster: [DemoNode]) {
    for node in cluster {
      Output.tell(
        "\(node.name)  process \(node.processID)  clients http://127.0.0.1:\(node.ports.client)"
          + "  links http://127.0.0.1:\(node.ports.links)  data \(node.dataDirectory)  log \(node.logFile)")
    }
    let endpoints = cluster.map { "127.0.0.1:\($0.ports.client)" }.joined(separator: ",")
    let option = endpoints == ClientOptions.defaultEndpoints ? "" : " --endpoints \(endpoints)"
    let first = cluster[0]
    Output.tell(
      """

      Try, in another terminal:
        coracle put greeting hello\(option)
        coracle get greeting\(option)
        coracle status\(option)
        curl http://127.0.0.1:\(first.ports.client)/v3/kv/range -d '{"key":"Z3JlZXRpbmc="}'
        kill -9 \(first.processID)    # then put and get again: the others go on
      Ctrl-C stops all nodes and keeps their data.

      """)
  }
}
