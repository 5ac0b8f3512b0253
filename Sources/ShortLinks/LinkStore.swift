import KeyValue

/// The key-value store that the links are kept in, as the service needs it. An embedding program connects it to its node.
public protocol LinkStore: Sendable {
  /// Does a request through the log, on whose behalf it says, or else on the program's own. The answer is linearizable, also when the
  /// request only reads. It must come within a bounded time: an answer that does not is `outcomeUnknown`.
  func perform(_ request: Request) async throws(LinkStoreError) -> Response

  /// Reads a range.
  /// - Parameters:
  ///   - subject: on whose behalf; `nil` for the program's own, which may read everything.
  ///   - allowStale: answer from this node's own state, without asking anybody; it must work without a quorum. Otherwise the answer is
  ///     linearizable.
  func read(_ request: RangeRequest, for subject: Subject?, allowStale: Bool) async throws(LinkStoreError) -> StoreReading

  /// Whether there are users: then who changes or lists links must be one. What this says may be a moment old; the store itself judges
  /// each request when it does it.
  var hasUsers: Bool { get }

  /// Whether this is the user's password. It is asked with every request, and has to protect itself from who asks often.
  func judge(_ login: LinkLogin) async -> LinkLoginVerdict
}

/// What somebody shows who wants to be taken for a user.
public struct LinkLogin: Sendable {
  public var user: AccessName
  public var password: String
  /// The address from which it comes, if that is known.
  public var host: String?

  public init(user: AccessName, password: String, host: String?) {
    self.user = user
    self.password = password
    self.host = host
  }
}

public enum LinkLoginVerdict: Hashable, Sendable {
  case right
  case wrong
  /// There were too many wrong ones lately.
  case tooManyWrong
  /// Too many are judged just now.
  case busy
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
