import KeyValue
import Replica

/// The key-value store on one node, in types: a convenience over `Node<KeyValueMachine>`. A value that may be copied and used anywhere.
public struct KeyValueStore: Sendable {
  public let node: Node<KeyValueMachine>
  /// Shared by all copies.
  package let watches: WatchHub

  /// Make one for a node, and share it: the watches of one are told of a change together.
  public init(_ node: Node<KeyValueMachine>) {
    self.node = node
    watches = WatchHub(node)
  }

  /// Has any request done. One that changes nothing goes by a view, as fresh as `consistency` says; others go through the log, and
  /// `consistency` does not matter.
  public func perform(
    _ request: Request, consistency: Consistency = .linearizable, timeout: Duration = .seconds(5)
  ) async throws(StoreError) -> Response {
    do {
      try request.validate()
    } catch {
      throw .keyValue(error)
    }
    let result: Result<Response, KeyValueError>
    do {
      result =
        request.isReadOnly
        ? try await node.read(consistency, timeout: timeout).view.answer(request)
        : try await node.propose(request.encoded(), timeout: timeout)
    } catch {
      throw .request(error)
    }
    switch result {
    case .success(let answer): return answer
    case .failure(let error): throw .keyValue(error)
    }
  }

  /// The pair under a key; `nil` if there is none.
  public func get(
    _ key: Key, consistency: Consistency = .linearizable, timeout: Duration = .seconds(5)
  ) async throws(StoreError) -> KeyValuePair? {
    try await range(RangeRequest(range: KeyRange(start: key, end: nil)), consistency: consistency, timeout: timeout).pairs.first
  }

  /// The pairs of a range, and how many there are.
  public func range(
    _ request: RangeRequest, consistency: Consistency = .linearizable, timeout: Duration = .seconds(5)
  ) async throws(StoreError) -> RangeResponse {
    guard case .range(let response) = try await perform(.range(request), consistency: consistency, timeout: timeout).result else {
      throw Self.mismatch
    }
    return response
  }

  /// Writes a value; gives the revision that did it, and is the key's `modRevision` from now on.
  @discardableResult
  public func put(_ key: Key, _ value: Value, timeout: Duration = .seconds(5)) async throws(StoreError) -> Revision {
    try await perform(.put(PutRequest(key: key, value: value)), timeout: timeout).revision
  }

  /// Removes one key; whether it was there.
  @discardableResult
  public func delete(_ key: Key, timeout: Duration = .seconds(5)) async throws(StoreError) -> Bool {
    try await delete(KeyRange(start: key, end: nil), timeout: timeout) > 0
  }

  /// Removes a range; how many keys there were.
  @discardableResult
  public func delete(_ range: KeyRange, timeout: Duration = .seconds(5)) async throws(StoreError) -> Int64 {
    guard case .delete(let count, _) = try await perform(.delete(DeleteRequest(range: range)), timeout: timeout).result else {
      throw Self.mismatch
    }
    return count
  }

  /// Does one of two lists of requests, depending on what is there, as one change. A transaction that only reads goes by a view.
  public func transaction(
    _ request: TransactionRequest, consistency: Consistency = .linearizable, timeout: Duration = .seconds(5)
  ) async throws(StoreError) -> (succeeded: Bool, responses: [OperationResult], revision: Revision) {
    let answer = try await perform(.transaction(request), consistency: consistency, timeout: timeout)
    guard case .transaction(let succeeded, let responses) = answer.result else { throw Self.mismatch }
    return (succeeded, responses, answer.revision)
  }

  /// Writes a value if the key's last change is still the one that the caller saw; 0 if the caller saw none. Gives the revision that did
  /// it, or `nil`: then nothing was changed.
  @discardableResult
  public func compareAndSet(
    _ key: Key, expected modRevision: Revision, _ value: Value, timeout: Duration = .seconds(5)
  ) async throws(StoreError) -> Revision? {
    let unchanged = Comparison(range: KeyRange(start: key, end: nil), relation: .equal, operand: .modRevision(modRevision))
    let request = TransactionRequest(comparisons: [unchanged], success: [.put(PutRequest(key: key, value: value))])
    let result = try await transaction(request, timeout: timeout)
    return result.succeeded ? result.revision : nil
  }

  /// Forgets what was before this revision: it cannot be read any more, and watchers that have not come to it are told so. By itself the
  /// store forgets what is older than an hour; see `StoreSettings`.
  public func compact(before revision: Revision, timeout: Duration = .seconds(5)) async throws(StoreError) {
    _ = try await perform(.compaction(CompactionRequest(revision: revision)), timeout: timeout)
  }

  /// Sets how large the store may become, and how long it remembers.
  public func apply(_ settings: StoreSettings, timeout: Duration = .seconds(5)) async throws(StoreError) {
    _ = try await perform(.settings(settings), timeout: timeout)
  }

  /// Every request has its kind of response; another one comes only from a faulty release.
  /// The leader does not know what it is asked: it runs another release, while the cluster is upgraded. A retry is safe.
  static let otherVersion = StoreError.request(RequestError(.noLeader, outcome: .notDone))
  static let mismatch = StoreError.keyValue(.malformed("the response is not of the request's kind"))
}
