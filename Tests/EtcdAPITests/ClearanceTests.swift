import Raft
import Testing

@testable import EtcdAPI

/// Who is heard, by what the connection shows of them: looked at for every path that there is, so that a new one without a rule is noticed.
@Suite struct ClearanceTests {
  /// What carries its own proof.
  private static let open: Set = ["/coracle/join", "/v3/auth/authenticate", "/v3beta/auth/authenticate"]
  /// What a node may ask for before it is a member.
  private static let joining: Set = [
    "/v3/cluster/member/list", "/v3/cluster/member/add", "/v3beta/cluster/member/list", "/v3beta/cluster/member/add",
  ]
  private static let paths =
    Route.paths.sorted().flatMap { ["/v3/\($0)", "/v3beta/\($0)"] } + AdministrationCall.allCases.map { "/coracle/\($0.rawValue)" }
  private static let probes = [
    "/version", "/health", "/health?serializable=true", "/livez", "/readyz", "/readyz?verbose", "/readyz/log_write",
  ]

  private static let (member, learner, former, newcomer): (UInt64, UInt64, UInt64, UInt64) = (1, 2, 3, 4)

  private let service = ModelService()
  private let gateway: Gateway

  init() {
    gateway = Gateway(service: service, settings: GatewaySettings(), administration: Nothing())
    let voter = Member(id: NodeID(Self.member), name: "a", peerAddress: "a:1", clientAddress: "a:2")
    let learner = Learner(Member(id: NodeID(Self.learner), name: "b", peerAddress: "b:1", clientAddress: "b:2"), .whenCaughtUp)
    service.behave { $0.configuration = Configuration(voters: [voter], learners: [learner], removed: [NodeID(Self.former)]) }
  }

  private struct Nothing: ClusterAdministration {
    func perform(
      _ call: AdministrationCall, body: [UInt8], completion: @escaping @Sendable (Result<[UInt8], AdministrationError>) -> Void
    ) { completion(.failure(.unavailable(""))) }
  }

  /// The status with which somebody is not heard; `nil` if they are, whatever comes of it.
  private func refusal(_ path: String, of caller: Caller, method: String = "POST", body: String = "{}") -> Int? {
    let request = GatewayRequest(method: method, target: path, body: Array(body.utf8), caller: caller)
    guard case .answer(let response) = gateway.begin(request).1, [401, 403].contains(response.status) else { return nil }
    return response.status
  }

  @Test func thereAreAllPaths() {
    #expect(Self.paths.count > 60)
    #expect(Self.open.union(Self.joining).isSubset(of: Self.paths))
  }

  @Test func aStrangerIsHeardWithNothingThatNeedsToBeKnown() {
    for path in Self.paths {
      // What the body says is not looked at before.
      for body in ["{}", "[", ""] { #expect(refusal(path, of: .stranger, body: body) == (Self.open.contains(path) ? nil : 401), "\(path)") }
    }
    for path in Self.probes { #expect(refusal(path, of: .stranger, method: "GET") == nil, "\(path)") }
    #expect(gateway.answer(GatewayRequest(method: "POST", target: "/v3/kv/range", caller: .stranger))?.text.contains("client-cert") == true)
  }

  @Test func aNodeThatWasRemovedIsHeardWithNothing() {
    for path in Self.paths { #expect(refusal(path, of: .node(Self.former)) == (Self.open.contains(path) ? nil : 403), "\(path)") }
  }

  @Test func aNodeThatIsNoMemberMayBecomeOne() {
    for path in Self.paths where !path.hasSuffix("member/add") {
      let isHeard = Self.open.contains(path) || Self.joining.contains(path)
      #expect(refusal(path, of: .node(Self.newcomer)) == (isHeard ? nil : 403), "\(path)")
    }
  }

  @Test func itMayAddItselfAndNobodyElse() {
    func member(_ id: UInt64) -> String { #"{"ID":"\#(id)","name":"d","peerURLs":["http://d:1"]}"# }
    for path in Self.joining where path.hasSuffix("member/add") {
      #expect(refusal(path, of: .node(Self.newcomer), body: member(Self.newcomer)) == nil)
      #expect(refusal(path, of: .node(Self.newcomer), body: member(5)) == 403)
      #expect(refusal(path, of: .node(Self.former), body: member(Self.former)) == 403)
      #expect(refusal(path, of: .node(Self.member), body: member(5)) == nil)
    }
  }

  @Test(arguments: [Caller.anyone, .client("alice"), .node(member), .node(learner)])
  func whoIsKnownIsHeard(caller: Caller) {
    for path in Self.paths {
      // Of the nodes' own affairs only nodes are heard.
      let isForNodes = path.hasPrefix("/coracle/") && !Self.open.contains(path)
      #expect(refusal(path, of: caller) == (isForNodes && !caller.isNode ? 403 : nil), "\(path)")
    }
  }

  @Test(arguments: [
    "/", "/v3/", "/v3/kv", "/v3/kv/range/", "/v3/../v3/kv/range", "/coracle/", "/coracle/authority", "/metrics", "/debug/pprof",
  ])
  func elsewhereIsNothing(path: String) {
    guard case .answer(let response) = gateway.begin(GatewayRequest(method: "POST", target: path, caller: .stranger)).1 else {
      Issue.record("\(path) leads somewhere")
      return
    }
    #expect(response.status == 404)
  }

  @Test func aBodyOfAStrangerIsSmall() {
    let call = GatewayRequest(
      method: "POST", target: "/coracle/join", body: [UInt8](repeating: 0x20, count: GatewaySettings().maximumAdministrationBytes + 1),
      caller: .stranger)
    #expect(gateway.answer(call)?.text.contains("large") == true)
    var smaller = call
    smaller.body.removeLast()
    let isLookedAt = if case .administer = gateway.begin(smaller).1 { true } else { false }
    #expect(isLookedAt)
  }
}
