import ByteCoding
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Raft
import Replica
import ServiceLifecycle
import WriteAheadLog

/// A member of a cluster, running: your state machine, replicated.
///
/// It runs from `init` on, until `shutdown`, the end of `run`, or a failure that it cannot survive. Either run it in a `ServiceGroup`, or
/// call `shutdown` when done: what is merely dropped goes on.
///
/// One event loop is the replica's thread; two more threads write the log and the snapshots.
public final class Node<Machine: StateMachine>: Service {
  public let configuration: NodeConfiguration
  /// Where it listens for peers, with the port that the system chose if 0 was asked for.
  public let peerAddress: HostPort
  /// The replica's thread. Adapters that run on it use the callback forms, and need neither a task nor a lock for each request.
  public let eventLoop: any EventLoop

  private let threads: NodeThreads
  private let driver: NIOLoopBound<ReplicaDriver<Machine>>
  private let published: NIOLockedValueBox<ReplicaStatus>
  private let pulse: NodePulse
  private let admission: Admission
  private let metrics: NodeMetrics
  private let logger: Logger
  private let ended: Latch<NodeError?>

  /// Opens the data directory, recovers what is in it, listens for peers and starts. Returns when all that is done; that there is a leader
  /// by then is not said.
  public init(
    _ configuration: NodeConfiguration, stateMachine: Machine.Type = Machine.self, logger: Logger
  ) async throws(StartError) {
    try configuration.validate()
    var logger = logger
    logger[metadataKey: "node"] = "\(configuration.name)"
    if !configuration.peerAddress.isLoopback {
      logger.warning("peers talk in plain text: whoever reaches the port can read and change everything")
    }
    let threads = NodeThreads()
    do {
      let start = NodeStart<Machine>(configuration, threads: threads, logger: logger)
      (driver, peerAddress) = try await start.run()
      (eventLoop, published, pulse) = (start.eventLoop, start.published, start.pulse)
      (ended, metrics) = (start.ended, start.metrics)
    } catch {
      await threads.shutdown()
      throw error
    }
    self.configuration = configuration
    self.threads = threads
    self.logger = logger
    admission = Admission(
      maximumRequests: configuration.settings.maximumPendingRequests, maximumBytes: configuration.settings.maximumPendingBytes)
  }

  /// What the node knows of itself and its cluster, as of its last turn. From any thread, at once.
  public var status: ReplicaStatus { published.withLockedValue { $0 } }

  /// Whether its threads do their work. From any thread, at once, also when they do not.
  public var health: NodeHealth { pulse.health() }

  // MARK: Life

  /// Returns after a graceful shutdown or the task's cancellation; throws `NodeError` if the node had to stop by itself.
  public func run() async throws {
    let failure = await withTaskCancellationHandler {
      await withGracefulShutdownHandler {
        await ended.wait()
      } onGracefulShutdown: {
        self.stop()
      }
    } onCancel: {
      stop()
    }
    await threads.shutdown()
    if let failure { throw failure }
  }

  /// Answers what waits with `.stopped`, makes the log durable, closes files and connections. Returns when the data directory may be used
  /// again. May be called more than once.
  public func shutdown() async {
    stop()
    _ = await ended.wait()
    await threads.shutdown()
  }

  private func stop() {
    threads.onLoop { [driver] in driver.value.stop(because: nil) }
  }

  // MARK: Requests

  /// Has a command replicated and applied, and gives the state machine's answer.
  ///
  /// The error says whether the command may have been done. A task that is cancelled gets `.deadlineExceeded`, with its outcome unknown.
  public func propose(_ command: [UInt8], timeout: Duration = .seconds(5)) async throws(RequestError) -> Machine.Output {
    let deadline = Self.deadline(in: timeout)
    return try await request(bytes: command.count) { driver, completion in
      driver.propose(command[...], deadline: deadline, completion)
    }
  }

  /// A view of the state that is as fresh as asked for.
  public func read(
    _ consistency: Consistency = .linearizable, timeout: Duration = .seconds(5)
  ) async throws(RequestError) -> ReadResult<Machine.View> {
    let deadline = Self.deadline(in: timeout)
    return try await request(bytes: 0) { driver, completion in
      driver.read(consistency, deadline: deadline, completion)
    }
  }

  /// `propose` for callers on `eventLoop`, where the completion is called too, exactly once.
  public func submit(
    _ command: Bytes, timeout: Duration = .seconds(5),
    completion: @escaping (Result<Machine.Output, RequestError>) -> Void
  ) {
    _ = driver.value.propose(command, deadline: Self.deadline(in: timeout), completion)
  }

  /// `read` for callers on `eventLoop`, where the completion is called too, exactly once.
  public func read(
    _ consistency: Consistency, timeout: Duration = .seconds(5),
    completion: @escaping (Result<ReadResult<Machine.View>, RequestError>) -> Void
  ) {
    _ = driver.value.read(consistency, deadline: Self.deadline(in: timeout), completion)
  }

  /// How far an async request has come.
  private enum Entry {
    case waiting
    case entered(RequestID)
    case cancelled
  }

  private typealias Start<Answer> =
    @Sendable (ReplicaDriver<Machine>, @escaping (Result<Answer, RequestError>) -> Void) -> RequestID

  /// Hands a request to the loop, and waits for its answer or the end of the task.
  private func request<Answer: Sendable>(bytes: Int, _ start: @escaping Start<Answer>) async throws(RequestError) -> Answer {
    guard !Task.isCancelled else { throw RequestError(.deadlineExceeded, outcome: .notDone) }
    guard admission.enter(bytes: bytes) else {
      metrics.refused.increment()
      throw RequestError(.busy, outcome: .notDone)
    }
    // Only changed on the loop, so that the end of the task comes either before the request or after it.
    let entry = NIOLockedValueBox(Entry.waiting)
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { (continuation: CheckedContinuation<Result<Answer, RequestError>, Never>) in
        let isRunning = threads.onLoop { [driver] in
          if case .cancelled = entry.withLockedValue({ $0 }) {
            return continuation.resume(returning: .failure(RequestError(.deadlineExceeded, outcome: .notDone)))
          }
          let request = start(driver.value) { continuation.resume(returning: $0) }
          entry.withLockedValue { $0 = .entered(request) }
        }
        if !isRunning { continuation.resume(returning: .failure(RequestError(.stopped, outcome: .notDone))) }
      }
    } onCancel: {
      threads.onLoop { [driver] in
        switch entry.withLockedValue({ $0 }) {
        case .entered(let request): driver.value.abandon(request)
        case .waiting, .cancelled: entry.withLockedValue { $0 = .cancelled }
        }
      }
    }
    admission.leave(bytes: bytes)
    return try result.get()
  }

  /// The moment on the replica's clock; far enough away, if it would be beyond its end.
  private static func deadline(in timeout: Duration) -> Instant {
    let (seconds, attoseconds) = timeout.components
    let bounded = min(max(seconds, 0), 1 << 31)
    return ReplicaDriver<Machine>.now + (bounded * 1_000_000_000 + max(0, attoseconds / 1_000_000_000))
  }
}
