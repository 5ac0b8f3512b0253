import Credentials
import Dispatch
import KeyValue
import NIOCore
import RawClient
import Testing

@testable import EtcdAPI

/// What users may do, over a real connection.
@Suite struct AccessTests {
  /// A port whose store knows the users `root` and `bob`; bob may read and write what begins with `b/`.
  private func withUsers(_ body: @Sendable (Int, ModelService) async throws -> Void) async throws {
    let service = ModelService()
    let verifier: [UInt8] = [1]
    let own = Permission(.readWrite, KeyRange(prefix: Array("b/".utf8)))
    let requests: [AccessRequest] = [
      .addUser(.root, verifier: verifier), .addRole(.root), .grantRole(.root, toUser: .root), .addUser("bob", verifier: verifier),
      .addRole("b"), .grantPermission(own, toRole: "b"), .grantRole("b", toUser: "bob"), .enable,
    ]
    for request in requests { service.perform(.access(request), consistency: .linearizable, timeout: .seconds(1)) { _ in } }
    let server = try await GatewayServer.start(host: "127.0.0.1", port: 0, service: service)
    try await body(try #require(server.address.port), service)
    await server.stop()
  }

  private func logIn(_ user: AccessName, _ service: ModelService) throws -> String {
    let token = SessionToken.random()
    let revision = try #require(service.access.user(user)).passwordRevision
    service.perform(
      .access(
        .issueToken(
          TokenGrant(
            user: user, digest: SessionToken.digest(of: token), issuedAt: WallClock.secondsSince1970, passwordRevision: revision))),
      consistency: .linearizable, timeout: .seconds(1)
    ) { _ in }
    return token
  }

  private func answer(_ port: Int, _ path: String, _ body: String, token: String?) async throws -> String {
    let client = try await RawClient(port: port)
    try await client.post(path, body, headers: token.map { "Authorization: \($0)\r\n" } ?? "")
    let answer = try await client.wait { $0.received.split(separator: "\r\n\r\n").dropFirst().joined().contains("}") }
    await client.close()
    return answer
  }

  /// A path without a line here fails: whoever adds one says what somebody may do there who may do nothing.
  private static let bodies: [String: String] = [
    "kv/range": #"{"key":"YQ=="}"#, "kv/put": #"{"key":"YQ==","value":"YQ=="}"#, "kv/deleterange": #"{"key":"YQ=="}"#,
    "kv/txn": #"{"compare":[{"key":"YQ==","target":"VERSION","version":"0"}]}"#, "kv/compaction": #"{"revision":"1"}"#,
    "maintenance/settings": "{}", "maintenance/transfer-leadership": "{}", "maintenance/alarm": "{}", "maintenance/defragment": "{}",
    "maintenance/hash": "{}", "cluster/member/add": #"{"peerURLs":["http://h:1"],"ID":"7","name":"n"}"#,
    "cluster/member/remove": #"{"ID":"7"}"#, "cluster/member/update": #"{"ID":"7","peerURLs":["http://h:1"]}"#,
    "cluster/member/promote": #"{"ID":"7"}"#, "lease/revoke": #"{"ID":"5"}"#, "kv/lease/revoke": #"{"ID":"5"}"#,
    "lease/timetolive": #"{"ID":"5","keys":true}"#, "kv/lease/timetolive": #"{"ID":"5","keys":true}"#,
    "watch": #"{"create_request":{"key":"YQ=="}}"#, "lock/lock": #"{"name":"YQ==","lease":"5"}"#, "lock/unlock": #"{"key":"YQ=="}"#,
    "election/campaign": #"{"name":"YQ==","lease":"5"}"#, "election/leader": #"{"name":"YQ=="}"#,
    "election/proclaim": #"{"leader":{"key":"YQ==","rev":"1","lease":"5"},"value":"YQ=="}"#,
    "election/resign": #"{"leader":{"key":"YQ==","rev":"1","lease":"5"}}"#, "election/observe": #"{"name":"YQ=="}"#,
  ]

  /// Whoever is known may do these.
  private static let free: Set<String> = [
    "maintenance/status", "cluster/member/list", "lease/grant", "lease/keepalive", "lease/leases", "kv/lease/leases", "auth/authenticate",
  ]

  @Test func noPathIsOpenToWhoMayNot() async throws {
    try await withUsers { port, service in
      // A lease whose key bob may not touch.
      service.perform(.leaseGrant(LeaseGrantRequest(id: 5, timeToLive: 60)), consistency: .linearizable, timeout: .seconds(1)) { _ in }
      service.perform(.put(PutRequest(key: [0x61], value: [], lease: 5)), consistency: .linearizable, timeout: .seconds(1)) { _ in }
      let token = try logIn("bob", service)
      for path in Route.paths.sorted() where !Self.free.contains(path) {
        let call = Gateway.AccessCall(rawValue: String(path.dropFirst("auth/".count)))
        let known = path.hasPrefix("auth/") && call != nil ? Self.body(of: call) : Self.bodies[path]
        let body = try #require(known, "\(path) has no rule here")
        for (token, expected) in [(token, "etcdserver: permission denied"), (nil, "etcdserver: user name is empty")] {
          let answer = try await answer(port, "/v3/\(path)", body, token: token)
          #expect(answer.contains(expected), "\(path), \(token == nil ? "nobody" : "bob"): \(answer)")
        }
      }
    }
  }

  private static func body(of call: Gateway.AccessCall?) -> String {
    switch call {
    case .addUser: #"{"name":"eve","options":{"no_password":true}}"#
    case .changePassword: #"{"name":"root","password":"mine"}"#
    case .grantPermission: #"{"name":"b","perm":{"key":"YQ=="}}"#
    case .revokePermission: #"{"role":"b","key":"YQ=="}"#
    case .grantRole: #"{"user":"bob","role":"root"}"#
    case .getUser: #"{"name":"root"}"#
    case .getRole: #"{"role":"root"}"#
    default: #"{"name":"root","role":"root"}"#
    }
  }

  @Test func whatIsAllowedIsDone() async throws {
    try await withUsers { port, service in
      let token = try logIn("bob", service)
      #expect(try await answer(port, "/v3/kv/put", #"{"key":"Yi8x","value":"YQ=="}"#, token: token).contains("200 OK"))
      #expect(try await answer(port, "/v3/kv/range", #"{"key":"Yi8x"}"#, token: token).contains(#""value":"YQ==""#))
      // Beyond what may be read, though it begins with it.
      #expect(try await answer(port, "/v3/kv/range", #"{"key":"Yi8x","range_end":"Yw=="}"#, token: token).contains("permission denied"))
      #expect(try await answer(port, "/v3/auth/user/get", #"{"name":"bob"}"#, token: token).contains(#""roles":["b"]"#))
      #expect(try await answer(port, "/v3/auth/user/list", "{}", token: try logIn(.root, service)).contains(#""users":["bob","root"]"#))
      #expect(try await answer(port, "/v3/kv/range", #"{"key":"Yi8x"}"#, token: "made-up").contains("etcdserver: invalid auth token"))
    }
  }

  @Test func aPasswordIsWhatLogsIn() async throws {
    try await withUsers { port, service in
      let root = try logIn(.root, service)
      #expect(try await answer(port, "/v3/auth/user/changepw", #"{"name":"bob","password":"right"}"#, token: root).contains("200 OK"))
      let wrong = try await answer(port, "/v3/auth/authenticate", #"{"name":"bob","password":"wrong"}"#, token: nil)
      #expect(wrong.contains("etcdserver: authentication failed, invalid user ID or password"))
      let unknown = try await answer(port, "/v3/auth/authenticate", #"{"name":"nobody","password":"wrong"}"#, token: nil)
      #expect(unknown.contains("etcdserver: authentication failed, invalid user ID or password"))
      let right = try await answer(port, "/v3/auth/authenticate", #"{"name":"bob","password":"right"}"#, token: nil)
      let token = try #require(right.firstMatch(of: /"token":"([0-9a-f]+)"/)).output.1
      #expect(try await answer(port, "/v3/kv/put", #"{"key":"Yi8x","value":"YQ=="}"#, token: String(token)).contains("200 OK"))
      let long = String(repeating: "x", count: 2000)
      let tooLong = try await answer(port, "/v3/auth/authenticate", "{\"name\":\"bob\",\"password\":\"\(long)\"}", token: nil)
      #expect(tooLong.contains("at most 1024"))
    }
  }

  @Test func whoGuessesWaits() {
    let logins = Logins()
    let (bob, alice) = (Logins.Guesser(user: "bob", host: "a"), Logins.Guesser(user: "alice", host: "a"))
    let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    for _ in 0..<Logins.free { logins.wasWrong(bob, now: start) }
    #expect(logins.mayTry(bob, now: start))
    logins.wasWrong(bob, now: start)
    #expect(!logins.mayTry(bob, now: start) && logins.mayTry(alice, now: start))
    #expect(logins.mayTry(Logins.Guesser(user: "bob", host: "b"), now: start), "the guesser waits, and not the user")
    #expect(logins.mayTry(bob, now: start + .seconds(1)))
    for _ in 0..<20 { logins.wasWrong(bob, now: start) }
    #expect(!logins.mayTry(bob, now: start + .seconds(29)) && logins.mayTry(bob, now: start + .seconds(30)))
  }

  @Test func oneAskerLeavesRoomInTheQueue() {
    let (looks, gate, begun) = (LongLooks(), DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    let isFirst = looks.submit {
      begun.signal()
      gate.wait()
    }
    begun.wait()
    let ofOne = (0..<6).map { _ in looks.submit(for: "a") {} }
    let ofAnother = looks.submit(for: "b") {}
    gate.signal()
    #expect(isFirst && ofAnother)
    #expect(ofOne == [true, true, true, true, false, false])
  }

  @Test func whatIsNoPasswordIsRefusedAtOnce() async throws {
    try await withUsers { port, service in
      let root = try logIn(.root, service)
      for (path, body) in [("user/add", #"{"name":"eve","password":""}"#), ("user/changepw", #"{"name":"bob"}"#)] {
        #expect(try await answer(port, "/v3/auth/\(path)", body, token: root).contains("the password is empty"), "\(path)")
      }
      let long = String(repeating: "n", count: Limits.accessNameBytes + 1)
      let login = try await answer(port, "/v3/auth/authenticate", "{\"name\":\"\(long)\",\"password\":\"p\"}", token: nil)
      #expect(login.contains("400 Bad Request") && login.contains("name"), "\(login)")
      #expect(service.access.user("eve") == nil)
    }
  }

  @Test func aFullStoreIsToldToWhoLooksAfterIt() {
    let full = ServiceHealth(hasLeader: true, isOutOfSpace: true)
    #expect(HealthProbe(path: "/health", query: "")?.answer(full).status == 503)
    #expect(HealthProbe(path: "/health", query: "exclude=NOSPACE")?.answer(full).status == 200)
    #expect(HealthProbe(path: "/readyz", query: "")?.answer(full).status == 200)
  }
}
