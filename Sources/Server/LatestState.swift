import Coracle
import KeyValue
import Logging
import NIOConcurrencyHelpers

/// What is asked of the newest state with every request, and must not wait: who may do what, and whether the store is full. Says in the log
/// when the latter changes.
final class LatestState: Sendable {
  private struct Known {
    var access = Access()
    var isOutOfSpace = false
  }

  private let known = NIOLockedValueBox(Known())

  init(_ node: Node<KeyValueMachine>, logger: Logger) {
    _ = node.observe { [weak self] view in
      guard let self, let view else { return }
      let hasChanged = known.withLockedValue { known in
        defer { known = Known(access: view.access, isOutOfSpace: view.isOutOfSpace) }
        return known.isOutOfSpace != view.isOutOfSpace
      }
      guard hasChanged else { return }
      let metadata: Logger.Metadata = ["bytes": "\(view.size)", "quota": "\(view.settings.quota)"]
      if view.isOutOfSpace {
        logger.error(
          "the store is full: puts and leases are refused until an eighth of its quota is free; delete something, or raise the quota",
          metadata: metadata)
      } else {
        logger.notice("the store has room again", metadata: metadata)
      }
    }
  }

  var access: Access { known.withLockedValue { $0.access } }
  var isOutOfSpace: Bool { known.withLockedValue { $0.isOutOfSpace } }
}
