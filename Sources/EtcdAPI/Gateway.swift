import Budget
import Credentials
import KeyValue
import Raft
import Replica
import RequestChecks

/// What the gateway looks at in an HTTP request.
struct GatewayRequest {
  var method: String
  /// Path and query, as they came.
  var target: String
  /// The header field `Grpc-Timeout`.
  var timeout: String?
  var body: [UInt8] = []
  var caller = Caller.anyone
  /// From where it comes: an address, or the network that holds so many of them.
  var host = ""
  /// The header field `Authorization`: what a login gave.
  var token: String?
  /// The node has just caught up with all that was acknowledged.
  var isFresh = false
}

/// What goes back.
struct GatewayResponse: Sendable {
  enum Content: Sendable { case json, text }

  var status: Int
  var content: Content
  var body: ResponseBody
  /// How stale an answered serializable read may be.
  var staleness: Duration?
  /// The methods that would have been right.
  var allow: String?
  /// It only reads: a client that is told that the node is busy may retry.
  var mayBeRefused = false

  init(status: Int, content: Content, body: ResponseBody) {
    self.status = status
    self.content = content
    self.body = body
  }
}

/// etcd's JSON gateway as a function: from a request to an answer, or to something that the store must do first.
struct Gateway: Sendable {
  enum Step {
    case answer(GatewayResponse)
    case perform(Task)
    case operate(Operation)
    case look(Look)
    case converse(any Conversation)
    case administer(any ClusterAdministration, AdministrationCall)
    /// A token is not known: perhaps this node lags behind the one that gave it. Begin again when it has caught up.
    case catchUp
  }

  /// An answer that is made of the state.
  struct Look: Sendable {
    var consistency: Consistency
    var timeout: Duration
    /// It looks at all of the state: one at a time, and not on an event loop.
    var isLong = false
    var answer: @Sendable (Gateway, Result<KeyValueView, StoreError>) -> GatewayResponse
  }

  /// What the leader must do for an operator.
  struct Operation: Sendable {
    var request: OperatorRequest
    var timeout: Duration
  }

  /// What the store must do, and what becomes of it.
  struct Task: Sendable {
    enum Purpose {
      case answer
      /// The answer says nothing but the revision.
      case acknowledge
      /// The pair that stands for who holds a name.
      case leader
      /// An elected one's value: only as long as it is elected.
      case proclaim
    }

    var request: Request
    var consistency: Consistency
    var timeout: Duration
    var purpose: Purpose

    init(_ decoded: DecodedRequest, _ timeout: Duration) {
      self.init(decoded.request, decoded.consistency, timeout)
    }

    init(_ request: Request, _ consistency: Consistency, _ timeout: Duration, purpose: Purpose = .answer) {
      self.request = request
      self.consistency = consistency
      self.timeout = timeout
      self.purpose = purpose
    }
  }

  private(set) var service: any KeyValueService
  /// Bounds and times.
  let settings: GatewaySettings
  let answers: LongAnswers
  /// `nil` for a node without an authority.
  let administration: (any ClusterAdministration)?
  let logins: Logins
  let catchUps = CatchUps()

  /// What a login does is the node's own work: it has judged a password.
  private var trusted: Gateway {
    var gateway = self
    if let authorized = service as? AuthorizedService { gateway.service = authorized.service }
    return gateway
  }

  private var isEncrypted: Bool { administration != nil }

  init(
    service: any KeyValueService, settings: GatewaySettings, answers: MemoryBudget.Account? = nil,
    administration: (any ClusterAdministration)? = nil, passwords: PasswordCheck = PasswordCheck()
  ) {
    self.service = service
    logins = passwords.logins
    self.administration = administration
    self.settings = settings
    let account = answers ?? MemoryBudget(bytes: settings.maximumAnswerBytes).account("answers")
    self.answers = LongAnswers(account: account, placeBytes: 2 * min(settings.chunkBytes, settings.maximumAnswerBytes))
  }

