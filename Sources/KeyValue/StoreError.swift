import Replica

/// A request that was not answered, or that the store refused.
public enum StoreError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The node could not have it done, or cannot say whether it was; the error says which, and so whether a retry is safe.
  case request(RequestError)
  /// It cannot be done: nothing was changed. As long as the store stays as it is, the same request fails again.
  case keyValue(KeyValueError)
  /// The watch cannot be opened.
  case watch(WatchError)

  public var description: String {
    switch self {
    case .request(let error): error.description
    case .keyValue(let error): "the store refuses the request: \(error)"
    case .watch(let error): "the watch is refused: \(error)"
    }
  }
}
