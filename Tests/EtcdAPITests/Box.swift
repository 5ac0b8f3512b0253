import EtcdAPI
import KeyValue
import Synchronization

/// Holds one answer.
final class Box: Sendable {
  private let result = Mutex<Result<ServedAnswer, StoreError>?>(nil)

  func put(_ value: Result<ServedAnswer, StoreError>) { result.withLock { $0 = value } }
  func take() -> Result<ServedAnswer, StoreError>? { result.withLock { $0 } }
}
