import NIOConcurrencyHelpers

/// Something that happens once, with a value that all who wait for it get. It needs no event loop, and so outlives them.
final class Latch<Value: Sendable>: Sendable {
  private struct State {
    var value: Value?
    var waiting: [UInt64: CheckedContinuation<Value?, Never>] = [:]
    var lastWaiter: UInt64 = 0
  }

  private let state = NIOLockedValueBox(State())

  /// The value, if it is there.
  var value: Value? { state.withLockedValue { $0.value } }

  /// The first call counts.
  func open(_ value: Value) {
    let waiting = state.withLockedValue { state -> [UInt64: CheckedContinuation<Value?, Never>] in
      guard state.value == nil else { return [:] }
      state.value = value
      defer { state.waiting = [:] }
      return state.waiting
    }
    for continuation in waiting.values { continuation.resume(returning: value) }
  }

  /// Waits however long it takes, also in a task that is cancelled.
  func wait() async -> Value {
    // Only a cancelled wait ends without a value.
    while true {
      if let value = await wait(as: nextWaiter(), endsWithTask: false) { return value }
    }
  }

  /// The value; `nil` if the task is cancelled before it is there.
  func waitUnlessCancelled() async -> Value? {
    let waiter = nextWaiter()
    return await withTaskCancellationHandler {
      await wait(as: waiter, endsWithTask: true)
    } onCancel: {
      state.withLockedValue { $0.waiting.removeValue(forKey: waiter) }?.resume(returning: nil)
    }
  }

  private func nextWaiter() -> UInt64 {
    state.withLockedValue {
      $0.lastWaiter += 1
      return $0.lastWaiter
    }
  }

  private func wait(as waiter: UInt64, endsWithTask: Bool) async -> Value? {
    await withCheckedContinuation { continuation in
      let (value, waits) = state.withLockedValue { state -> (Value?, Bool) in
        if let value = state.value { return (value, false) }
        // A task that is cancelled from here on finds the waiter in the table.
        if endsWithTask, Task.isCancelled { return (nil, false) }
        state.waiting[waiter] = continuation
        return (nil, true)
      }
      if !waits { continuation.resume(returning: value) }
    }
  }
}
