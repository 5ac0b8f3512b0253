import KeyValue
import Replica

extension KeyValueStore {
  /// Waits until it holds the lock of this name, does the work, and lets go. Locks of one name are the same for clients of etcd's interface
  /// (`/v3/lock/lock`).
  ///
  /// The fence is what tells this holder from those before and after. A process that freezes may lose the lock without noticing: let
  /// whatever it writes to refuse an older `token` than it has seen, and let the store itself do only what the fence admits
  /// (`transaction(under:)`).
  ///
  /// - Parameters:
  ///   - name: of the lock.
  ///   - timeToLive: how long the lock is kept for a holder that is not heard of any more.
  ///   - work: its task is cancelled if the lock is lost; `LeaseLost` is thrown then, unless the work throws something else.
  public func withLock<Output: Sendable>(
    _ name: String, timeToLive: Duration = .seconds(10), _ work: @escaping @Sendable (Fence) async throws -> Output
  ) async throws -> Output {
    try await withClaim(name, value: [], timeToLive: timeToLive, work)
  }

  /// Waits until it is elected, and does the work as the leader of the election of this name. `value` is what others see of the leader
  /// (`leader(of:)`). What is said of `withLock` holds here too.
  public func withLeadership<Output: Sendable>(
    of name: String, as value: String, timeToLive: Duration = .seconds(10), _ work: @escaping @Sendable (Fence) async throws -> Output
  ) async throws -> Output {
    try await withClaim(name, value: Array(value.utf8), timeToLive: timeToLive, work)
  }

  /// Who holds a lock, or leads: the key that stands for it and what it proclaims. `nil` if nobody does.
  public func leader(of name: String, timeout: Duration = .seconds(5)) async throws(StoreError) -> KeyValuePair? {
    try await range(Candidacy.holder(of: Array(name.utf8)), timeout: timeout).pairs.first
  }

  /// Does the requests as one change, if the claim still holds; otherwise `LeaseLost` is thrown, and nothing is done.
  @discardableResult
  public func transaction(
    under fence: Fence, _ requests: [Request], timeout: Duration = .seconds(5)
  ) async throws -> (responses: [OperationResult], revision: Revision) {
    let result = try await transaction(TransactionRequest(underFence: fence, requests), timeout: timeout)
    guard result.succeeded else { throw LeaseLost(lease: fence.lease) }
    return (result.responses, result.revision)
  }

  private func withClaim<Output: Sendable>(
    _ name: String, value: Value, timeToLive: Duration, _ work: @escaping @Sendable (Fence) async throws -> Output
  ) async throws -> Output {
    try await withLease(timeToLive: timeToLive) { lease in
      // The end of the lease takes the claim back.
      let (fence, revision) = try await claim(Candidacy(name: Array(name.utf8), lease: lease.id, value: value))
      return try await withThrowingTaskGroup(of: Output?.self) { group in
        group.addTask { try await work(fence) }
        group.addTask {
          // Somebody may delete the key while the lease goes on.
          try await waitUntilLost(fence, from: revision + 1)
          return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let output = first else { throw LeaseLost(lease: lease.id) }
        return output
      }
    }
  }

  /// Waits until the candidacy holds.
  private func claim(_ candidacy: Candidacy) async throws -> (Fence, held: Revision) {
    var candidacy = candidacy
    var step = candidacy.begin()
    while true {
      try Task.checkCancellation()
      switch step {
      case .perform(let request): step = candidacy.answered(try await perform(request))
      case .wait(let key, let revision):
        try await waitUntilDeleted(key, from: revision)
        step = candidacy.released()
      case .held(let fence, let revision): return (fence, revision)
      case .lost: throw LeaseLost(lease: candidacy.lease)
      }
    }
  }

  private func waitUntilLost(_ fence: Fence, from revision: Revision) async throws {
    var next = revision
    while true {
      try await waitUntilDeleted(fence.key, from: next)
      do {
        let answer = try await perform(.range(RangeRequest(range: KeyRange(fence.key))))
        guard case .range(let found) = answer.result, found.pairs.first?.createRevision == fence.token else { return }
        next = answer.revision + 1
      } catch {
        // Without a leader nobody else gets it either, before the lease ends.
        try await Task.sleep(for: .milliseconds(200))
      }
    }
  }

  /// Returns early if what happened to the key is forgotten: then it is looked at again.
  private func waitUntilDeleted(_ key: Key, from revision: Revision) async throws {
    do {
      for try await _ in watch(KeyRange(key), from: revision, leavingOut: .noPut) { return }
      try Task.checkCancellation()
    } catch StoreError.keyValue(.compacted) {}
  }
}
