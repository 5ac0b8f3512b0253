import Coracle
import KeyValue
import Logging
import Testing

/// What `README.md` tells a newcomer to write.
@Suite(.timeLimit(.minutes(10))) struct ReadmeTests {
  @Test func theExampleWorks() async throws {
    try await withTemporaryDirectory { directory in
      let path = directory + "/a"
      let configuration = NodeConfiguration(name: "a", dataDirectory: path, peerAddress: try HostPort("127.0.0.1:0"))
      let node = try await Node<KeyValueMachine>(configuration, logger: Logger(label: "app"))
      let store = KeyValueStore(node)

      let revision = try await store.put(Array("greeting".utf8), Array("hello".utf8))
      let pair = try await store.get(Array("greeting".utf8))
      await node.shutdown()

      #expect(pair?.value == Array("hello".utf8))
      #expect(pair?.modRevision == revision)
    }
  }
}
