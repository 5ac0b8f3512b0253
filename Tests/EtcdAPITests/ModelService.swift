import ByteCoding
import EtcdAPI
import KeyValue
import Raft
import Replica
import Synchronization

/// A cluster of one that answers at once: the real state machine, without a log.
final class ModelService: KeyValueService {
  struct Behaviour: Sendable {
    var hasLeader = true
    /// Answer everything with this.
    var failure: StoreError?
    var staleness: Duration?
    var stall: String?
    var writeStall: String?
    /// Keep the requests waiting until `release`.
    var holds = false
    /// What comes of what an operator asks for.
    var operated: Result<Void, RequestError> = .success(())
    var followers: [FollowerStatus] = []
  }

  private struct State {
    var machine = KeyValueMachine()
    var behaviour = Behaviour()
    var index: LogIndex = 0
    var held: [@Sendable () -> Void] = []
    var timeouts: [Duration] = []
    var consistencies: [Consistency] = []
    var operations: [OperatorRequest] = []
  }

  private let state = Mutex(State())

  static let node = NodeID(10_276_657_743_932_975_437)
  static let cluster = ClusterID(14_841_639_068_965_178_418)

  var followers: [FollowerStatus] { state.withLock { $0.behaviour.followers } }

  func behave(_ change: (inout Behaviour) -> Void) { state.withLock { change(&$0.behaviour) } }
  var timeouts: [Duration] { state.withLock { $0.timeouts } }
  var consistencies: [Consistency] { state.withLock { $0.consistencies } }
  var operations: [OperatorRequest] { state.withLock { $0.operations } }
  var heldCount: Int { state.withLock { $0.held.count } }

  func release() {
    let held = state.withLock { state in
      defer { state.held = [] }
      return state.held
    }
    for answer in held { answer() }
  }

  func perform(
    _ request: Request, consistency: Consistency, timeout: Duration,
    completion: @escaping @Sendable (Result<ServedAnswer, StoreError>) -> Void
  ) {
    let result = state.withLock { state -> Result<ServedAnswer, StoreError>? in
      state.timeouts.append(timeout)
      state.consistencies.append(consistency)
      if let failure = state.behaviour.failure { return .failure(failure) }
      let result = Self.apply(request, &state)
      guard state.behaviour.holds else { return result }
      state.held.append { completion(result) }
      return nil
    }
    if let result { completion(result) }
  }

  func perform(
    _ operation: OperatorRequest, timeout: Duration, completion: @escaping @Sendable (Result<Void, RequestError>) -> Void
  ) {
    completion(
      state.withLock { state in
        state.operations.append(operation)
        return state.behaviour.operated
      })
  }

  private static func apply(_ request: Request, _ state: inout State) -> Result<ServedAnswer, StoreError> {
    do throws(KeyValueError) {
      try request.validate()
    } catch {
      return .failure(.keyValue(error))
    }
    state.index += 1
    let command = Command(index: state.index, term: 2, payload: request.encoded()[...])
    return switch state.machine.apply([command])[0] {
    case .success(let answer): .success(ServedAnswer(answer, staleness: state.behaviour.staleness))
    case .failure(let error): .failure(.keyValue(error))
    }
  }

  var health: ServiceHealth {
    state.withLock {
      ServiceHealth(hasLeader: $0.behaviour.hasLeader, stall: $0.behaviour.stall, writeStall: $0.behaviour.writeStall)
    }
  }

  var status: ReplicaStatus {
    state.withLock { state in
      var status = ReplicaStatus(node: Self.node, name: "default")
      status.cluster = Self.cluster
      status.leader = state.behaviour.hasLeader ? Self.node : nil
      status.term = 2
      status.commitIndex = 17
      status.appliedIndex = 17
      status.members = [Member(id: Self.node, name: "default", peerAddress: "localhost:2380", clientAddress: "localhost:2379")]
      return status
    }
  }

  var databaseSize: Int64 { 20_480 }
}
