import NIOConcurrencyHelpers
import Synchronization

/// Hands each new state of a node to those who look on. While nobody does, no view is taken: to hold one makes the next changes copy what
/// they touch.
final class ViewFeed<View: Sendable>: Sendable {
  /// Called on the replica's thread, which it must not hold up; with `nil` once, when no more views come.
  typealias Observer = @Sendable (View?) -> Void

  private struct State {
    var observers: [UInt64: Observer] = [:]
    var last: UInt64 = 0
    var isFinished = false
  }

  private let state = NIOLockedValueBox(State())
  private let count = Atomic<Int>(0)

  /// Whether anybody looks on. From any thread, without a lock: asked in every turn.
  var isObserved: Bool { count.load(ordering: .relaxed) > 0 }

  /// - Returns: the number to `remove` it by.
  func add(_ observer: @escaping Observer) -> UInt64 {
    let number = state.withLockedValue { state -> UInt64? in
      guard !state.isFinished else { return nil }
      state.last += 1
      state.observers[state.last] = observer
      return state.last
    }
    guard let number else {
      observer(nil)
      return 0
    }
    count.add(1, ordering: .relaxed)
    return number
  }

  func remove(_ number: UInt64) {
    if state.withLockedValue({ $0.observers.removeValue(forKey: number) }) != nil { count.subtract(1, ordering: .relaxed) }
  }

  func publish(_ view: View) {
    for observer in state.withLockedValue({ Array($0.observers.values) }) { observer(view) }
  }

  func finish() {
    let observers = state.withLockedValue { state in
      state.isFinished = true
      defer { state.observers = [:] }
      return state.observers
    }
    count.store(0, ordering: .relaxed)
    for observer in observers.values { observer(nil) }
  }
}
