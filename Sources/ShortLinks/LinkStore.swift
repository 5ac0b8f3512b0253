import KeyValue

/// The key-value store that the links are kept in, as the service needs it. An embedding program connects it to its node.
public protocol LinkStore: Sendable {
  /// Does a request through the log. The answer is linearizable, also when the request only reads. It must come within a bounded time: an
  /// answer that does not is `outcomeUnknown`.
  func perform(_ request: Request) async throws(LinkStoreError) -> Response

  /// Reads a range.
  /// - Parameter allowStale: answer from this node's own state, without asking anybody; it must work without a quorum. Otherwise the
  ///   answer is linearizable.
  func read(_ request: RangeRequest, allowStale: Bool) async throws(LinkStoreError) -> StoreReading
}

public struct StoreReading: Sendable {
  public var answer: Response
  /// The node cannot rule out that it lags behind: it has heard of no leader for longer than is usual. Never set on a linearizable answer.
  public var isStale: Bool

  public init(answer: Response, isStale: Bool) {
    self.answer = answer
    self.isStale = isStale
  }
}

/// Why the store did not answer.
public enum LinkStoreError: Error, Hashable, Sendable {
  /// There is no quorum. Nothing was done; trying again is safe.
  case unavailable
  /// Too much waits already. Nothing was done; trying again, later, is safe.
  case busy
  /// The request may have been done, or may yet be done.
  case outcomeUnknown
  /// The store cannot do this request. Nothing was done, and trying again does not help.
  case refused(KeyValueError)
}
