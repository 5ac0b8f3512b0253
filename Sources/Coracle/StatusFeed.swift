import NIOConcurrencyHelpers
import Replica

/// The newest status of a node, and the streams that follow it. Of what a stream's reader has not taken, only the newest is kept.
final class StatusFeed: Sendable {
  private struct State {
    var status: ReplicaStatus
    var followers: [FollowerStatus] = []
    var streams: [UInt64: AsyncStream<ReplicaStatus>.Continuation] = [:]
    var lastStream: UInt64 = 0
    var isFinished = false
  }

  private let state: NIOLockedValueBox<State>

  init(_ status: ReplicaStatus) { state = NIOLockedValueBox(State(status: status)) }

  /// A node that is dropped before it ran leaves nobody waiting.
  deinit { finish() }

  var status: ReplicaStatus { state.withLockedValue { $0.status } }

  /// Of the node's followers, while it leads.
  var followers: [FollowerStatus] { state.withLockedValue { $0.followers } }

  /// What is known of followers changes with every heartbeat: the streams do not carry it.
  func publish(_ status: ReplicaStatus, followers: [FollowerStatus]) {
    state.withLockedValue { state in
      state.followers = followers
      guard !state.streams.isEmpty else { return state.status = status }
      guard state.status != status else { return }
      state.status = status
      for stream in state.streams.values { stream.yield(status) }
    }
  }

  /// Nothing follows: streams end after what they hold.
  func finish() {
    let streams = state.withLockedValue { state in
      state.isFinished = true
      state.followers = []
      defer { state.streams = [:] }
      return state.streams
    }
    for stream in streams.values { stream.finish() }
  }

  /// The status now, and each that differs from the one before.
  func updates() -> AsyncStream<ReplicaStatus> {
    let (stream, continuation) = AsyncStream.makeStream(of: ReplicaStatus.self, bufferingPolicy: .bufferingNewest(1))
    let number = state.withLockedValue { state -> UInt64? in
      continuation.yield(state.status)
      guard !state.isFinished else { return nil }
      state.lastStream += 1
      state.streams[state.lastStream] = continuation
      return state.lastStream
    }
    guard let number else {
      continuation.finish()
      return stream
    }
    continuation.onTermination = { [weak self] _ in
      self?.state.withLockedValue { _ = $0.streams.removeValue(forKey: number) }
    }
    return stream
  }
}