  /// Why a request is refused before its body is read. No page of a browser is served here, so none is at home here.
  func refusal(of source: RequestSource, contentType: String?) -> GatewayResponse? {
    do throws(RequestFault) {
      try source.check(servesPages: false)
    } catch {
      if case .foreignPage = error { return .error(APIError(.permissionDenied, "coracle: \(error)")) }
      return .error(APIError(.invalidArgument, "coracle: \(error)"))
    }
    // All that a form of an old browser, which tells nobody where it comes from, could say JSON with.
    let isPlainText = contentType?.prefix { $0 != ";" && $0 != " " }.lowercased() == "text/plain"
    guard source.method == "POST", isPlainText else { return nil }
    var response = GatewayResponse.error(
      APIError(.invalidArgument, "coracle: the content type text/plain is refused: send application/json"))
    response.status = 415
    return response
  }

  /// What is to be done first, and the gateway as this client has it.
  func begin(_ request: GatewayRequest) -> (Gateway, Step) {
    var gateway = self
    do throws(AccessError) {
      let subject = try subject(of: request)
      gateway.service = AuthorizedService(service: service, subject: subject)
      return (gateway, gateway.begin(request, subject))
    } catch {
      // Over plain text or TLS, a login is how one gets another token.
      if case .call(.authenticate) = Route(request.target) { return (self, begin(request, .nobody)) }
      return (self, request.isFresh ? .answer(.error(APIError(KeyValueError.access(error)))) : .catchUp)
    }
  }

  /// On whose behalf a request is. A token counts more than a certificate, since the client chose to show it.
  private func subject(of request: GatewayRequest) throws(AccessError) -> Subject {
    let access = service.access
    if access.isEnabled, let token = request.token {
      return .user(try access.user(ofToken: SessionToken.digest(of: token), now: WallClock.secondsSince1970))
    }
    return switch request.caller {
    case .node: .operator
    case .client(let name): .user(AccessName(name))
    case .anyone, .stranger: .nobody
    }
  }

  private func begin(_ request: GatewayRequest, _ subject: Subject) -> Step {
    do throws(APIError) {
      let route = Route(request.target)
      try check(request.caller, subject, for: route)
      switch route {
      case .unknown(let text): return .answer(.text(404, text))
      case .information(let information):
        guard request.method == "GET" || request.method == "HEAD" else { return .answer(.methodNotAllowed("GET, HEAD")) }
        return .answer(answer(information))
      case .administration(let call):
        guard request.method == "POST" else { return .answer(.methodNotAllowed("POST")) }
        guard let administration else {
          throw APIError(.unimplemented, "coracle: this cluster has no authority: it was formed with --insecure, or on loopback alone")
        }
        // Whoever may do this can have the authority's key, so no user may.
        guard call == .join || request.caller.isNode else {
          throw APIError(
            .permissionDenied,
            "coracle: only a node's own credentials allow this: run it on a server of the cluster, as its node's user")
        }
        guard request.body.count <= settings.maximumAdministrationBytes else { throw .tooLarge }
        return .administer(administration, call)
      case .call(let call):
        guard request.method == "POST" else { return .answer(.methodNotAllowed("POST")) }
        try Right(call).check(subject, service.access)
        return try begin(call, request, subject)
      }
    } catch {
      return .answer(.error(error))
    }
  }

  /// The answer to what `begin` said to perform.
  func finish(_ purpose: Task.Purpose, _ result: Result<ServedAnswer, StoreError>) -> GatewayResponse {
    switch (purpose, result) {
    case (.answer, .failure(let error)), (.acknowledge, .failure(let error)): return .error(APIError(error))
    case (.leader, .failure(let error)), (.proclaim, .failure(let error)): return .error(Self.ofRecipe(APIError(error)))
    case (.acknowledge, .success(let served)): return acknowledgement(served.answer.revision)
    case (.proclaim, .success(let served)):
      guard case .transaction(succeeded: true, _) = served.answer.result else {
        return .error(APIError(.unknown, "election: not leader"))
      }
      return acknowledgement(served.answer.revision)
    case (.leader, .success(let served)):
      guard case .range(let found) = served.answer.result, let pair = found.pairs.first else {
        return .error(APIError(.unknown, "election: no leader"))
      }
      let status = service.status
      return .json { writer in
        writer.object { body in
          body.header(status, revision: served.answer.revision)
          body.object("kv") { $0.fields(of: pair) }
        }
      }
    case (.answer, .success(let served)):
      let body = ResponseBody(served.answer, service.status, chunkBytes: settings.chunkBytes)
      var response = GatewayResponse(status: 200, content: .json, body: body)
      response.mayBeRefused = !served.answer.isChange
      response.staleness = served.staleness
      return response
    }
  }

