import NIOConcurrencyHelpers
import Replica

/// The newest status of a node, and the streams that follow it. Of what a follower has not taken, only the newest is kept.
final class StatusFeed: Sendable {
  private struct State {
    var status: ReplicaStatus
    var followers: [UInt64: AsyncStream<ReplicaStatus>.Continuation] = [:]
    var lastFollower: UInt64 = 0
    var isFinished = false
  }

  private let state: NIOLockedValueBox<State>

  init(_ status: ReplicaStatus) { state = NIOLockedValueBox(State(status: status)) }

  /// A node that is dropped before it ran leaves nobody waiting.
  deinit { finish() }

  var status: ReplicaStatus { state.withLockedValue { $0.status } }

  func publish(_ status: ReplicaStatus) {
    state.withLockedValue { state in
      guard !state.followers.isEmpty else { return state.status = status }
      guard state.status != status else { return }
      state.status = status
      for follower in state.followers.values { follower.yield(status) }
    }
  }

  /// Nothing follows: streams end after what they hold.
  func finish() {
    let followers = state.withLockedValue { state in
      state.isFinished = true
      defer { state.followers = [:] }
      return state.followers
    }
    for follower in followers.values { follower.finish() }
  }

  /// The status now, and each that differs from the one before.
  func updates() -> AsyncStream<ReplicaStatus> {
    let (stream, continuation) = AsyncStream.makeStream(of: ReplicaStatus.self, bufferingPolicy: .bufferingNewest(1))
    let follower = state.withLockedValue { state -> UInt64? in
      continuation.yield(state.status)
      guard !state.isFinished else { return nil }
      state.lastFollower += 1
      state.followers[state.lastFollower] = continuation
      return state.lastFollower
    }
    guard let follower else {
      continuation.finish()
      return stream
    }
    continuation.onTermination = { [weak self] _ in
      self?.state.withLockedValue { _ = $0.followers.removeValue(forKey: follower) }
    }
    return stream
  }
}
