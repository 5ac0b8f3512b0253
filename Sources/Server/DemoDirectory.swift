import Coracle
import Foundation
import Raft
import WriteAheadLog

/// The directory of a demo, which one demo has at a time.
final class DemoDirectory: Sendable {
  let path: String
  private let lock: Int32

  /// Makes the directory if it is missing, and takes it until this value goes away.
  init(_ path: String) throws(DemoRefusal) {
    self.path = path
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw DemoRefusal("\(path) cannot be made: \(error.localizedDescription)")
    }
    let file = "\(path)/demo.lock"
    lock = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard lock >= 0 else { throw DemoRefusal("\(file) cannot be opened: \(String(cString: strerror(errno)))") }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      Foundation.close(lock)
      throw DemoRefusal(
        "a demo runs in \(path) already: stop that one with Ctrl-C, or give this one its own --directory and --base-port")
    }
  }

  deinit { Foundation.close(lock) }

  /// For nodes of a demo that was killed to end.
  private static let patience = Duration.seconds(3)

  /// Throws if the nodes cannot run here: some other process has their data or their ports, or the data are of other nodes.
  func check(_ nodes: [DemoNode]) async throws(DemoRefusal) {
    let deadline = ContinuousClock.now + Self.patience
    while true {
      var refusal: DemoRefusal?
      for node in nodes {
        do throws(DemoRefusal) {
          try checkData(of: node, among: nodes)
          try Self.checkPorts(of: node)
        } catch {
          refusal = error
          break
        }
      }
      guard let refusal else { return }
      guard refusal.mayPass, ContinuousClock.now < deadline else { throw refusal }
      try? await Task.sleep(for: .milliseconds(100))
    }
  }

  private func checkData(of node: DemoNode, among nodes: [DemoNode]) throws(DemoRefusal) {
    guard FileManager.default.fileExists(atPath: node.dataDirectory) else { return }
    let identity: IdentityRecord?
    do {
      identity = try DataDirectory.load(try PosixDisk(path: node.dataDirectory)).identity
    } catch PosixDiskError.locked {
      throw DemoRefusal(
        "\(node.name) runs already, with its data in \(node.dataDirectory): stop it, then start the demo again", mayPass: true)
    } catch {
      // The node says what is wrong, better than could be said here.
      return
    }
    let first: Configuration
    switch identity?.phase {
    case .voted(let configuration), .joined(let configuration), .formed(let configuration): first = configuration
    case .undecided, nil: return
    }
    let (found, wanted) = (
      Set(first.voters.map { "\($0.name)=\($0.peerAddress)" }), Set(nodes.map { "\($0.name)=127.0.0.1:\($0.ports.peer)" })
    )
    guard found != wanted else { return }
    let base = first.voters.first { $0.name == "n1" }.flatMap { try? HostPort($0.peerAddress).port - 1 }
    throw DemoRefusal(
      "the data in \(path) are of a cluster with other ports or another number of nodes: start it with "
        + "\(base.map { "--base-port \($0) " } ?? "")--nodes \(first.voters.count), or use another --directory")
  }

  private static func checkPorts(of node: DemoNode) throws(DemoRefusal) {
    for port in [node.ports.client, node.ports.peer, node.ports.links] where !isFree(port) {
      throw DemoRefusal(
        "port \(port), which \(node.name) needs, is in use: does another demo or node run? Stop it, or choose another --base-port "
          + "(with another --directory)", mayPass: true)
    }
  }

  /// Whether a server could listen there.
  private static func isFree(_ port: Int) -> Bool {
    #if canImport(Glibc)
      let kind = Int32(SOCK_STREAM.rawValue)
    #else
      let kind = SOCK_STREAM
    #endif
    let descriptor = socket(AF_INET, kind, 0)
    guard descriptor >= 0 else { return true }
    defer { Foundation.close(descriptor) }
    var yes: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout.size(ofValue: yes)))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0 }
    }
  }
}

/// Why a demo does not start; it has changed nothing.
struct DemoRefusal: Error {
  let text: String
  /// Whether waiting a little could help.
  let mayPass: Bool

  init(_ text: String, mayPass: Bool = false) {
    self.text = text
    self.mayPass = mayPass
  }
}
