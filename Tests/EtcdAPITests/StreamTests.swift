import KeyValue
import NIOCore
import Raft
import RawClient
import Testing

@testable import EtcdAPI

/// What takes as long as it takes, over sockets: watches, leases kept alive, locks, elections.
@Suite struct StreamTests {
  private let service = ModelService()

  private func withPort(
    _ change: (inout GatewaySettings) -> Void = { _ in }, _ body: (Int) async throws -> Void
  ) async throws {
    var settings = GatewaySettings()
    settings.shutdownTimeout = .milliseconds(200)
    change(&settings)
    let server = try await GatewayServer.start(host: "127.0.0.1", port: 0, service: service, settings: settings)
    let outcome: Result<Void, any Error>
    do { outcome = .success(try await body(server.address.port ?? 0)) } catch { outcome = .failure(error) }
    await server.stop()
    try outcome.get()
  }

  private func perform(_ request: Request) { service.perform(request, consistency: .linearizable, timeout: .seconds(1)) { _ in } }
  private func put(_ key: String, _ value: String, lease: Int64 = 0) {
    perform(.put(PutRequest(key: Array(key.utf8), value: Array(value.utf8), lease: lease)))
  }
  private func grant(_ lease: Int64) { perform(.leaseGrant(LeaseGrantRequest(id: lease, timeToLive: 10))) }

