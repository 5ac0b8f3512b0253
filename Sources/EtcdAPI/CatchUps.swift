import Synchronization

/// Requests whose token this node does not know, perhaps since it lags behind the node that gave it. All that come while it catches up wait
/// for the same next time: tokens that somebody makes up cost the cluster one read at a time, however many there are.
final class CatchUps: Sendable {
  /// How many may wait, each with its body.
  static let maximumWaiting = 256

  private struct State {
    var waiting: [@Sendable () -> Void] = []
    var isUnderWay = false
  }

  private let state = Mutex(State())

  /// Calls `then`, on any thread, after a read that began after this call. Returns false, and does nothing, if too many wait.
  ///
  /// - Parameter read: calls back when the node has all that was acknowledged before it was called, or cannot find out.
  func wait(read: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void, then: @escaping @Sendable () -> Void) -> Bool {
    let begins: Bool? = state.withLock { state in
      guard state.waiting.count < Self.maximumWaiting else { return nil }
      state.waiting.append(then)
      defer { state.isUnderWay = true }
      return !state.isUnderWay
    }
    if begins == true { begin(read) }
    return begins != nil
  }

  private func begin(_ read: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void) {
    // Who comes from now on may know of something newer, and waits for the next.
    let served = state.withLock { state in
      defer { state.waiting = [] }
      return state.waiting
    }
    read { [self] in
      for then in served { then() }
      let goesOn = state.withLock { state in
        state.isUnderWay = !state.waiting.isEmpty
        return state.isUnderWay
      }
      if goesOn { begin(read) }
    }
  }
}
