import Coracle
import KeyValue
import Logging

typealias KeyValueNode = Node<KeyValueMachine>

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// A node by itself, on any free port of the loopback interface.
func single(in directory: String, name: String = "a") throws -> NodeConfiguration {
  NodeConfiguration(name: name, dataDirectory: directory, peerAddress: try HostPort("127.0.0.1:0"))
}

/// A node that has started, in a task of its own, for tests that stop one and go on.
@dynamicMemberLookup
struct RunningNode {
  let node: KeyValueNode
  let end: Task<Void, any Error>

  init(_ configuration: NodeConfiguration) async throws {
    let node = try KeyValueNode(configuration, logger: quiet)
    self.node = node
    end = Task { try await node.run() }
    try await node.waitUntilStarted()
  }

  var store: KeyValueStore { KeyValueStore(node) }

  subscript<Value>(dynamicMember member: KeyPath<KeyValueNode, Value>) -> Value { node[keyPath: member] }

  /// Returns when the data directory may be used again.
  func stop() async throws {
    end.cancel()
    try await end.value
  }
}
