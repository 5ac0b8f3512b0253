import KeyValue
import Raft
import Replica

/// The kinds of error that gRPC knows, and what they are in HTTP (as the gRPC gateway maps them).
package enum StatusCode: Int32, Sendable {
  case unknown = 2
  case invalidArgument = 3
  case deadlineExceeded = 4
  case notFound = 5
  case permissionDenied = 7
  case resourceExhausted = 8
  case failedPrecondition = 9
  case outOfRange = 11
  case unimplemented = 12
  case internalError = 13
  case unavailable = 14
  case unauthenticated = 16

  package var httpStatus: Int {
    switch self {
    case .invalidArgument, .failedPrecondition, .outOfRange: 400
    case .notFound: 404
    case .permissionDenied: 403
    case .unauthenticated: 401
    case .resourceExhausted: 429
    case .unknown, .internalError: 500
    case .unimplemented: 501
    case .unavailable: 503
    case .deadlineExceeded: 504
    }
  }
}

/// An error as a client sees it: etcd's kind and text, which clients match, and what etcd does not say.
struct APIError: Error, Hashable {
  var code: StatusCode
  var message: String
  /// What is known of the request's effect, when the error does not say so by itself.
  var outcome: RequestError.Outcome?
  /// What happened, for people.
  var detail: String?

  init(_ code: StatusCode, _ message: String) {
    self.code = code
    self.message = message
  }

  func write(to writer: inout JSONWriter) {
    writer.object { writer in
      writer.field("error", text: message)
      writer.field("code", unquoted: code.rawValue)
      writer.field("message", text: message)
      if let outcome { writer.field("outcome", text: outcome == .unknown ? "unknown" : "not done") }
      if let detail { writer.field("detail", text: detail) }
    }
  }
}

/// The one list of errors (etcd: `api/v3rpc/rpctypes/error.go`).
extension APIError {
  init(_ error: StoreError) {
    switch error {
    case .request(let error): self.init(error)
    case .keyValue(let error): self.init(error)
    case .watch(.access(let error)): self.init(error)
    case .watch(let error): self.init(.resourceExhausted, "coracle: \(error)")
    }
  }

  init(_ error: AdministrationError) {
    switch error {
    case .malformed(let text): self.init(.invalidArgument, "coracle: \(text)")
    case .refused(let text): self.init(.permissionDenied, "coracle: \(text)")
    case .unavailable(let text):
      self.init(.unavailable, "coracle: \(text)")
      outcome = .notDone
    case .store(let error): self.init(error)
    }
  }

  init(_ error: KeyValueError) {
    switch error {
    case .emptyKey: self.init(.invalidArgument, "etcdserver: key is not provided")
    case .keyNotFound: self.init(.invalidArgument, "etcdserver: key not found")
    case .valueProvided: self.init(.invalidArgument, "etcdserver: value is provided")
    case .leaseProvided: self.init(.invalidArgument, "etcdserver: lease is provided")
    case .notInTransaction: self.init(.invalidArgument, "coracle: this request cannot be part of a transaction")
    case .invalidSettings:
      self.init(.invalidArgument, "coracle: the quota must be above 0, the age and the bytes of the history not below 0")
    case .noSpace: self.init(.resourceExhausted, "etcdserver: mvcc: database space exceeded")
    case .duplicateKey: self.init(.invalidArgument, "etcdserver: duplicate key given in txn request")
    case .tooManyOperations: self.init(.invalidArgument, "etcdserver: too many operations in txn request")
    case .tooLarge: self = .tooLarge
    case .leaseNotFound: self.init(.notFound, "etcdserver: requested lease not found")
    case .leaseExists: self.init(.failedPrecondition, "etcdserver: lease already exists")
    case .leaseTTLTooLarge: self.init(.outOfRange, "etcdserver: too large lease TTL")
    case .tooManyLeases:
      self.init(.resourceExhausted, "coracle: there are \(Limits.leases) leases already; revoke some, or let them expire")
    case .leaderOnly: self.init(.invalidArgument, "coracle: only the leader lets a lease expire; revoke it instead")
    case .tooCostly:
      self.init(
        .invalidArgument,
        "coracle: request looks at more than \(Limits.costItems) keys or \(Limits.costBytes) bytes; ask for less at a time")
    case .recordChanged: self.init(.failedPrecondition, "coracle: the record was changed by another; look at it again")
    case .invalidRecord: self.init(.invalidArgument, "coracle: a record's name or value is too long, or its name empty")
    case .tooManyRecords: self.init(.resourceExhausted, "coracle: there are \(Limits.records) records already")
    case .access(let error): self.init(error)
    case .compacted: self.init(.outOfRange, "etcdserver: mvcc: required revision has been compacted")
    case .futureRevision: self.init(.outOfRange, "etcdserver: mvcc: required revision is a future revision")
    case .malformed(let what): self.init(.internalError, "coracle: a node of another version proposed this: \(what)")
    }
  }

