import Coracle
import KeyValue
import Testing

@Suite struct NodeStartTests {
  @Test func anotherNodesDirectoryIsRefused() async throws {
    try await withTemporaryDirectory { path in
      await (try KeyValueNode(try single(in: path + "/a"), logger: quiet)).shutdown()
      let error = await #expect(throws: StartError.self) { try await KeyValueNode(try single(in: path + "/a", name: "b"), logger: quiet) }
      guard case .wrongName("b", "a", path + "/a") = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      // Nothing was left behind that would keep the right node out.
      await (try KeyValueNode(try single(in: path + "/a"), logger: quiet)).shutdown()
    }
  }

  @Test func runningNodesDirectoryIsRefused() async throws {
    try await withTemporaryDirectory { path in
      let first = try await KeyValueNode(try single(in: path + "/a"), logger: quiet)
      let error = await #expect(throws: StartError.self) { try await KeyValueNode(try single(in: path + "/a"), logger: quiet) }
      #expect(error?.description.contains("in use by a running node") == true)
      #expect(error?.description.contains(path) == true)
      await first.shutdown()
    }
  }

  @Test func addressInUseIsSaid() async throws {
    try await withTemporaryDirectory { path in
      let first = try await KeyValueNode(try single(in: path + "/a"), logger: quiet)
      var configuration = try single(in: path + "/b", name: "b")
      configuration.peerAddress = first.peerAddress
      let error = await #expect(throws: StartError.self) { try await KeyValueNode(configuration, logger: quiet) }
      guard case .addressInUse(first.peerAddress) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      await first.shutdown()
    }
  }

  @Test func damagedIdentityIsRefused() async throws {
    try await withTemporaryDirectory { path in
      await (try KeyValueNode(try single(in: path + "/a"), logger: quiet)).shutdown()
      do {
        let disk = try PosixDisk(path: path + "/a")
        let file = try disk.open("identity", create: false)
        try disk.write(file, offset: 40, [0xff])
        disk.close(file)
      }
      let error = await #expect(throws: StartError.self) { try await KeyValueNode(try single(in: path + "/a"), logger: quiet) }
      guard case .storage = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
  }

  private func refusal(_ change: (inout NodeConfiguration) throws -> Void) async throws -> String {
    try await withTemporaryDirectory { path in
      var configuration = try single(in: path + "/a")
      try change(&configuration)
      let wrong = configuration
      let error = await #expect(throws: StartError.self) { try await KeyValueNode(wrong, logger: quiet) }
      guard case .configuration(let text) = error else { return "" }
      return text
    }
  }

  @Test func plainTextBeyondLoopbackMustBeAskedFor() async throws {
    #expect(try await refusal { $0.peerAddress = try HostPort("0.0.0.0:0") }.contains("plain text"))
    try await withTemporaryDirectory { path in
      var configuration = try single(in: path + "/a")
      configuration.peerAddress = try HostPort("0.0.0.0:0")
      configuration.advertisedPeerAddress = try HostPort("127.0.0.1:2380")
      configuration.allowsPlainTextBeyondLoopback = true
      await (try KeyValueNode(configuration, logger: quiet)).shutdown()
    }
  }

  @Test func whatDoesNotFitTogetherIsSaid() async throws {
    func members(_ names: String...) throws -> [NodeConfiguration.InitialMember] {
      try names.enumerated().map { .init(name: $0.element, peerAddress: try HostPort("127.0.0.1:\(9000 + $0.offset)")) }
    }
    #expect(try await refusal { $0.name = "" }.contains("name"))
    #expect(try await refusal { $0.name = "a b" }.contains("name"))
    #expect(try await refusal { $0.name = String(repeating: "a", count: 65) }.contains("name"))
    #expect(try await refusal { $0.dataDirectory = "" }.contains("data directory"))
    #expect(try await refusal { $0.advertisedPeerAddress = try HostPort("[::]:1") }.contains("advertise"))
    #expect(try await refusal { $0.initialCluster = try members("b", "c") }.contains("must contain this node"))
    #expect(try await refusal { $0.initialCluster = try members("a", "b", "a") }.contains("twice"))
    #expect(try await refusal { $0.initialCluster = try members("a", "b") }.contains("advertises"))
    #expect(
      try await refusal {
        $0.allowsPlainTextBeyondLoopback = true
        $0.peerAddress = try HostPort("0.0.0.0:2380")
      }.contains("all addresses"))
  }
}
