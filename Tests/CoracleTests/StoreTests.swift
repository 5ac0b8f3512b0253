import Coracle
import KeyValue
import NIOConcurrencyHelpers
import Testing

/// Watches, leases and locks, as a program that embeds a node has them.
@Suite(.timeLimit(.minutes(5))) struct StoreTests {
  private func withStore(_ body: @escaping @Sendable (KeyValueStore) async throws -> Void) async throws {
    try await withTemporaryDirectory { path in
      let node = try KeyValueNode(try single(in: path + "/a"), logger: quiet)
      try await node.run { try await body(KeyValueStore(node)) }
    }
  }

  @Test func aWatchTellsEachRevisionOnce() async throws {
    try await withStore { store in
      let first = try await store.put("config/a", "1")
      try await store.put("other", "x")
      _ = try await store.transaction(
        TransactionRequest(
          comparisons: [],
          success: [.put(PutRequest(key: bytes("config/a"), value: bytes("2"))), .put(PutRequest(key: bytes("config/b"), value: []))]))
      try await store.delete("config/a")
      var seen: [[String]] = []
      for try await changes in store.watch(KeyRange(prefix: "config/"), from: first) {
        seen.append(changes.events.map { "\($0.isDeletion ? "-" : "+")\(String(decoding: $0.key, as: UTF8.self))" })
        if seen.count == 3 { break }
      }
      #expect(seen == [["+config/a"], ["+config/a", "+config/b"], ["-config/a"]])
      #expect(try await eventually { store.watches.count == 0 }, "nobody iterates any more")
    }
  }

  @Test func aWatchWithoutARevisionTellsWhatComes() async throws {
    try await withStore { store in
      try await store.put("k", "before")
      let heard = Task { () -> String? in
        for try await changes in store.watch(KeyRange("k")) { return changes.events.first?.pair?.valueText }
        return nil
      }
      #expect(try await eventually { store.watches.count == 1 })
      try await store.put("k", "after")
      #expect(try await heard.value == "after")
    }
  }

  @Test func aWatchEndsWithItsTask() async throws {
    try await withStore { store in
      let watching = Task { for try await _ in store.watch(KeyRange("k")) {} }
      #expect(try await eventually { store.watches.count == 1 })
      watching.cancel()
      try await watching.value
      #expect(try await eventually { store.watches.count == 0 })
    }
  }

  @Test func whoFallsBehindIsToldSo() async throws {
    try await withStore { store in
      let first = try await store.put("k", "1")
      let last = try await store.put("k", "2")
      try await store.compact(before: last)
      await #expect(throws: StoreError.keyValue(.compacted)) { for try await _ in store.watch(KeyRange("k"), from: first) {} }
      await #expect(throws: StoreError.watch(.negativeStart)) { for try await _ in store.watch(KeyRange("k"), from: -1) {} }
    }
  }

  @Test func aLeaseTakesItsKeysWithIt() async throws {
    try await withStore { store in
      let kept = try await store.withLease(timeToLive: .seconds(2)) { lease in
        try await store.put("mine", "1", lease: lease.id)
        // Longer than it would last by itself.
        try await Task.sleep(for: .seconds(3))
        return try await store.get("mine") != nil
      }
      #expect(kept)
      #expect(try await eventually { try await store.get("mine") == nil })
      let lease = try await store.grantLease(timeToLive: .seconds(2))
      try await store.put("left", "1", lease: lease.id)
      #expect(try await eventually { try await store.get("left") == nil }, "it expires")
      #expect(try await store.keepAlive(lease.id) == nil)
    }
  }

  @Test func aLeaseThatIsRevokedEndsTheWork() async throws {
    try await withStore { store in
      await #expect(throws: LeaseLost.self) {
        try await store.withLease(timeToLive: .seconds(2)) { lease in
          try await store.revoke(lease.id)
          try? await Task.sleep(for: .seconds(20))
        }
      }
    }
  }

  @Test func oneHoldsALockAtATime() async throws {
    try await withStore { store in
      let (inside, tokens) = (NIOLockedValueBox(0), NIOLockedValueBox([Revision]()))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<5 {
          group.addTask {
            try await store.withLock("lock") { fence in
              #expect(
                inside.withLockedValue {
                  $0 += 1; return $0
                } == 1)
              tokens.withLockedValue { $0.append(fence.token) }
              try await Task.sleep(for: .milliseconds(20))
              inside.withLockedValue { $0 -= 1 }
            }
          }
        }
        try await group.waitForAll()
      }
      let taken = tokens.withLockedValue { $0 }
      #expect(taken.count == 5 && taken == taken.sorted())
    }
  }

  @Test func whatAnEarlierHolderWritesIsRefused() async throws {
    try await withStore { store in
      let old = try await store.withLock("lock") { fence in
        _ = try await store.transaction(under: fence, [.put(PutRequest(key: bytes("state"), value: bytes("1")))])
        return fence
      }
      await #expect(throws: LeaseLost(lease: old.lease)) {
        _ = try await eventually { try await store.leader(of: "lock") == nil }
        _ = try await store.transaction(under: old, [.put(PutRequest(key: bytes("state"), value: bytes("2")))])
      }
      #expect(try await store.get("state")?.valueText == "1")
      let leader = try await store.withLeadership(of: "election", as: "me") { _ in try await store.leader(of: "election")?.valueText }
      #expect(leader == "me")
    }
  }
}
