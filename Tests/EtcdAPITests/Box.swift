import EtcdAPI
import Synchronization

/// Holds one answer.
final class Box: Sendable {
  private let result = Mutex<Result<ServedAnswer, ServiceError>?>(nil)

  func put(_ value: Result<ServedAnswer, ServiceError>) { result.withLock { $0 = value } }
  func take() -> Result<ServedAnswer, ServiceError>? { result.withLock { $0 } }
}
