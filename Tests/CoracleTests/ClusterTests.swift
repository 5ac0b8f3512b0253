import Coracle
import KeyValue
import NIOCore
import NIOPosix
import Replica
import Testing

/// Real nodes in one process, over the loopback interface.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ClusterTests {
  private struct Cluster {
    let configurations: [NodeConfiguration]

    init(in path: String, names: [String] = ["a", "b", "c"]) async throws {
      let members = try await zip(names, Self.freePorts(names.count)).map {
        NodeConfiguration.InitialMember(name: $0, peerAddress: try HostPort("127.0.0.1:\($1)"))
      }
      configurations = members.map {
        var configuration = NodeConfiguration(name: $0.name, dataDirectory: path + "/" + $0.name, peerAddress: $0.peerAddress)
        configuration.initialCluster = members
        return configuration
      }
    }

    /// Free a moment ago; bound all at once, so that they differ.
    private static func freePorts(_ count: Int) async throws -> [Int] {
      var channels: [any Channel] = []
      for _ in 0..<count {
        channels.append(try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "127.0.0.1", port: 0).get())
      }
      let ports = channels.map { $0.localAddress?.port ?? 0 }
      for channel in channels { try await channel.close() }
      return ports
    }

    func start(_ index: Int) async throws -> RunningNode { try await RunningNode(configurations[index]) }
  }

  /// A put is harmless twice: what was lost with its leader is asked for again.
  private func insist(_ store: KeyValueStore, _ key: String) async throws {
    #expect(try await eventually(within: .seconds(30)) { (try? await store.put(bytes(key), bytes("v"), timeout: .seconds(1))) != nil })
  }

  private func leader(of nodes: [RunningNode]) -> Int? { nodes.firstIndex { $0.status.role == .leader } }

  @Test func threeElectReplicateAndTakeOneBack() async throws {
    try await withTemporaryDirectory { path in
      let cluster = try await Cluster(in: path)
      var nodes: [RunningNode] = []
      for index in 0..<3 { nodes.append(try await cluster.start(index)) }
      // Any node takes requests, and any node has the answer.
      for (index, node) in nodes.enumerated() { try await insist(node.store, "\(index)") }
      for node in nodes {
        for index in 0..<3 { #expect(try await node.store.get(bytes("\(index)"))?.value == bytes("v")) }
      }
      #expect(try await eventually { nodes.filter { $0.status.role == .leader }.count == 1 })
      #expect(Set(nodes.map(\.status.cluster)).count == 1)

      let gone = try #require(leader(of: nodes))
      try await nodes[gone].stop()
      let other = nodes[(gone + 1) % 3].store
      try await insist(other, "while away")

      nodes[gone] = try await cluster.start(gone)
      #expect(try await nodes[gone].store.get(bytes("while away"), timeout: .seconds(20))?.value == bytes("v"))
      #expect(try await nodes[gone].store.get(bytes("0"), consistency: .serializable)?.value == bytes("v"))
      for node in nodes { try await node.stop() }
    }
  }

  @Test func withoutQuorumOnlyStaleReadsGo() async throws {
    try await withTemporaryDirectory { path in
      let cluster = try await Cluster(in: path)
      var nodes: [RunningNode] = []
      for index in 0..<3 { nodes.append(try await cluster.start(index)) }
      for node in nodes { try await insist(node.store, node.configuration.name) }
      #expect(try await eventually { nodes[0].status.appliedIndex == nodes[2].status.appliedIndex })
      try await nodes[1].stop()
      try await nodes[2].stop()

      let alone = nodes[0]
      let clock = ContinuousClock()
      let start = clock.now
      await #expect(throws: RequestError.self) { try await alone.node.propose([], timeout: .milliseconds(300)) }
      await #expect(throws: RequestError.self) { try await alone.node.read(.linearizable, timeout: .milliseconds(300)) }
      #expect(clock.now - start < .seconds(5))
      #expect(try await eventually { alone.status.leader == nil })
      let error = await #expect(throws: RequestError.self) { try await alone.node.propose([], timeout: .milliseconds(300)) }
      #expect(error == RequestError(.noLeader, outcome: .notDone))
      let stale = try await alone.node.read(.serializable)
      #expect(stale.view.get(bytes("c"))?.value == bytes("v"))
      #expect(try #require(stale.staleness) > .zero)
      try await alone.stop()
    }
  }

  @Test func cancelledTaskIsAnsweredAtOnce() async throws {
    try await withTemporaryDirectory { path in
      let alone = try await Cluster(in: path).start(0)
      let task = Task { try await alone.node.propose([], timeout: .seconds(600)) }
      try await Task.sleep(for: .milliseconds(50))
      task.cancel()
      let error = await #expect(throws: RequestError.self) { try await task.value }
      #expect(error == RequestError(.cancelled, outcome: .notDone), "it had not left the node")
      try await alone.stop()
    }
  }

  @Test func cancellingAtAnyMomentIsAnswered() async throws {
    try await withTemporaryDirectory { path in
      let alone = try await Cluster(in: path).start(0)
      for _ in 0..<200 {
        let task = Task { try await alone.node.propose([], timeout: .seconds(600)) }
        task.cancel()
        await #expect(throws: RequestError.self) { try await task.value }
      }
      try await alone.stop()
    }
  }

  @Test func memberWithoutItsDataIsRefusedWithAReason() async throws {
    try await withTemporaryDirectory { path in
      let cluster = try await Cluster(in: path)
      var nodes: [RunningNode] = []
      for index in 0..<3 { nodes.append(try await cluster.start(index)) }
      for node in nodes { try await insist(node.store, node.configuration.name) }
      try await nodes[2].stop()
      try removeDirectory(path + "/c")
      let newborn = try await cluster.start(2)
      let error = await #expect(throws: NodeError.self) { try await newborn.end.value }
      guard case .refusedByCluster(let text) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(text.contains("old data directory"))
      for node in nodes { try await node.stop() }
    }
  }
}
