import NIOConcurrencyHelpers
import NIOCore

/// Whether a node's threads make progress, as seen from outside. Reading it waits for none of them.
public struct NodeHealth: Sendable, Hashable {
  /// How long ago the replica's thread last came round. It does so ten times a second at least, unless something holds it up.
  public var replicaSilence: Duration
  /// How long the log's thread has been at its present piece of work, one write and sync; `nil` if it has none.
  public var logWriting: Duration?

  public init(replicaSilence: Duration, logWriting: Duration? = nil) {
    self.replicaSilence = replicaSilence
    self.logWriting = logWriting
  }
}

/// Where the node's threads leave the time, for `NodeHealth`.
final class NodePulse: Sendable {
  /// How often the replica's thread shows itself when it has nothing to do.
  static let interval = TimeAmount.milliseconds(100)

  private struct Times {
    var replica: NIODeadline
    var log: NIODeadline?
  }

  private let times: NIOLockedValueBox<Times>

  init(now: NIODeadline = .now()) { times = NIOLockedValueBox(Times(replica: now)) }

  func replicaTurned(now: NIODeadline = .now()) { times.withLockedValue { $0.replica = now } }
  func logBegan(now: NIODeadline = .now()) { times.withLockedValue { $0.log = now } }
  func logEnded() { times.withLockedValue { $0.log = nil } }

  func health(now: NIODeadline = .now()) -> NodeHealth {
    let times = times.withLockedValue { $0 }
    return NodeHealth(replicaSilence: Self.duration(times.replica, now), logWriting: times.log.map { Self.duration($0, now) })
  }

  private static func duration(_ start: NIODeadline, _ end: NIODeadline) -> Duration {
    // The thread may have written its time after this one read the clock.
    .nanoseconds(max(0, (end - start).nanoseconds))
  }
}
