import Coracle
import Foundation
import KeyValue
import Logging
import Raft
import Replica
import ServiceLifecycle
import Testing

@Suite(.timeLimit(.minutes(10))) struct NodeTests {
  @Test func aloneItKeepsWhatWasAcknowledged() async throws {
    try await withTemporaryDirectory { path in
      let first = try await RunningNode(try single(in: path + "/a"))
      let revision = try await first.store.put(bytes("k"), bytes("v"))
      #expect(first.status.role == .leader)
      try await first.stop()

      let second = try await RunningNode(try single(in: path + "/a"))
      let pair = try await second.store.get(bytes("k"))
      #expect(pair?.value == bytes("v"))
      #expect(pair?.modRevision == revision)
      #expect(second.status.node == first.status.node)
      try await second.stop()
    }
  }

  @Test func aStalledReplicaIsSeenWithoutWaitingForIt() async throws {
    try await withTemporaryDirectory { path in
      let node = try await RunningNode(try single(in: path + "/a"))
      #expect(try await eventually { node.health.replicaSilence < .milliseconds(150) })
      let gate = DispatchSemaphore(value: 0)
      node.node.read(.serializable, timeout: .seconds(5)) { _ in gate.wait() }
      // Whoever waited for the replica here would never hear of it.
      #expect(try await eventually { node.health.replicaSilence > .milliseconds(400) })
      gate.signal()
      #expect(try await eventually { node.health.replicaSilence < .milliseconds(150) }, "and so is one that goes on")
      try await node.stop()
    }
  }

  @Test func storeSpeaksInTypes() async throws {
    try await withTemporaryDirectory { path in
      let node = try await RunningNode(try single(in: path + "/a"))
      let store = node.store
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
      try await node.stop()
    }
  }

  @Test func manyAtOnceAreAllAnswered() async throws {
    try await withTemporaryDirectory { path in
      let node = try await RunningNode(try single(in: path + "/a"))
      let store = node.store
      try await withThrowingTaskGroup { group in
        for number in 0..<500 {
          group.addTask { try await store.put(bytes("\(number)"), bytes("v")) }
        }
        var revisions: Set<Revision> = []
        for try await revision in group { revisions.insert(revision) }
        #expect(revisions.count == 500)
      }
      #expect(node.status.pendingRequests == 0)
      try await node.stop()
    }
  }

  @Test func takesSnapshotsAndStartsFromThem() async throws {
    try await withTemporaryDirectory { path in
      var configuration = try single(in: path + "/a")
      configuration.settings.snapshotAfterBytes = 64 << 10
      configuration.settings.logKeptBytes = 8 << 10
      let first = try await RunningNode(configuration)
      for number in 0..<40 {
        try await first.store.put(bytes("\(number % 10)"), [UInt8](repeating: UInt8(number), count: 8 << 10))
      }
      #expect(try await eventually { first.status.snapshotIndex > 0 })
      try await first.stop()
      let second = try await RunningNode(configuration)
      #expect(second.status.snapshotIndex > 0)
      for number in 30..<40 {
        #expect(try await second.store.get(bytes("\(number % 10)"))?.value == [UInt8](repeating: UInt8(number), count: 8 << 10))
      }
      try await second.stop()
    }
  }

  @Test func afterItStoppedItSaysSo() async throws {
    try await withTemporaryDirectory { path in
      let node = try await RunningNode(try single(in: path + "/a"))
      try await node.stop()
      await #expect(throws: RequestError(.stopped, outcome: .notDone)) { try await node.node.propose([]) }
      await #expect(throws: RequestError(.stopped, outcome: .notDone)) { try await node.node.read(.serializable) }
      #expect(node.status.role == .stopped)
    }
  }

  @Test func runsAsAService() async throws {
    try await withTemporaryDirectory { path in
      let node = try KeyValueNode(try single(in: path + "/a"), logger: quiet)
      let group = ServiceGroup(services: [node], logger: quiet)
      try await withThrowingTaskGroup { tasks in
        tasks.addTask { try await group.run() }
        // It waits for the node to start; however long.
        try await KeyValueStore(node).put(bytes("k"), bytes("v"), timeout: .seconds(Int64.max))
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
      }
      let cancelled = try KeyValueNode(try single(in: path + "/a"), logger: quiet)
      let task = Task { try await cancelled.run() }
      task.cancel()
      try await task.value
    }
  }

  @Test func runsAsLongAsTheWorkTakes() async throws {
    struct Refusal: Error {}
    try await withTemporaryDirectory { path in
      let configuration = try single(in: path + "/a")
      let first = try KeyValueNode(configuration, logger: quiet)
      let revision = try await first.run { try await KeyValueStore(first).put("k", "v") }
      #expect(first.status.role == .stopped)

      let second = try KeyValueNode(configuration, logger: quiet)
      await #expect(throws: Refusal.self) {
        try await second.run {
          #expect(try await KeyValueStore(second).get("k")?.modRevision == revision)
          throw Refusal()
        }
      }
      let third = try KeyValueNode(configuration, logger: quiet)
      let task = Task { try await third.run { try await Task.sleep(for: .seconds(600)) } }
      try await third.waitUntilStarted()
      await #expect(throws: StartError.self, "it runs already") { try await third.run { Issue.record("the work began") } }
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
      try await RunningNode(configuration).stop()

      let other = try KeyValueNode(try single(in: path + "/a", name: "b"), logger: quiet)
      await #expect(throws: StartError.self, "the work does not begin") { try await other.run { Issue.record("it began") } }
    }
  }

  @Test func aGracefulShutdownIsForTheWorkToHeed() async throws {
    struct Farewell: Service {
      let node: KeyValueNode

      func run() async throws {
        try await node.run {
          let store = KeyValueStore(node)
          try await store.put("k", "hello")
          try await gracefulShutdown()
          try await store.put("k", "goodbye")
        }
      }
    }
    try await withTemporaryDirectory { path in
      let node = try KeyValueNode(try single(in: path + "/a"), logger: quiet)
      let group = ServiceGroup(services: [Farewell(node: node)], logger: quiet)
      try await withThrowingTaskGroup { tasks in
        tasks.addTask { try await group.run() }
        #expect(try await eventually { try await KeyValueStore(node).get("k") != nil })
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
      }
      let again = try await RunningNode(try single(in: path + "/a"))
      #expect(try await again.store.get("k")?.valueText == "goodbye")
      try await again.stop()
    }
  }

  @Test func aNodeThatIsDroppedLeavesNobodyWaiting() async throws {
    var node: KeyValueNode? = try KeyValueNode(try single(in: "/nowhere"), logger: quiet)
    let updates = try #require(node).statusUpdates
    node = nil
    var roles: [ReplicaStatus.Role] = []
    for await status in updates { roles.append(status.role) }
    #expect(roles == [.forming])
  }

  @Test func statusIsFollowed() async throws {
    try await withTemporaryDirectory { path in
      let node = try KeyValueNode(try single(in: path + "/a"), logger: quiet)
      let updates = node.statusUpdates
      let task = Task { try await node.run() }
      var roles: [ReplicaStatus.Role] = []
      var last: ReplicaStatus?
      for await status in updates {
        #expect(status != last, "only what changed")
        if last?.role != status.role { roles.append(status.role) }
        last = status
        if status.role == .leader { task.cancel() }
      }
      #expect(roles.suffix(2) == [.leader, .stopped])
      try await task.value
      var later: [ReplicaStatus.Role] = []
      for await status in node.statusUpdates { later.append(status.role) }
      #expect(later == [.stopped])
    }
  }

  @Test func withoutATaskTheCompletionIsCalled() async throws {
    try await withTemporaryDirectory { path in
      let running = try await RunningNode(try single(in: path + "/a"))
      let node = running.node
      let command = Request.put(PutRequest(key: bytes("k"), value: bytes("v"))).encoded()
      let value: [UInt8]? = try await withCheckedThrowingContinuation { continuation in
        node.propose(command[...], timeout: .seconds(5)) { result in
          guard case .success = result else { return continuation.resume(returning: nil) }
          node.read(.linearizable, timeout: .seconds(5)) {
            continuation.resume(with: $0.map { $0.view.get(bytes("k"))?.value }.mapError { $0 as any Error })
          }
        }
      }
      #expect(value == bytes("v"))
      try await running.stop()
      let refusal = await withCheckedContinuation { continuation in
        node.propose(command[...], timeout: .seconds(5)) { continuation.resume(returning: $0) }
      }
      guard case .failure(RequestError(.stopped, outcome: .notDone)) = refusal else {
        Issue.record("\(refusal)")
        return
      }
    }
  }

  @Test func commandBeyondTheBoundIsRefused() async throws {
    try await withTemporaryDirectory { path in
      var configuration = try single(in: path + "/a")
      configuration.settings.maximumCommandSize = 100
      configuration.settings.maximumPendingBytes = 1000
      let node = try await RunningNode(configuration)
      await #expect(throws: RequestError(.tooLarge(size: 101, limit: 100), outcome: .notDone)) {
        try await node.node.propose([UInt8](repeating: 0, count: 101))
      }
      await #expect(throws: RequestError(.busy, outcome: .notDone)) { try await node.node.propose([UInt8](repeating: 0, count: 1001)) }
      try await node.stop()
    }
  }

  @Test func lostDiskEndsTheNodeWithAReason() async throws {
    try await withTemporaryDirectory { path in
      let node = try await RunningNode(try single(in: path + "/a"))
      let store = node.store
      try await store.put(bytes("k"), bytes("v"))
      try removeDirectory(path + "/a")
      // The open segment goes on; a new one cannot be made.
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
      let failure = await #expect(throws: NodeError.self) { try await node.end.value }
      guard case .storage = failure else {
        Issue.record("\(String(describing: failure))")
        return
      }
      #expect(node.status.role == .stopped)
    }
  }
}
