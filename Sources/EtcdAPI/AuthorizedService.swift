import KeyValue
import Raft
import Replica

/// The store as one client has it: whatever it asks is asked on its behalf, and the state at the moment of application says whether it may.
struct AuthorizedService: KeyValueService {
  let service: any KeyValueService
  let subject: Subject

  func perform(
    _ request: Request, consistency: Consistency, timeout: Duration,
    completion: @escaping @Sendable (Result<ServedAnswer, StoreError>) -> Void
  ) {
    service.perform(.onBehalf(of: subject, request), consistency: consistency, timeout: timeout, completion: completion)
  }

  func read(
    _ consistency: Consistency, timeout: Duration, completion: @escaping @Sendable (Result<KeyValueView, StoreError>) -> Void
  ) {
    service.read(consistency, timeout: timeout, completion: completion)
  }

  func ask(
    _ question: LeaseQuestion, timeout: Duration,
    completion: @escaping @Sendable (Result<(answer: LeaseAnswer, revision: Revision), StoreError>) -> Void
  ) {
    service.ask(question, timeout: timeout, completion: completion)
  }

  func watch(
    _ request: WatchRequest, in view: KeyValueView, wake: @escaping @Sendable () -> Void
  ) throws(WatchError) -> any ServedWatch {
    var request = request
    request.subject = subject
    return try service.watch(request, in: view, wake: wake)
  }

  func perform(
    _ operation: OperatorRequest, timeout: Duration, completion: @escaping @Sendable (Result<Void, RequestError>) -> Void
  ) {
    service.perform(operation, timeout: timeout, completion: completion)
  }

  var status: ReplicaStatus { service.status }
  var followers: [FollowerStatus] { service.followers }
  var databaseSize: Int64 { service.databaseSize }
  var health: ServiceHealth { service.health }
  var access: Access { service.access }
}

/// What a call needs where there are users.
enum Right {
  /// The requests that come of it are judged, each for itself.
  case ofRequests
  /// Whoever is known.
  case known
  case administrator
  /// It is how one becomes known.
  case none

  init(_ call: Route.Call) {
    switch call {
    case .range, .put, .deleteRange, .transaction, .compaction, .leaseGrant, .leaseRevoke, .leases, .watch, .lock, .unlock, .campaign,
      .proclaim, .leader, .observe, .resign, .access:
      self = .ofRequests
    case .leaseKeepAlive, .leaseTimeToLive, .status, .memberList: self = .known
    case .settings, .memberAdd, .memberRemove, .memberUpdate, .memberPromote, .transferLeadership, .alarm, .defragment, .hash:
      self = .administrator
    case .authenticate: self = .none
    }
  }

  func check(_ subject: Subject, _ access: Access) throws(APIError) {
    do throws(AccessError) {
      switch self {
      case .ofRequests, .none: break
      case .known: try access.checkKnown(subject)
      case .administrator: try access.checkAdministrator(subject)
      }
    } catch {
      throw APIError(KeyValueError.access(error))
    }
  }
}
