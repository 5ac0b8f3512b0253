import NIOConcurrencyHelpers

/// The door before the event loop's queue, which has no bound of its own: counts what async callers have handed over and not got back.
final class Admission: Sendable {
  private struct Count {
    var requests = 0
    var bytes = 0
  }

  private let count = NIOLockedValueBox(Count())
  private let maximumRequests: Int
  private let maximumBytes: Int

  init(maximumRequests: Int, maximumBytes: Int) {
    self.maximumRequests = maximumRequests
    self.maximumBytes = maximumBytes
  }

  /// Whether there is room for a request of so many bytes. If so, `leave` must follow.
  func enter(bytes: Int) -> Bool {
    count.withLockedValue {
      guard $0.requests < maximumRequests, bytes <= maximumBytes - $0.bytes else { return false }
      $0.requests += 1
      $0.bytes += bytes
      return true
    }
  }

  func leave(bytes: Int) {
    count.withLockedValue {
      $0.requests -= 1
      $0.bytes -= bytes
    }
  }
}
