import KeyValue
import Replica

/// A lease that was granted: keys that are put with it are deleted when it ends.
public struct Lease: Hashable, Sendable {
  public let id: LeaseID
  /// How long it lasts from each time that it is kept alive.
  public let timeToLive: Duration
}

/// A lease ended while it was needed: it was revoked, or could not be kept alive in time. Its keys are gone, or will be.
public struct LeaseLost: Error, Hashable, Sendable, CustomStringConvertible {
  public let lease: LeaseID

  public init(lease: LeaseID) { self.lease = lease }

  public var description: String { "lease \(lease) has ended: what was done under it may have been taken over by others" }
}

extension KeyValueStore {
  /// Grants a lease, of a number that is chosen here. It ends by itself when it is not kept alive for `timeToLive`; of that, whole seconds
  /// count, between `Limits.minimumLeaseSeconds` and `Limits.maximumLeaseSeconds`.
  public func grantLease(timeToLive: Duration, timeout: Duration = .seconds(5)) async throws(StoreError) -> Lease {
    // A number that is taken would be another's: of 2^63, so it is not looked for.
    let grant = LeaseGrantRequest(id: .random(in: 1 ... .max), timeToLive: timeToLive.components.seconds)
    guard case .leaseGranted(let id, let seconds) = try await perform(.leaseGrant(grant), timeout: timeout).result else {
      throw Self.mismatch
    }
    return Lease(id: id, timeToLive: .seconds(seconds))
  }

  /// Lets a lease last for its full time from now; how long that is, or `nil` if the lease has ended.
  public func keepAlive(_ lease: LeaseID, timeout: Duration = .seconds(5)) async throws(StoreError) -> Duration? {
    try await ask(.keepAlive(lease), timeout: timeout)
  }

  /// How long a lease lasts if it is not kept alive; `nil` if it has ended.
  public func remainingTime(of lease: LeaseID, timeout: Duration = .seconds(5)) async throws(StoreError) -> Duration? {
    try await ask(.remaining(lease), timeout: timeout)
  }

  /// Ends a lease, and deletes its keys in one revision. `.keyValue(.leaseNotFound)` if it has ended.
  public func revoke(_ lease: LeaseID, timeout: Duration = .seconds(5)) async throws(StoreError) {
    _ = try await perform(.leaseRevoke(lease), timeout: timeout)
  }

  private func ask(_ question: LeaseQuestion, timeout: Duration) async throws(StoreError) -> Duration? {
    let bytes: [UInt8]
    do {
      bytes = try await node.ask(question.encoded(), timeout: timeout)
    } catch {
      throw .request(error)
    }
    switch try? LeaseAnswer(decoding: bytes[...]) {
    case .lease(let remaining, _): return .seconds(remaining)
    case .gone: return nil
    case .malformed, nil: throw Self.otherVersion
    }
  }

  /// Grants a lease, keeps it alive while the work lasts, and revokes it at the end.
  ///
  /// If the lease is lost, because no node could be asked for its whole time or somebody revoked it, the task of the work is cancelled, and
  /// `LeaseLost` is thrown, unless the work throws something else.
  public func withLease<Output: Sendable>(
    timeToLive: Duration = .seconds(10), _ work: @escaping @Sendable (Lease) async throws -> Output
  ) async throws -> Output {
    // What it lasts for counts from before it was granted.
    let start = ContinuousClock.now
    return try await withLease(try await grantLease(timeToLive: timeToLive), grantedAt: start, work)
  }

  private func withLease<Output: Sendable>(
    _ lease: Lease, grantedAt start: ContinuousClock.Instant, _ work: @escaping @Sendable (Lease) async throws -> Output
  ) async throws -> Output {
    defer { revokeLater(lease) }
    return try await withThrowingTaskGroup(of: Output?.self) { group in
      group.addTask { try await work(lease) }
      group.addTask {
        try await keepAlive(lease, from: start)
        return nil
      }
      defer { group.cancelAll() }
      guard let first = try await group.next(), let output = first else { throw LeaseLost(lease: lease.id) }
      return output
    }
  }

  /// Returns when the lease is lost, or the task is cancelled. It is asked for a third of its time after it was last kept alive; what it
  /// was kept alive for counts from when that was asked.
  private func keepAlive(_ lease: Lease, from start: ContinuousClock.Instant) async throws {
    let clock = ContinuousClock()
    var end = start + lease.timeToLive
    var next = start + lease.timeToLive / 3
    while true {
      try await clock.sleep(until: min(next, end))
      let asked = clock.now
      guard asked < end else { return }
      do {
        // No longer than until it may be over, however late the node answers.
        guard let time = try await keepAlive(lease.id, timeout: min(asked.duration(to: end), lease.timeToLive / 3)) else { return }
        end = asked + time
        next = asked + lease.timeToLive / 3
      } catch {
        try Task.checkCancellation()
        next = clock.now + .milliseconds(200)
      }
    }
  }

  /// Whoever waits for the keys need not wait until the lease expires. Not in the task of the work, which may be cancelled.
  private func revokeLater(_ lease: Lease) {
    Task.detached { try? await revoke(lease.id) }
  }
}