  private func acknowledgement(_ revision: Revision) -> GatewayResponse {
    let status = service.status
    return .json { writer in writer.object { $0.header(status, revision: revision) } }
  }

  /// etcd's recipes for locks and elections hide the kind of an error behind theirs; its text stays.
  static func ofRecipe(_ error: APIError) -> APIError {
    var error = error
    if ![.unavailable, .deadlineExceeded].contains(error.code), error.outcome == nil { error.code = .unknown }
    return error
  }

  /// The answer to what `begin` said to have the leader do.
  func finish(_ operation: Operation, _ result: Result<Void, RequestError>) -> GatewayResponse {
    if case .failure(let error) = result { return .error(APIError(error)) }
    let status = service.status
    switch operation.request {
    case .transfer: return .json { writer in writer.object { $0.header(status, revision: 0) } }
    case .add(let learner): return .json { $0.memberList(status, changed: learner.member, isEncrypted: isEncrypted) }
    case .promote, .remove, .update: return .json { $0.memberList(status, isEncrypted: isEncrypted) }
    }
  }

  /// etcd's clients change the addresses for peers alone: those for clients stay as they are.
  private func update(_ fields: MemberFields) throws(APIError) -> OperatorRequest {
    guard let peerAddress = fields.peerAddress else { throw APIError(.invalidArgument, "etcdserver: peerURLs is not provided") }
    let known = service.status.members.first { $0.id == fields.id }?.clientAddress ?? ""
    return .update(fields.id, peerAddress: peerAddress, clientAddress: fields.clientAddress ?? known)
  }

  private func begin(_ call: Route.Call, _ request: GatewayRequest, _ subject: Subject) throws(APIError) -> Step {
    let timeout = try timeout(request.timeout)
    var body = RequestReader(request.body, maximumNesting: settings.maximumNesting)
    switch call {
    case .range: return .perform(Task(try body.readRange(), timeout))
    case .put: return .perform(Task(try body.readPut(), timeout))
    case .deleteRange: return .perform(Task(try body.readDelete(), timeout))
    case .transaction: return .perform(Task(try body.readTransaction(), timeout))
    case .compaction: return .perform(Task(.compaction(try body.readCompaction()), .linearizable, timeout))
    case .leaseGrant: return .perform(Task(.leaseGrant(try body.readGrant()), .linearizable, timeout))
    case .leaseRevoke: return .perform(Task(.leaseRevoke(try body.readLease().id), .linearizable, timeout))
    case .leases:
      try body.readNothing()
      return .perform(Task(.leases, .linearizable, timeout))
    case .leaseKeepAlive:
      return .converse(KeepAliveConversation(self, try body.readKeepAlives(most: settings.maximumWatches), timeout: timeout))
    case .leaseTimeToLive:
      let lease = try body.readLease()
      return .converse(TimeToLiveConversation(self, lease.id, wantsKeys: lease.wantsKeys, timeout: timeout))
    case .watch: return .converse(WatchConversation(self, try body.readWatchCommands(most: settings.maximumWatches)))
    case .status, .alarm, .defragment, .hash, .settings: return try maintain(call, &body, timeout)
    case .lock, .unlock, .campaign, .proclaim, .leader, .observe, .resign:
      return try elect(call, try body.readClaim(), timeout, isLimited: request.timeout != nil)
    case .authenticate:
      return .converse(try PasswordConversation(trusted, .logIn, try body.readAccess(), from: request.host, timeout: timeout))
    case .access(let call): return try administer(call, &body, subject, request.host, timeout)
    case .memberList:
      try body.readNothing()
      return .answer(.json { $0.memberList(service.status, isEncrypted: isEncrypted) })
    case .memberAdd:
      let member = try body.readNewMember()
      try checkJoining(request.caller, as: member)
      return .operate(Operation(request: .add(member), timeout: timeout))
    case .memberRemove: return .operate(Operation(request: .remove(try body.readMember().id), timeout: timeout))
    case .memberPromote: return .operate(Operation(request: .promote(try body.readMember().id), timeout: timeout))
    case .memberUpdate: return .operate(Operation(request: try update(try body.readMember()), timeout: timeout))
    case .transferLeadership: return .operate(Operation(request: .transfer(to: try body.readTransferTarget()), timeout: timeout))
    }
  }

