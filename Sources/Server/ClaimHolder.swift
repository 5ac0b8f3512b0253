import Coracle
import EtcdAPI
import Foundation

/// What stands for a lock that is held, or an election that was won.
struct Claim: Sendable {
  let key: [UInt8]
  /// Larger for each holder of the name than for all before.
  let token: Int64
  let lease: Int64
}

/// Holds a lock, or an election, for as long as some work takes.
struct ClaimHolder {
  enum Purpose {
    case lock
    /// With what the leader proclaims.
    case election(String)
  }

  let cluster: ClusterClient
  let name: String
  let purpose: Purpose
  let seconds: Int64

  /// Waits for its turn, and does the work, which is cancelled if the claim is lost. Gives what the work gives; `nil` if the claim was
  /// lost.
  /// As long as it waits, another node is asked when one cannot go on: with another lease, so that nothing the first one still does to the
  /// old claim touches the new one.
  func hold<Output: Sendable>(_ work: @escaping @Sendable (Claim) async -> Output) async throws(ClientError) -> Output? {
    var deadline = ContinuousClock.now + cluster.timeout
    var number = 0
    while true {
      let begun = ContinuousClock.now
      do throws(ClientError) {
        return try await attempt(at: cluster.endpoints[number % cluster.endpoints.count], work)
      } catch {
        guard case .unavailable = error, !Task.isCancelled else { throw error }
        // It waited for its turn all the while.
        if ContinuousClock.now - begun > .seconds(10) { deadline = ContinuousClock.now + cluster.timeout }
        guard ContinuousClock.now < deadline else { throw error }
      }
      number += 1
      try? await Task.sleep(for: .milliseconds(100))
    }
  }

  private func attempt<Output: Sendable>(
    at endpoint: HostPort, _ work: @escaping @Sendable (Claim) async -> Output
  ) async throws(ClientError) -> Output? {
    // What the lease lasts for counts from before it was granted.
    let start = ContinuousClock.now
    let lease = try await grant()
    let outcome = await withTaskGroup(of: Event<Output>.self) { group in
      group.addTask {
        do throws(ClientError) {
          return .done(await work(try await claim(lease, at: endpoint)))
        } catch {
          return .failed(error)
        }
      }
      group.addTask {
        await keepAlive(lease, from: start)
        return .lost
      }
      var first: Event<Output> = .lost
      if let event = await group.next() { first = event }
      group.cancelAll()
      // The work has to end before anything else is said.
      await group.waitForAll()
      return first
    }
    await revoke(lease)
    switch outcome {
    case .done(let output): return output
    case .failed(let error): throw error
    case .lost: return nil
    }
  }

  private enum Event<Output: Sendable>: Sendable {
    case done(Output)
    case failed(ClientError)
    case lost
  }

  private func grant() async throws(ClientError) -> Int64 {
    var body = JSONWriter()
    body.object { $0.field("TTL", seconds) }
    return try GrantAnswer(answer: try await cluster.call("/v3/lease/grant", body.bytes, .write)).ID.value
  }

  private func claim(_ lease: Int64, at endpoint: HostPort) async throws(ClientError) -> Claim {
    var body = JSONWriter()
    body.object {
      $0.field("name", base64: Array(name.utf8))
      $0.field("lease", lease)
      if case .election(let value) = purpose { $0.field("value", base64: Array(value.utf8)) }
    }
    switch purpose {
    case .lock:
      let answer = try ClaimAnswer(answer: try await cluster.wait(endpoint, "/v3/lock/lock", body.bytes))
      let key = answer.key?.bytes ?? []
      return Claim(key: key, token: try await createRevision(of: key), lease: lease)
    case .election:
      let answer = try ClaimAnswer(answer: try await cluster.wait(endpoint, "/v3/election/campaign", body.bytes))
      return Claim(key: answer.leader?.key.bytes ?? [], token: answer.leader?.rev.value ?? 0, lease: lease)
    }
  }

  /// etcd's answer to a lock does not have it.
  private func createRevision(of key: [UInt8]) async throws(ClientError) -> Int64 {
    var body = JSONWriter()
    body.object { $0.field("key", base64: key) }
    let answer = try CreatedAnswer(answer: try await cluster.call("/v3/kv/range", body.bytes, .read))
    guard let pair = answer.kvs?.first else { throw .refused("the lock was lost before it was held: its lease has ended") }
    return pair.create_revision.value
  }

  /// Returns when the lease has ended, or a moment before it may have: the work has to end before another can hold the claim. The time
  /// counts from when it was asked for.
  private func keepAlive(_ lease: Int64, from start: ContinuousClock.Instant) async {
    let clock = ContinuousClock()
    var end = start + .seconds(seconds)
    while !Task.isCancelled {
      try? await Task.sleep(for: .seconds(seconds) / 3)
      let asked = clock.now
      let last = end - ChildProcess.patience - .milliseconds(200)
      guard !Task.isCancelled, asked < last else { return }
      let time = await withTaskGroup(of: Int64?.self) { group in
        group.addTask { try? await cluster.keepAlive(lease, within: asked.duration(to: last)) }
        group.addTask {
          try? await Task.sleep(until: last)
          return nil
        }
        defer { group.cancelAll() }
        return await group.next() ?? nil
      }
      guard let time else { return }
      end = asked + .seconds(time)
    }
  }

  private func revoke(_ lease: Int64) async {
    var body = JSONWriter()
    body.object { $0.field("ID", lease) }
    _ = try? await cluster.call("/v3/lease/revoke", body.bytes, .write)
  }
}

private struct CreatedAnswer: Decodable {
  struct Pair: Decodable { var create_revision: WireInteger<Int64> }

  var kvs: [Pair]?
}
