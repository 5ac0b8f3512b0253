import Coracle
import EtcdAPI
import KeyValue
import NIOCore
import NIOPosix
import Raft
import Replica

/// A node, as the client port sees it: requests go to the replica's thread and their answers come from there, without a task in between.
struct NodeService: KeyValueService {
  let store: KeyValueStore
  let latest: LatestState
  let directorySize: @Sendable () -> Int64

  func perform(
    _ request: Request, consistency: Consistency, timeout: Duration,
    completion: @escaping @Sendable (Result<ServedAnswer, StoreError>) -> Void
  ) {
    do throws(KeyValueError) {
      try request.validate()
    } catch {
      return completion(.failure(.keyValue(error)))
    }
    if request.isReadOnly {
      node.read(consistency, timeout: timeout) { result in
        // A view is a value: what is to be looked at in it is looked at elsewhere, not where the node decides.
        MultiThreadedEventLoopGroup.singleton.any().execute {
          completion(
            result.mapError(StoreError.request).flatMap { fresh in
              fresh.view.answer(request).map { ServedAnswer($0, staleness: fresh.staleness) }.mapError(StoreError.keyValue)
            })
        }
      }
    } else {
      node.propose(request.encoded()[...], timeout: timeout) { result in
        completion(result.mapError(StoreError.request).flatMap { $0.map { ServedAnswer($0) }.mapError(StoreError.keyValue) })
      }
    }
  }

  func read(
    _ consistency: Consistency, timeout: Duration, completion: @escaping @Sendable (Result<KeyValueView, StoreError>) -> Void
  ) {
    node.read(consistency, timeout: timeout) { result in
      MultiThreadedEventLoopGroup.singleton.any().execute { completion(result.map(\.view).mapError(StoreError.request)) }
    }
  }

  func ask(
    _ question: LeaseQuestion, timeout: Duration,
    completion: @escaping @Sendable (Result<(answer: LeaseAnswer, revision: Revision), StoreError>) -> Void
  ) {
    node.ask(question.encoded(), timeout: timeout) { result in
      switch result {
      case .failure(let error): completion(.failure(.request(error)))
      case .success(let bytes):
        let answer = (try? LeaseAnswer(decoding: bytes)) ?? .malformed
        node.read(.serializable, timeout: timeout) { result in
          completion(result.map { (answer, $0.view.revision) }.mapError(StoreError.request))
        }
      }
    }
  }

  func watch(
    _ request: WatchRequest, in view: KeyValueView, wake: @escaping @Sendable () -> Void
  ) throws(WatchError) -> any ServedWatch {
    try store.watches.open(request, in: view, wake: wake)
  }

  func perform(
    _ operation: OperatorRequest, timeout: Duration, completion: @escaping @Sendable (Result<Void, RequestError>) -> Void
  ) {
    node.perform(operation, timeout: timeout, completion: completion)
  }

  var node: Node<KeyValueMachine> { store.node }

  /// How long a follower hears nothing while all is well, at most.
  var usualSilence: Duration { node.configuration.settings.raft.heartbeatInterval.duration * 2 }

  /// A node that does not come round for longer would have lost its leadership, or its leader.
  private var longestSilence: Duration { max(.seconds(1), node.configuration.settings.raft.electionTimeout.duration * 2) }

  /// A disk that takes longer for one write is not slow, it is stuck, or full.
  private static let longestLogWrite = Duration.seconds(5)

  var health: ServiceHealth {
    let health = node.health
    var result = ServiceHealth(hasLeader: node.status.leader != nil, isOutOfSpace: latest.isOutOfSpace)
    if health.replicaSilence > longestSilence {
      result.stall = "REPLICA STALLED: for \(health.replicaSilence.inSeconds) s"
    }
    if let writing = health.logWriting, writing > Self.longestLogWrite {
      result.writeStall = "LOG STALLED: its disk is full or does not answer, for \(writing.inSeconds) s"
    }
    return result
  }

  var status: ReplicaStatus { node.status }
  var followers: [FollowerStatus] { node.followers }
  var access: Access { latest.access }
  var databaseSize: Int64 { directorySize() }
}

extension OpenWatch: ServedWatch {}

extension Duration {
  fileprivate var inSeconds: Int64 { components.seconds }
}
