import Coracle
import EtcdAPI
import KeyValue
import NIOCore
import Replica

/// A node, as the client port sees it: requests go to the replica's thread and their answers come from there, without a task in between.
struct NodeService: KeyValueService {
  let node: Node<KeyValueMachine>
  let databaseSize: @Sendable () -> Int64

  func perform(
    _ request: Request, consistency: Consistency, timeout: Duration,
    completion: @escaping @Sendable (Result<ServedAnswer, ServiceError>) -> Void
  ) {
    do throws(KeyValueError) {
      try request.validate()
    } catch {
      return completion(.failure(.keyValue(error)))
    }
    if request.isReadOnly {
      node.eventLoop.execute {
        node.read(consistency, timeout: timeout) { result in
          completion(
            result.mapError(ServiceError.request).flatMap { fresh in
              fresh.view.answer(request).map { ServedAnswer($0, staleness: fresh.staleness) }.mapError(ServiceError.keyValue)
            })
        }
      }
    } else {
      let command = request.encoded()[...]
      node.eventLoop.execute {
        node.submit(command, timeout: timeout) { result in
          completion(result.mapError(ServiceError.request).flatMap { $0.map { ServedAnswer($0) }.mapError(ServiceError.keyValue) })
        }
      }
    }
  }

  /// How long a follower hears nothing while all is well, at most.
  var usualSilence: Duration { .nanoseconds(2 * node.configuration.settings.raft.heartbeatInterval) }

  var status: ServiceStatus {
    let status = node.status
    var result = ServiceStatus(
      node: status.node, cluster: status.cluster, leader: status.leader, term: status.term, commitIndex: status.commitIndex,
      appliedIndex: status.appliedIndex, databaseSize: databaseSize(), members: status.members)
    result.name = status.name
    result.awaited = status.awaited
    return result
  }
}
