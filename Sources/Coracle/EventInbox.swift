import NIOConcurrencyHelpers
import NIOCore
import Replica

/// Where other threads put events for the replica: one wake-up of its loop for all that gather until it looks.
///
/// Bounded by who writes to it: the log's thread has one report under way for each batch it was given, the snapshot's thread one for each
/// piece of work.
final class EventInbox<Machine: StateMachine>: Sendable {
  private let eventLoop: any EventLoop
  private let waiting = NIOLockedValueBox<[ReplicaEvent<Machine>]>([])
  private let receiver = NIOLockedValueBox<(@Sendable ([ReplicaEvent<Machine>]) -> Void)?>(nil)

  init(eventLoop: any EventLoop) {
    self.eventLoop = eventLoop
  }

  /// Called on the loop, with the events in the order in which they were posted.
  func onEvents(_ receive: @escaping @Sendable ([ReplicaEvent<Machine>]) -> Void) {
    receiver.withLockedValue { $0 = receive }
  }

  /// Nobody looks any more; what is posted is dropped.
  func close() { receiver.withLockedValue { $0 = nil } }

  func post(_ event: ReplicaEvent<Machine>) {
    let isFirst = waiting.withLockedValue {
      $0.append(event)
      return $0.count == 1
    }
    if isFirst { eventLoop.execute(deliver) }
  }

  @Sendable private func deliver() {
    let events = waiting.withLockedValue {
      let events = $0
      $0 = []
      return events
    }
    receiver.withLockedValue({ $0 })?(events)
  }
}
