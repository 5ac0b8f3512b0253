import Coracle
import Logging

@main
struct EmbedTheStore {
  static func main() async throws {
    let configuration = NodeConfiguration(name: "a", dataDirectory: "embedded-data", peerAddress: try HostPort("127.0.0.1:0"))
    let node = try Node<KeyValueMachine>(configuration, logger: Logger(label: "embed"))
    try await node.run {
      let store = KeyValueStore(node)
      let revision = try await store.put("greeting", "hello")
      if let pair = try await store.get("greeting") {
        print(pair.valueText ?? "no text", "since revision", pair.modRevision)
      }

      // `nil`: somebody else has changed it since that revision, and nothing was written.
      if try await store.compareAndSet("greeting", expected: revision, "good morning") == nil {
        print("somebody was faster")
      }

      for await status in node.statusUpdates {
        print(status.name, "is", status.role, "in term", status.term)
        if status.role == .leader { break }
      }
    }
  }
}
