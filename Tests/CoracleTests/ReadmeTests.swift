import Coracle
import Logging
import Testing

/// What `README.md` and the pages of the library tell a newcomer to write.
@Suite(.timeLimit(.minutes(10))) struct ReadmeTests {
  @Test func theExampleWorks() async throws {
    try await withTemporaryDirectory { directory in
      let path = directory + "/a"
      let configuration = NodeConfiguration(name: "a", dataDirectory: path, peerAddress: try HostPort("127.0.0.1:0"))
      let node = try Node<KeyValueMachine>(configuration, logger: Logger(label: "app"))
      let (revision, greeting) = try await node.run {
        let store = KeyValueStore(node)
        let revision = try await store.put("greeting", "hello")
        let greeting = try await store.get("greeting")?.valueText
        return (revision, greeting)
      }

      #expect(greeting == "hello")
      #expect(revision > 0)
    }
  }

  @Test func threeNodesAreConfigured() throws {
    var configuration = NodeConfiguration(name: "b", dataDirectory: "data", peerAddress: try HostPort("10.0.0.2:2380"))
    configuration.initialCluster = [
      .init(name: "a", peerAddress: try HostPort("10.0.0.1:2380")),
      .init(name: "b", peerAddress: try HostPort("10.0.0.2:2380")),
      .init(name: "c", peerAddress: try HostPort("10.0.0.3:2380")),
    ]
    // Peers talk in plain text: only in a network that you trust, or through a tunnel.
    configuration.allowsPlainTextBeyondLoopback = true
    try configuration.validate()
  }

  @Test func textGoesInAndComesBack() async throws {
    try await withTemporaryDirectory { directory in
      let configuration = NodeConfiguration(name: "a", dataDirectory: directory + "/a", peerAddress: try HostPort("127.0.0.1:0"))
      let node = try Node<KeyValueMachine>(configuration, logger: Logger(label: "app"))
      try await node.run {
        let store = KeyValueStore(node)
        let revision = try await store.put("ключ", "значение")
        let pair = try await store.get("ключ")
        #expect(pair?.keyText == "ключ")
        #expect(pair?.valueText == "значение")
        #expect(pair?.modRevision == revision)
        #expect(try await store.compareAndSet("ключ", expected: revision - 1, "other") == nil)
        #expect(try await store.compareAndSet("ключ", expected: revision, "other") == revision + 1)
        try await store.put(Array("bytes".utf8), [0xff])
        #expect(try await store.get("bytes")?.valueText == nil, "it is not UTF-8")
        #expect(try await store.delete("ключ"))
        #expect(try await store.get("ключ") == nil)
      }
    }
  }
}