  private func watch(_ fields: String) -> String { #"{"create_request":{\#(fields)}}"# }

  // MARK: Watches

  @Test func aWatchTellsWhatHappensUntilItsClientGoes() async throws {
    try await withPort { port in
      let client = try await RawClient(port: port)
      try await client.post("/v3/watch", watch(#""key":"YQ==","prev_kv":true"#))
      try await client.wait { $0.received.contains(#""created":true"#) }
      put("a", "1")
      put("b", "other")
      put("a", "2")
      perform(.delete(DeleteRequest(range: KeyRange(Array("a".utf8)))))
      let text = try await client.wait { $0.received.contains("DELETE") }
      #expect(text.lowercased().contains("transfer-encoding: chunked\r\n"))
      let revisions = text.matches(of: /"mod_revision":"(\d+)"/).compactMap { Int($0.1) }
      // Put; put and what was before; deletion and what was before.
      #expect(revisions == [2, 4, 2, 5, 4])
      #expect(!text.contains("b3RoZXI="))
      #expect(service.watchCount == 1)
      await client.close()
      try await client.wait { _ in service.watchCount == 0 }
    }
  }

  @Test func onePartHoldsOneResult() async throws {
    try await withPort { port in
      let client = try await RawClient(port: port)
      try await client.post("/v3/watch", watch(#""key":"YQ==""#))
      try await client.wait { $0.received.contains(#""created":true"#) }
      put("a", String(repeating: "x", count: 10_000))
      let text = try await client.wait { $0.received.components(of: #"{"result""#) == 2 && $0.received.hasSuffix("\n\r\n") }
      let parts = text.components(of: "\r\n{\"result\"")
      #expect(parts == 2, "each begins right after the size of its part")
    }
  }

  /// What etcd says of requests that make no watch; see `Docs/ClientInterface.md`.
  @Test(arguments: [
    (#""key":"YQ==","start_revision":"-1""#, "required revision has been compacted"),
    (#""key":"Yg==","range_end":"YQ==""#, "watcher range is empty"),
  ])
  func aWatchThatCannotBeIsCancelled(fields: String, reason: String) async throws {
    try await withPort { port in
      let client = try await RawClient(port: port)
      try await client.post("/v3/watch", watch(fields))
      let text = try await client.wait { $0.received.contains(#""cancel_reason""#) }
      #expect(text.contains(#""watch_id":"-1","created":true,"canceled":true"#) && text.contains(reason))
      #expect(service.watchCount == 0)
    }
  }

  @Test func anIdentifierIsUsedOnce() async throws {
    try await withPort { port in
      let client = try await RawClient(port: port)
      try await client.post("/v3/watch", watch(#""key":"YQ==","watch_id":"7""#) + watch(#""key":"Yg==","watch_id":7"#))
      let text = try await client.wait { $0.received.contains("duplicate watch ID") }
      #expect(text.contains(#""watch_id":"7","created":true"#))
      #expect(service.watchCount == 1)
    }
  }

  @Test func whoFallsBehindIsToldSo() async throws {
    for number in 0..<5 { put("a", "\(number)") }
    perform(.compaction(CompactionRequest(revision: 4)))
    try await withPort { port in
      let client = try await RawClient(port: port)
      try await client.post("/v3/watch", watch(#""key":"YQ==","start_revision":2"#) + watch(#""key":"YQ==","start_revision":4"#))
      let text = try await client.wait { $0.received.contains("compact_revision") && $0.received.contains("events") }
      #expect(text.contains(#""canceled":true,"compact_revision":"4""#))
      #expect(text.matches(of: /"mod_revision":"(\d+)"/).compactMap { Int($0.1) } == [4, 5, 6])
      #expect(service.watchCount == 1)
    }
  }

  @Test func progressIsToldWhenAllIsSeen() async throws {
    put("x", "1")
    try await withPort { port in
      let client = try await RawClient(port: port)
      try await client.post(
        "/v3/watch", watch(#""key":"eA==","start_revision":1"#) + watch(#""key":"YQ==","filters":["NOPUT"]"#) + #"{"progress_request":{}}"#)
      let text = try await client.wait { $0.received.contains(#""watch_id":"-1""#) }
      let events = try #require(text.firstRange(of: "events"))
      let progress = try #require(text.firstRange(of: #""watch_id":"-1""#))
      #expect(events.lowerBound < progress.lowerBound)
    }
  }

  @Test func aWatchIsCancelledByItsNumber() async throws {
    try await withPort { port in
      let client = try await RawClient(port: port)
      try await client.post("/v3/watch", watch(#""key":"YQ==","watch_id":3"#) + #"{"cancel_request":{"watch_id":3}}"#)
      try await client.wait { $0.received.contains(#""watch_id":"3","canceled":true"#) }
      #expect(service.watchCount == 0)
    }
  }

  @Test func aClientThatNeverReadsHoldsOnePiece() async throws {
    try await withPort { port in
      let client = try await RawClient(port: port)
      try await client.setReading(false)
      try await client.post("/v3/watch", watch(#""key":"YQ==""#))
      try await client.wait { _ in service.watchCount == 1 }
      // 64 MB of events; what the two sockets hold is a few.
      for _ in 0..<1000 { put("a", String(repeating: "x", count: 64 << 10)) }
      let reader = try await RawClient(port: port)
      try await reader.post("/v3/watch", watch(#""key":"YQ==","start_revision":1001"#))
      try await reader.wait { $0.received.contains(#""mod_revision":"1001""#) }
      #expect(client.receivedCount < 1 << 20)
      await client.close()
      await reader.close()
    }
  }

  @Test func aStreamHasItsMostWatches() async throws {
    try await withPort({ $0.maximumWatches = 3 }) { port in
      let client = try await RawClient(port: port)
      try await client.post("/v3/watch", (0..<4).map { _ in watch(#""key":"YQ==""#) }.joined())
      try await client.wait { $0.received.contains("429") && $0.received.contains("at most 3 requests") }
    }
  }

  // MARK: Leases

  @Test func leasesAreKeptAliveOneAfterTheOther() async throws {
    grant(7)
    try await withPort { port in
      let client = try await RawClient(port: port)
      service.pass(.seconds(6))
      try await client.post("/v3/lease/keepalive", #"{"ID":7}{"ID":"8"}"#)
      let text = try await client.wait { $0.received.hasSuffix("0\r\n\r\n") }
      #expect(text.contains(#""ID":"7","TTL":"10"}}"#) && text.contains(#""ID":"8"}}"#))
      // It would have ended by now.
      service.pass(.seconds(6))
      try await client.post("/v3/lease/timetolive", #"{"ID":"7","keys":true}"#)
      try await client.wait { $0.received.contains(#""TTL":"4","grantedTTL":"10""#) }
      service.pass(.seconds(6))
      try await client.post("/v3/lease/timetolive", #"{"ID":7}"#)
      try await client.wait { $0.received.contains(#""TTL":"-1""#) }
      await client.close()
    }
  }

  // MARK: Locks and elections

  @Test func aLockWaitsForTheOneBefore() async throws {
    for lease in 1...3 as ClosedRange<Int64> { grant(lease) }
    try await withPort { port in
      let first = try await RawClient(port: port)
      try await first.post("/v3/lock/lock", #"{"name":"bA==","lease":1}"#)
      try await first.wait(answers: 1)
      #expect(first.received.contains(#""key":"bC8x""#))
      let second = try await RawClient(port: port)
      try await second.post("/v3/lock/lock", #"{"name":"bA==","lease":2}"#)
      try await second.wait { _ in service.watchCount == 1 }
      let third = try await RawClient(port: port)
      try await third.post("/v3/lock/lock", #"{"name":"bA==","lease":3}"#)
      try await third.wait { _ in service.watchCount == 2 }
      // Who goes away is no candidate any more.
      await second.close()
      try await third.wait { _ in service.watchCount == 1 }
      #expect(third.receivedCount == 0)
      try await first.post("/v3/lock/unlock", #"{"key":"bC8x"}"#)
      try await third.wait(answers: 1)
      #expect(third.received.contains(#""key":"bC8z""#))
      await first.close()
      await third.close()
    }
  }

  @Test func aLockWaitsNoLongerThanItsClient() async throws {
    grant(1)
    grant(2)
    try await withPort { port in
      let client = try await RawClient(port: port)
      try await client.post("/v3/lock/lock", #"{"name":"bA==","lease":1}"#)
      try await client.wait(answers: 1)
      try await client.post("/v3/lock/lock", #"{"name":"bA==","lease":2}"#, headers: "Grpc-Timeout: 50m\r\n")
      let text = try await client.wait(answers: 2)
      #expect(text.contains("504") && text.contains("context deadline exceeded"))
      try await client.post("/v3/kv/range", #"{"key":"bC8=","range_end":"bDA=","count_only":true}"#)
      try await client.wait { $0.received.contains(#""count":"1""#) }
      await client.close()
    }
  }

  @Test func withoutALeaseOneIsMadeForTheWait() async throws {
    try await withPort { port in
      let client = try await RawClient(port: port)
      try await client.post("/v3/election/campaign", #"{"name":"ZQ==","value":"djE="}"#)
      let text = try await client.wait(answers: 1)
      let lease = try #require(text.firstMatch(of: /"lease":"(\d+)"/)?.1)
      try await client.post("/v3/lease/timetolive", #"{"ID":"\#(lease)"}"#)
      try await client.wait { $0.received.contains(#""grantedTTL":"60""#) }
      await client.close()
    }
  }

  @Test func anElectionIsObserved() async throws {
    grant(1)
    grant(2)
    try await withPort { port in
      let observer = try await RawClient(port: port)
      try await observer.post("/v3/election/observe", #"{"name":"ZQ=="}"#)
      try await observer.wait { _ in service.watchCount == 1 }
      let client = try await RawClient(port: port)
      try await client.post("/v3/election/leader", #"{"name":"ZQ=="}"#)
      try await client.wait { $0.received.contains("election: no leader") }
      try await client.post("/v3/election/campaign", #"{"name":"ZQ==","lease":1,"value":"djE="}"#)
      try await client.wait { $0.received.contains(#""rev":"2""#) }
      try await observer.wait { $0.received.contains(#""value":"djE=""#) }
      try await client.post("/v3/election/proclaim", #"{"leader":{"key":"ZS8x","rev":2,"lease":1},"value":"djI="}"#)
      try await observer.wait { $0.received.contains(#""value":"djI=""#) }
      let next = try await RawClient(port: port)
      try await next.post("/v3/election/campaign", #"{"name":"ZQ==","lease":2,"value":"djM="}"#)
      try await next.wait { _ in service.watchCount == 2 }
      try await client.post("/v3/election/resign", #"{"leader":{"key":"ZS8x","rev":2}}"#)
      try await next.wait(answers: 1)
      try await observer.wait { $0.received.contains(#""value":"djM=""#) }
      try await client.post("/v3/election/proclaim", #"{"leader":{"key":"ZS8x","rev":2,"lease":1},"value":"djI="}"#)
      try await client.wait { $0.received.contains("election: not leader") }
      for one in [observer, client, next] { await one.close() }
    }
  }

  @Test func theStoreRaisesItsAlarmItself() async throws {
    perform(.settings(StoreSettings(quota: 1000)))
    put("a", String(repeating: "x", count: 2000))
    try await withPort { port in
      let client = try await RawClient(port: port)
      try await client.post("/v3/maintenance/alarm", "{}")
      try await client.wait { $0.received.contains(#""alarms":[{"memberID":"10276657743932975437","alarm":"NOSPACE"}]"#) }
      try await client.post("/v3/maintenance/status", "{}")
      try await client.wait { $0.received.contains(#""errors":["alarm:NOSPACE "]"#) }
      try await client.post("/v3/maintenance/alarm", #"{"action":"ACTIVATE"}"#)
      try await client.wait { $0.received.contains("501") }
      try await client.post("/v3/maintenance/hash", "{}")
      try await client.wait { $0.received.contains(#""hash":"#) }
      await client.close()
    }
  }
}
