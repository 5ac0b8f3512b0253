import Synchronization

/// Holds one answer.
final class Box<Answer: Sendable>: Sendable {
  private let answer = Mutex<Answer?>(nil)

  func put(_ value: Answer) { answer.withLock { $0 = value } }
  func take() -> Answer? { answer.withLock { $0 } }
}
