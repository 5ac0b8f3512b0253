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
    var configuration: Configuration?
  }

  private struct State {
    var machine = KeyValueMachine()
    var behaviour = Behaviour()
    var index: LogIndex = 0
    var held: [@Sendable () -> Void] = []
    var timeouts: [Duration] = []
    var consistencies: [Consistency] = []
    var operations: [OperatorRequest] = []
    var watchers: Watchers?
    var wakes: [Watchers.ID: @Sendable () -> Void] = [:]
    /// On the leader's clock.
    var now = Instant.zero
  }

  private let state = Mutex(State())

  static let node = NodeID(10_276_657_743_932_975_437)
  static let cluster = ClusterID(14_841_639_068_965_178_418)

  var followers: [FollowerStatus] { state.withLock { $0.behaviour.followers } }

  var access: Access { state.withLock { $0.machine.view.access } }

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
    wakeWatchers()
    if let result { completion(result) }
  }

  func read(
    _ consistency: Consistency, timeout: Duration, completion: @escaping @Sendable (Result<KeyValueView, StoreError>) -> Void
  ) {
    completion(
      state.withLock { state in
        state.timeouts.append(timeout)
        state.consistencies.append(consistency)
        return state.behaviour.failure.map { .failure($0) } ?? .success(state.machine.view)
      })
  }

  func ask(
    _ question: LeaseQuestion, timeout: Duration,
    completion: @escaping @Sendable (Result<(answer: LeaseAnswer, revision: Revision), StoreError>) -> Void
  ) {
    let result = state.withLock { state -> Result<(answer: LeaseAnswer, revision: Revision), StoreError> in
      if let failure = state.behaviour.failure { return .failure(failure) }
      let bytes = state.machine.answer(question.encoded()[...], askedAt: state.now, now: state.now)
      return .success(((try? LeaseAnswer(decoding: bytes[...])) ?? .malformed, state.machine.view.revision))
    }
    completion(result)
  }

  /// Time goes by: what expires, expires.
  func pass(_ time: Nanoseconds) {
    state.withLock { state in
      state.now = state.now + time
      Self.lead(&state)
    }
    wakeWatchers()
  }

  private static func lead(_ state: inout State) {
    for command in state.machine.lead(2, now: state.now) {
      state.index += 1
      _ = state.machine.apply([Command(index: state.index, term: 2, payload: command.payload[...])])
    }
  }

  func watch(
    _ request: WatchRequest, in view: KeyValueView, wake: @escaping @Sendable () -> Void
  ) throws(WatchError) -> any ServedWatch {
    try state.withLock { state -> Result<Watchers.ID, WatchError> in
      if state.watchers == nil { state.watchers = Watchers(state.machine.view) }
      do throws(WatchError) {
        let added = try state.watchers?.add(request)
        guard let id = added?.id else { return .failure(.tooMany(limit: 0)) }
        state.wakes[id] = wake
        return .success(id)
      } catch {
        return .failure(error)
      }
    }.map { ModelWatch(service: self, id: $0) }.get()
  }

  /// How many watches are open.
  var watchCount: Int { state.withLock { $0.watchers?.count ?? 0 } }

  private func wakeWatchers() {
    let wakes = state.withLock { state -> [@Sendable () -> Void] in
      var work = Int.max
      _ = state.watchers?.advance(to: state.machine.view, work: &work)
      var wakes: [@Sendable () -> Void] = []
      while let id = state.watchers?.nextReady() { if let wake = state.wakes[id] { wakes.append(wake) } }
      return wakes
    }
    for wake in wakes { wake() }
  }

  private struct ModelWatch: ServedWatch {
    let service: ModelService
    let id: Watchers.ID

    func next(bytes: Int) -> (answer: WatchAnswer, revision: Revision)? {
      service.state.withLock { state in
        var work = Int.max
        return state.watchers?.read(id, bytes: bytes, work: &work).map { ($0, state.machine.view.revision) }
      }
    }

    var progress: Revision? { service.state.withLock { $0.watchers?.progress(of: id) } }
    var view: KeyValueView? { service.state.withLock { $0.machine.view } }
    func close() { service.state.withLock { _ = $0.watchers?.remove(id) } }
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
    if request.isReadOnly {
      return state.machine.view.answer(request).map { ServedAnswer($0, staleness: state.behaviour.staleness) }.mapError(StoreError.keyValue)
    }
    state.index += 1
    let command = Command(index: state.index, term: 2, payload: request.encoded()[...])
    defer { lead(&state) }
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
      status.configuration = state.behaviour.configuration
      status.members = [Member(id: Self.node, name: "default", peerAddress: "localhost:2380", clientAddress: "localhost:2379")]
      return status
    }
  }

  var databaseSize: Int64 { 20_480 }
}
