import KeyValue
import Raft
import Replica
import Testing

@testable import EtcdAPI

@Suite struct ErrorTests {
  private let service = ModelService()
  private var gateway: Gateway { Gateway(service: service, settings: GatewaySettings()) }

  private func answer(_ error: RequestError) throws -> GatewayResponse {
    service.behave { $0.failure = .request(error) }
    return try #require(gateway.answer("/v3/kv/put", #"{"key":"YQ=="}"#))
  }

  @Test func aWriteThatTimedOutSaysThatItsOutcomeIsUnknown() throws {
    let response = try answer(RequestError(.deadlineExceeded, outcome: .unknown))
    #expect(response.status == 503)
    #expect(
      response.text.hasPrefix(
        #"{"error":"etcdserver: request timed out","code":14,"message":"etcdserver: request timed out","outcome":"unknown","detail":""#))
  }

  @Test func whatWasNotDoneSaysSo() throws {
    let response = try answer(RequestError(.noLeader, outcome: .notDone))
    #expect(response.status == 503)
    #expect(response.text.contains(#""error":"etcdserver: no leader","code":14,"#))
    #expect(response.text.contains(#""outcome":"not done""#))
  }

  @Test func busyIsTooManyRequests() throws {
    let response = try answer(RequestError(.busy, outcome: .notDone))
    #expect(response.status == 429)
    #expect(response.text.contains(#""error":"etcdserver: too many requests","code":8,"#))
  }

  @Test func tooLarge() throws {
    let response = try answer(RequestError(.tooLarge(size: 9, limit: 8), outcome: .notDone))
    #expect(response.status == 400)
    #expect(response.text.contains(#""error":"etcdserver: request is too large","code":3,"#))
  }

  @Test func everyKindOfErrorIsAnErrorToClients() {
    let reasons: [RequestError.Reason] = [
      .noLeader, .notFormed(awaited: ["b"]), .deadlineExceeded, .cancelled, .busy, .tooLarge(size: 1, limit: 0), .superseded, .stopped,
      .storage("a \"quoted\"\n text"),
    ]
    for reason in reasons {
      #expect(GatewayResponse.error(APIError(RequestError(reason, outcome: .unknown))).status >= 400)
    }
    let errors: [KeyValueError] = [
      .emptyKey, .keyNotFound, .valueProvided, .leaseNotFound, .duplicateKey, .tooManyOperations, .tooLarge, .compacted, .futureRevision,
      .malformed("x"),
    ]
    for error in errors { #expect(GatewayResponse.error(APIError(error)).status >= 400) }
  }

  @Test func textsAreEscaped() {
    var writer = JSONWriter()
    writer.object { $0.field("a", text: "\"\\\n\u{1f}é") }
    #expect(String(decoding: writer.bytes, as: UTF8.self) == #"{"a":"\"\\\u000a\u001fé"}"#)
  }

  @Test func healthNeedsALeader() throws {
    let request = GatewayRequest(method: "GET", target: "/health")
    let healthy = try #require(gateway.answer(request))
    #expect(healthy.status == 200)
    #expect(healthy.text == #"{"health":"true","reason":""}"#)
    service.behave { $0.hasLeader = false }
    let ill = try #require(gateway.answer(request))
    #expect(ill.status == 503)
    #expect(ill.text == #"{"health":"false","reason":"RAFT NO LEADER"}"#)
    // Its own state it can still tell.
    let alone = try #require(gateway.answer(GatewayRequest(method: "GET", target: "/health?serializable=true")))
    #expect(alone.status == 200)
    #expect(alone.text == #"{"health":"true","reason":""}"#)
  }

  @Test(
    "Probes see a node that is stalled",
    arguments: ["/health", "/health?serializable=true", "/livez", "/readyz", "/livez/serializable_read", "/readyz/linearizable_read"])
  func probesSeeAStall(target: String) throws {
    let request = GatewayRequest(method: "GET", target: target)
    #expect(try #require(gateway.answer(request)).status == 200)
    service.behave { $0.stall = "STALLED" }
    let stalled = try #require(gateway.answer(request))
    #expect(stalled.status == 503)
    #expect(stalled.text.contains("STALLED"))
  }

  @Test func probesSayWhatTheyLookedAt() throws {
    func text(_ target: String) throws -> String { try #require(gateway.answer(GatewayRequest(method: "GET", target: target))).text }
    #expect(try text("/livez") == "ok\n")
    #expect(try text("/readyz") == "ok\n")
    #expect(try text("/readyz?verbose") == "[+]serializable_read ok\n[+]linearizable_read ok\n[+]log_write ok\nok\n")
    service.behave { $0.hasLeader = false }
    #expect(try text("/livez?verbose") == "[+]serializable_read ok\nok\n")
    #expect(try text("/readyz") == "[+]serializable_read ok\n[-]linearizable_read failed: RAFT NO LEADER\n[+]log_write ok\n")
    #expect(try text("/readyz?serializable=true") == "ok\n")
    service.behave {
      $0.hasLeader = true
      $0.writeStall = "LOG STALLED"
    }
    #expect(try text("/readyz").contains("[-]log_write failed: LOG STALLED\n"))
    #expect(try text("/health") == #"{"health":"false","reason":"LOG STALLED"}"#)
    #expect(try text("/livez") == "ok\n")
  }

  @Test(arguments: ["/livez/linearizable_read", "/readyz/nothing", "/healthz", "/health/a", "/livez/"])
  func whatIsNoProbeIsNotFound(target: String) throws {
    #expect(try #require(gateway.answer(GatewayRequest(method: "GET", target: target))).status == 404)
  }

  @Test func statusIsToldWhateverFails() throws {
    service.behave { $0.failure = .request(RequestError(.busy, outcome: .notDone)) }
    let response = try #require(gateway.answer("/v3/maintenance/status", "{}"))
    #expect(response.status == 200)
    #expect(response.text.contains(#""raftIndex":"17""#))
  }

  @Test func statusSaysWhoIsAwaitedUntilTheClusterHasFormed() {
    func status(_ cluster: ClusterID?) -> String {
      var status = ReplicaStatus(node: NodeID(1), name: "a")
      status.cluster = cluster
      status.awaited = ["b", "c"]
      var writer = JSONWriter()
      writer.status(status, [], databaseSize: 0, nil)
      return String(decoding: writer.bytes, as: UTF8.self)
    }
    #expect(status(nil).hasSuffix(#""forming":{"name":"a","awaited":["b","c"]}}"#))
    #expect(!status(ClusterID(1)).contains("forming"))
  }

  @Test func timeoutsAreTheClientsWithinBounds() throws {
    for text in ["250m", "3S", "99999999H"] { _ = gateway.answer("/v3/kv/put", #"{"key":"YQ=="}"#, timeout: text) }
    _ = gateway.answer("/v3/kv/put", #"{"key":"YQ=="}"#)
    #expect(service.timeouts == [.milliseconds(250), .seconds(3), .seconds(60), .seconds(5)])
  }

  @Test("Timeouts that are none", arguments: ["", "5", "S", "-5S", "5s", "123456789S", "1.5S", "٣S"]) func badTimeouts(text: String) throws
  {
    let response = try #require(gateway.answer("/v3/kv/put", #"{"key":"YQ=="}"#, timeout: text))
    #expect(response.status == 400)
    #expect(response.text.contains("invalid grpc-timeout: \(text)"))
  }

  @Test func staleReadsSaySo() throws {
    service.behave { $0.staleness = .milliseconds(1500) }
    let response = try #require(gateway.answer("/v3/kv/range", #"{"key":"YQ==","serializable":true}"#))
    #expect(response.staleness == .milliseconds(1500))
    #expect(service.consistencies == [.serializable])
  }
}