  private func check(_ caller: Caller, _ subject: Subject, for route: Route) throws(APIError) {
    let configuration = service.status.configuration
    // A password will do in place of a certificate.
    if caller == .stranger, case .user = subject { return }
    try Clearance(route).check(caller, isMember: { id in configuration?.isMember(NodeID(id)) == true }, isFormer: isFormer)
  }

  /// Whether this node was a member, and was removed.
  func isFormer(_ node: UInt64) -> Bool { service.status.configuration?.removed.contains(NodeID(node)) == true }

  /// A node that is no member yet may become one, and have no other become one.
  private func checkJoining(_ caller: Caller, as learner: Learner) throws(APIError) {
    guard case .node(let id) = caller, service.status.configuration?.isMember(NodeID(id)) != true else { return }
    guard learner.member.id == NodeID(id) else {
      throw APIError(.permissionDenied, "coracle: a node that is no member may only ask to become one itself")
    }
  }

  private func answer(_ information: Route.Information) -> GatewayResponse {
    switch information {
    case .version:
      return .json { writer in
        writer.object {
          $0.field("etcdserver", text: EtcdVersion.server)
          $0.field("etcdcluster", text: EtcdVersion.cluster)
        }
      }
    case .health(let probe): return probe.answer(service.health)
    }
  }

  private func timeout(_ text: String?) throws(APIError) -> Duration {
    guard let text else { return settings.requestTimeout }
    guard let timeout = Duration(grpcTimeout: text) else { throw APIError(.invalidArgument, "invalid grpc-timeout: \(text)") }
    return min(timeout, settings.maximumRequestTimeout)
  }
}

extension GatewayResponse {
  static func json(_ status: Int = 200, _ write: (inout JSONWriter) -> Void) -> GatewayResponse {
    var writer = JSONWriter()
    write(&writer)
    return GatewayResponse(status: status, content: .json, body: ResponseBody(writer.bytes))
  }

  static func error(_ error: APIError) -> GatewayResponse { json(error.code.httpStatus) { error.write(to: &$0) } }

  static func text(_ status: Int, _ text: String) -> GatewayResponse {
    GatewayResponse(status: status, content: .text, body: ResponseBody(Array((text + "\n").utf8)))
  }

  static func methodNotAllowed(_ methods: String) -> GatewayResponse {
    var response = text(405, "Method Not Allowed")
    response.allow = methods
    return response
  }
}

extension Duration {
  /// gRPC over HTTP/2, `Timeout`: at most eight digits and a unit.
  init?(grpcTimeout text: String) {
    guard let unit = text.last, (2...9).contains(text.utf8.count), text.dropLast().allSatisfy({ $0.isASCII && $0.isNumber }),
      let count = Int64(text.dropLast())
    else { return nil }
    switch unit {
    case "H": self = .seconds(count * 3600)
    case "M": self = .seconds(count * 60)
    case "S": self = .seconds(count)
    case "m": self = .milliseconds(count)
    case "u": self = .microseconds(count)
    case "n": self = .nanoseconds(count)
    default: return nil
    }
  }
}