  private init(_ error: AccessError) {
    switch error {
    case .userNameEmpty: self.init(.invalidArgument, "etcdserver: user name is empty")
    case .roleNameEmpty: self.init(.invalidArgument, "etcdserver: role name is empty")
    case .userExists: self.init(.failedPrecondition, "etcdserver: user name already exists")
    case .userNotFound: self.init(.failedPrecondition, "etcdserver: user name not found")
    case .roleExists: self.init(.failedPrecondition, "etcdserver: role name already exists")
    case .roleNotFound: self.init(.failedPrecondition, "etcdserver: role name not found")
    case .rootUserMissing: self.init(.failedPrecondition, "etcdserver: root user does not exist")
    case .rootRoleMissing: self.init(.failedPrecondition, "etcdserver: root user does not have root role")
    case .roleNotGranted: self.init(.failedPrecondition, "etcdserver: role is not granted to the user")
    case .permissionNotGranted: self.init(.failedPrecondition, "etcdserver: permission is not granted to the role")
    case .permissionDenied: self.init(.permissionDenied, "etcdserver: permission denied")
    case .authenticationFailed: self.init(.invalidArgument, "etcdserver: authentication failed, invalid user ID or password")
    case .notEnabled: self.init(.failedPrecondition, "etcdserver: authentication is not enabled")
    case .invalidToken: self.init(.unauthenticated, "etcdserver: invalid auth token")
    case .invalidManagement: self.init(.invalidArgument, "etcdserver: invalid auth management")
    case .rootPasswordMissing: self.init(.failedPrecondition, "coracle: \(error)")
    case .tooMany: self.init(.resourceExhausted, "coracle: \(error)")
    case .nameTooLong, .verifierSize, .permissionTooLong: self.init(.invalidArgument, "coracle: \(error)")
    }
  }

  init(_ error: RequestError) {
    switch error.reason {
    case .noLeader, .notFormed: self.init(.unavailable, "etcdserver: no leader")
    case .deadlineExceeded, .cancelled: self.init(.unavailable, "etcdserver: request timed out")
    case .busy: self.init(.resourceExhausted, "etcdserver: too many requests")
    case .tooLarge: self = .tooLarge
    case .superseded: self.init(.unavailable, "etcdserver: leader changed")
    case .refused(let error): self.init(error)
    case .stopped: self.init(.unavailable, "etcdserver: server stopped")
    case .storage: self.init(.unavailable, "etcdserver: unhealthy cluster")
    }
    outcome = error.outcome
    detail = error.description
  }

  private init(_ error: OperatorError) {
    switch error {
    case .notLeader: self.init(.failedPrecondition, NodeAnswer.notLeader)
    case .unknownMember: self.init(.notFound, "etcdserver: member not found")
    case .alreadyMember, .formerMember: self.init(.failedPrecondition, "etcdserver: member ID already exist")
    case .nameTaken: self.init(.failedPrecondition, "etcdserver: Peer URLs already exists")
    case .textTooLong: self.init(.invalidArgument, "etcdserver: given member URLs are invalid")
    case .tooManyMembers: self.init(.failedPrecondition, "etcdserver: too many learner members in cluster")
    case .lags: self.init(.failedPrecondition, "etcdserver: can only promote a learner member which is in sync with leader")
    case .lastVoter:
      self.init(.failedPrecondition, "etcdserver: re-configuration failed due to not enough started members")
    case .notAVoter: self.init(.failedPrecondition, "etcdserver: bad leader transferee")
    case .unreachable, .nobodyToLead, .anotherLeads: self.init(.failedPrecondition, "etcdserver: bad leader transferee")
    case .quorumNotHeard: self.init(.unavailable, "etcdserver: unhealthy cluster")
    case .changeUnderWay, .transferUnderWay, .notReady: self.init(.unavailable, "etcdserver: unhealthy cluster")
    case .transferTimedOut: self.init(.unavailable, "etcdserver: request timed out, leader transfer took too long")
    case .leadershipLost: self.init(.unavailable, "etcdserver: leader changed")
    }
  }

  static let tooLarge = APIError(.invalidArgument, "etcdserver: request is too large")
  /// Too many long answers are under way; nothing was done.
  static var busyAnswering: APIError {
    var error = APIError(RequestError(.busy, outcome: .notDone))
    error.detail = "too many long answers are under way already; nothing was done, a retry is safe"
    return error
  }
  /// While the cluster is upgraded.
  static let otherVersion = APIError(.unavailable, "coracle: the leader runs another release, and does not know what it is asked")
  static let deadlineExceeded = APIError(.deadlineExceeded, "context deadline exceeded")
  static let invalidSortOption = APIError(.invalidArgument, "etcdserver: invalid sort option")
}

/// Texts of answers that the command looks for.
package enum NodeAnswer {
  /// What a node that does not lead says to an operator; nothing was done.
  package static let notLeader = "etcdserver: not leader"
}
