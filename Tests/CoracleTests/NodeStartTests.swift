import Coracle
import KeyValue
import Testing

@Suite struct NodeStartTests {
  @Test func anotherNodesDirectoryIsRefused() async throws {
    try await withTemporaryDirectory { path in
      try await RunningNode(try single(in: path + "/a")).stop()
      let error = await #expect(throws: StartError.self) { try await RunningNode(try single(in: path + "/a", name: "b")) }
      guard case .wrongName("b", "a", path + "/a") = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      // Nothing was left behind that would keep the right node out.
      try await RunningNode(try single(in: path + "/a")).stop()
    }
  }

  @Test func runningNodesDirectoryIsRefused() async throws {
    try await withTemporaryDirectory { path in
      let first = try await RunningNode(try single(in: path + "/a"))
      let error = await #expect(throws: StartError.self) { try await RunningNode(try single(in: path + "/a")) }
      #expect(error?.description.contains("in use by a running node") == true)
      #expect(error?.description.contains(path) == true)
      try await first.stop()
    }
  }

  @Test func addressInUseIsSaid() async throws {
    try await withTemporaryDirectory { path in
      let first = try await RunningNode(try single(in: path + "/a"))
      var configuration = try single(in: path + "/b", name: "b")
      let address = try #require(first.peerAddress)
      configuration.peerAddress = address
      let error = await #expect(throws: StartError.self) { try await RunningNode(configuration) }
      guard case .addressInUse(address) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      try await first.stop()
    }
  }

  @Test func damagedIdentityIsRefused() async throws {
    try await withTemporaryDirectory { path in
      try await RunningNode(try single(in: path + "/a")).stop()
      do {
        let disk = try PosixDisk(path: path + "/a")
        let file = try disk.open("identity", create: false)
        try disk.write(file, offset: 40, [0xff])
        disk.close(file)
      }
      let error = await #expect(throws: StartError.self) { try await RunningNode(try single(in: path + "/a")) }
      guard case .storage = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
  }

  private func refusal(_ change: (inout NodeConfiguration) throws -> Void) throws -> ConfigurationError? {
    var configuration = try single(in: "/nowhere")
    try change(&configuration)
    return #expect(throws: ConfigurationError.self) { try KeyValueNode(configuration, logger: quiet) }
  }

  @Test func plainTextBeyondLoopbackMustBeAskedFor() async throws {
    #expect(try refusal { $0.peerAddress = try HostPort("0.0.0.0:0") }?.text.contains("plain text") == true)
    try await withTemporaryDirectory { path in
      var configuration = try single(in: path + "/a")
      configuration.peerAddress = try HostPort("0.0.0.0:0")
      configuration.advertisedPeerAddress = try HostPort("127.0.0.1:2380")
      configuration.allowsPlainTextBeyondLoopback = true
      try await RunningNode(configuration).stop()
    }
  }

  @Test func whatDoesNotFitTogetherIsSaid() throws {
    func members(_ names: String...) throws -> [NodeConfiguration.InitialMember] {
      try names.enumerated().map { .init(name: $0.element, peerAddress: try HostPort("127.0.0.1:\(9000 + $0.offset)")) }
    }
    #expect(try refusal { $0.name = "" }?.text.contains("name") == true)
    #expect(try refusal { $0.name = "a b" }?.text.contains("name") == true)
    #expect(try refusal { $0.name = String(repeating: "a", count: 65) }?.text.contains("name") == true)
    #expect(try refusal { $0.dataDirectory = "" }?.text.contains("data directory") == true)
    #expect(try refusal { $0.advertisedPeerAddress = try HostPort("[::]:1") }?.text.contains("advertise") == true)
    #expect(try refusal { $0.initialCluster = try members("b", "c") }?.text.contains("must contain this node") == true)
    #expect(try refusal { $0.initialCluster = try members("a", "b", "a") }?.text.contains("twice") == true)
    #expect(try refusal { $0.initialCluster = try members("a", "b") }?.text.contains("advertises") == true)
    #expect(
      try refusal {
        $0.allowsPlainTextBeyondLoopback = true
        $0.peerAddress = try HostPort("0.0.0.0:2380")
      }?.text.contains("all addresses") == true)
  }

  @Test func aSettingThatMakesNoSenseIsNamed() throws {
    let error = try refusal { $0.settings.raft.electionTimeout = .milliseconds(149) }
    #expect(error?.part == .settings("raft.electionTimeout"))
    #expect(error?.text == "settings.raft.electionTimeout must be at least three heartbeat intervals, and at most an hour")
    #expect(try refusal { $0.settings.maximumCommandSize = 0 }?.part == .settings("maximumCommandSize"))
    #expect(try refusal { $0.settings.maximumPendingBytes = 1 }?.part == .settings("maximumPendingBytes"))
  }

  @Test func nothingIsOpenedBeforeItRuns() async throws {
    try await withTemporaryDirectory { path in
      let configuration = try single(in: path + "/a")
      let first = try KeyValueNode(configuration, logger: quiet)
      #expect(first.peerAddress == nil)
      // It would be in use otherwise.
      try await RunningNode(configuration).stop()
      await #expect(throws: RequestError(.stopped, outcome: .notDone)) { try await first.propose([], timeout: .milliseconds(20)) }
      try await first.run {}
      await #expect(throws: StartError.self, "a node runs once") { try await first.run() }
      await #expect(throws: RequestError(.stopped, outcome: .notDone)) { try await first.propose([]) }
    }
  }
}
