import Coracle
import Foundation
import KeyValue
import Logging
import Raft
import Replica
import ServiceLifecycle
import Testing

typealias KeyValueNode = Node<KeyValueMachine>

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// A node by itself, on any free port of the loopback interface.
func single(in directory: String, name: String = "a") throws -> NodeConfiguration {
  NodeConfiguration(name: name, dataDirectory: directory, peerAddress: try HostPort("127.0.0.1:0"))
}

@Suite(.timeLimit(.minutes(10))) struct NodeTests {
  @Test func aloneItKeepsWhatWasAcknowledged() async throws {
    try await withTemporaryDirectory { path in
      let first = try await KeyValueNode(try single(in: path + "/a"), logger: quiet)
      let revision = try await KeyValueStore(first).put(bytes("k"), bytes("v"))
      #expect(first.status.role == .leader)
      await first.shutdown()

      let second = try await KeyValueNode(try single(in: path + "/a"), logger: quiet)
      let pair = try await KeyValueStore(second).get(bytes("k"))
      #expect(pair?.value == bytes("v"))
      #expect(pair?.modRevision == revision)
      #expect(second.status.node == first.status.node)
      await second.shutdown()
    }
  }

  @Test func aStalledReplicaIsSeenWithoutWaitingForIt() async throws {
    try await withTemporaryDirectory { path in
      let node = try await KeyValueNode(try single(in: path + "/a"), logger: quiet)
      #expect(try await eventually { node.health.replicaSilence < .milliseconds(150) })
      let gate = DispatchSemaphore(value: 0)
      node.eventLoop.execute { gate.wait() }
      // Whoever waited for the replica here would never hear of it.
      #expect(try await eventually { node.health.replicaSilence > .milliseconds(400) })
      gate.signal()
      #expect(try await eventually { node.health.replicaSilence < .milliseconds(150) }, "and so is one that goes on")
      await node.shutdown()
    }
  }

  @Test func storeSpeaksInTypes() async throws {
    try await withTemporaryDirectory { path in
      let node = try await KeyValueNode(try single(in: path + "/a"), logger: quiet)
      let store = KeyValueStore(node)
      let first = try #require(try await store.compareAndSet(bytes("k"), expected: 0, bytes("1")))
      #expect(try await store.compareAndSet(bytes("k"), expected: 0, bytes("2")) == nil)
      #expect(try await store.compareAndSet(bytes("k"), expected: first, bytes("3")) != nil)
      #expect(try await store.get(bytes("k"))?.value == bytes("3"))
      let all = RangeRequest(range: KeyRange(start: [0], end: [0]))
      #expect(try await store.range(all).pairs.map(\.key) == [bytes("k")])
      #expect(try await store.delete(bytes("k")))
      #expect(try await !store.delete(bytes("k")))
      #expect(try await store.get(bytes("k"), consistency: .serializable) == nil)
      await #expect(throws: StoreError.keyValue(.emptyKey)) { try await store.put([], []) }
      await #expect(throws: StoreError.keyValue(.futureRevision)) {
        try await store.range(RangeRequest(range: KeyRange(start: [1], end: nil), revision: 1000))
      }
      await node.shutdown()
    }
  }

  @Test func manyAtOnceAreAllAnswered() async throws {
    try await withTemporaryDirectory { path in
      let node = try await KeyValueNode(try single(in: path + "/a"), logger: quiet)
      let store = KeyValueStore(node)
      try await withThrowingTaskGroup { group in
        for number in 0..<500 {
          group.addTask { try await store.put(bytes("\(number)"), bytes("v")) }
        }
        var revisions: Set<Revision> = []
        for try await revision in group { revisions.insert(revision) }
        #expect(revisions.count == 500)
      }
      #expect(node.status.pendingRequests == 0)
      await node.shutdown()
    }
  }

  @Test func takesSnapshotsAndStartsFromThem() async throws {
    try await withTemporaryDirectory { path in
      var configuration = try single(in: path + "/a")
      configuration.settings.snapshotAfterBytes = 64 << 10
      configuration.settings.logKeptBytes = 8 << 10
      let first = try await KeyValueNode(configuration, logger: quiet)
      for number in 0..<40 {
        try await KeyValueStore(first).put(bytes("\(number % 10)"), [UInt8](repeating: UInt8(number), count: 8 << 10))
      }
      #expect(try await eventually { first.status.snapshotIndex > 0 })
      await first.shutdown()
      let second = try await KeyValueNode(configuration, logger: quiet)
      #expect(second.status.snapshotIndex > 0)
      for number in 30..<40 {
        #expect(try await KeyValueStore(second).get(bytes("\(number % 10)"))?.value == [UInt8](repeating: UInt8(number), count: 8 << 10))
      }
      await second.shutdown()
    }
  }

  @Test func afterShutdownItSaysStopped() async throws {
    try await withTemporaryDirectory { path in
      let node = try await KeyValueNode(try single(in: path + "/a"), logger: quiet)
      await node.shutdown()
      await node.shutdown()
      await #expect(throws: RequestError(.stopped, outcome: .notDone)) { try await node.propose([]) }
      await #expect(throws: RequestError(.stopped, outcome: .notDone)) { try await node.read(.serializable) }
    }
  }

  @Test func runsAsAService() async throws {
    try await withTemporaryDirectory { path in
      let node = try await KeyValueNode(try single(in: path + "/a"), logger: quiet)
      let group = ServiceGroup(services: [node], logger: quiet)
      try await withThrowingTaskGroup { tasks in
        tasks.addTask { try await group.run() }
        try await KeyValueStore(node).put(bytes("k"), bytes("v"))
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
      }
      let cancelled = try await KeyValueNode(try single(in: path + "/a"), logger: quiet)
      let task = Task { try await cancelled.run() }
      task.cancel()
      try await task.value
    }
  }

  @Test func onTheLoopNoTaskIsNeeded() async throws {
    try await withTemporaryDirectory { path in
      let node = try await KeyValueNode(try single(in: path + "/a"), logger: quiet)
      let command = Request.put(PutRequest(key: bytes("k"), value: bytes("v"))).encoded()
      let value: [UInt8]? = try await withCheckedThrowingContinuation { continuation in
        node.eventLoop.execute {
          node.submit(command[...]) { result in
            guard case .success = result else { return continuation.resume(returning: nil) }
            node.read(.linearizable) { continuation.resume(with: $0.map { $0.view.get(bytes("k"))?.value }.mapError { $0 as any Error }) }
          }
        }
      }
      #expect(value == bytes("v"))
      await node.shutdown()
    }
  }

  @Test func commandBeyondTheBoundIsRefused() async throws {
    try await withTemporaryDirectory { path in
      var configuration = try single(in: path + "/a")
      configuration.settings.maximumCommandSize = 100
      configuration.settings.maximumPendingBytes = 1000
      let node = try await KeyValueNode(configuration, logger: quiet)
      await #expect(throws: RequestError(.tooLarge(size: 101, limit: 100), outcome: .notDone)) {
        try await node.propose([UInt8](repeating: 0, count: 101))
      }
      await #expect(throws: RequestError(.busy, outcome: .notDone)) { try await node.propose([UInt8](repeating: 0, count: 1001)) }
      await node.shutdown()
    }
  }

  @Test func lostDiskEndsTheNodeWithAReason() async throws {
    try await withTemporaryDirectory { path in
      let node = try await KeyValueNode(try single(in: path + "/a"), logger: quiet)
      let store = KeyValueStore(node)
      try await store.put(bytes("k"), bytes("v"))
      try removeDirectory(path + "/a")
      // The open segment goes on; a new one cannot be made.
      let end = Task { try await node.run() }
      let large = [UInt8](repeating: 0, count: 1 << 20)
      var refusal: StoreError?
      for _ in 0..<20 where refusal == nil {
        do throws(StoreError) { try await store.put(bytes("k"), large) } catch { refusal = error }
      }
      guard case .request(let error) = refusal, case .storage = error.reason else {
        Issue.record("\(String(describing: refusal))")
        return
      }
      #expect(error.outcome == .unknown)
      let failure = await #expect(throws: NodeError.self) { try await end.value }
      guard case .storage = failure else {
        Issue.record("\(String(describing: failure))")
        return
      }
      #expect(node.status.role == .stopped)
    }
  }
}
