import Foundation

/// One node of a demo: a process of this same program. It ends when this process does, however that happens, because it watches a pipe
/// whose other end is held here.
final class DemoNode: Sendable {
  let name: String
  let ports: DemoPorts
  let dataDirectory: String
  let logFile: String
  /// The command line that starts it, also by hand.
  let arguments: [String]
  private let process = Process()
  private let lifeline = Pipe()

  init(_ index: Int, of count: Int, base: Int, directory: String) {
    name = Self.name(index)
    ports = DemoPorts(base: base, node: index)
    dataDirectory = "\(directory)/\(name)"
    logFile = "\(directory)/\(name).log"
    let cluster = (0..<count).map { "\(Self.name($0))=127.0.0.1:\(DemoPorts(base: base, node: $0).peer)" }.joined(separator: ",")
    arguments = [
      "serve", "--name", name, "--data-dir", dataDirectory, "--client-address", "127.0.0.1:\(ports.client)",
      "--peer-address", "127.0.0.1:\(ports.peer)", "--links-address", "127.0.0.1:\(ports.links)", "--initial-cluster", cluster,
    ]
  }

  private static func name(_ index: Int) -> String { "n\(index + 1)" }

  var processID: Int32 { process.processIdentifier }

  /// - Parameter ended: Called once, from any thread, with how it ended.
  func start(_ program: String, ended: @escaping @Sendable (String) -> Void) throws {
    guard FileManager.default.createFile(atPath: logFile, contents: nil) else { throw CocoaError(.fileWriteNoPermission) }
    let log = try FileHandle(forWritingTo: URL(fileURLWithPath: logFile))
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments + ["--stop-with-parent"]
    process.standardInput = lifeline
    process.standardOutput = log
    process.standardError = log
    process.terminationHandler = { process in
      ended(process.terminationReason == .exit ? "exit status \(process.terminationStatus)" : "signal \(process.terminationStatus)")
    }
    try process.run()
  }

  func terminate() { if process.isRunning { process.terminate() } }

  /// Waits until it has ended; kills it when the time is over.
  func waitUntilEnded(by deadline: ContinuousClock.Instant) async {
    while process.isRunning {
      if ContinuousClock.now > deadline { kill(process.processIdentifier, SIGKILL) }
      try? await Task.sleep(for: .milliseconds(20))
    }
  }
}

/// The demo's ports on loopback: ten numbers for each node, the first three of them used.
struct DemoPorts {
  static let defaultBase = 2379

  var client: Int
  var peer: Int
  var links: Int

  init(base: Int, node: Int) {
    client = base + 10 * node
    peer = client + 1
    links = client + 2
  }

  static func clients(base: Int, nodes: Int) -> [Int] { (0..<nodes).map { DemoPorts(base: base, node: $0).client } }
}
