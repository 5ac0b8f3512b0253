import NIOConcurrencyHelpers

/// Something that happens once, with a value that all who wait for it get. It needs no event loop, and so outlives them.
final class Latch<Value: Sendable>: Sendable {
  private enum State {
    case closed([CheckedContinuation<Value, Never>])
    case open(Value)
  }

  private let state = NIOLockedValueBox(State.closed([]))

  /// The first call counts.
  func open(_ value: Value) {
    let waiting = state.withLockedValue { state -> [CheckedContinuation<Value, Never>] in
      guard case .closed(let waiting) = state else { return [] }
      state = .open(value)
      return waiting
    }
    for continuation in waiting { continuation.resume(returning: value) }
  }

  func wait() async -> Value {
    await withCheckedContinuation { continuation in
      let value = state.withLockedValue { state -> Value? in
        switch state {
        case .open(let value): return value
        case .closed(let waiting):
          state = .closed(waiting + [continuation])
          return nil
        }
      }
      if let value { continuation.resume(returning: value) }
    }
  }
}
