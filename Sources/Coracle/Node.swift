import ByteCoding
import Logging
import NIOConcurrencyHelpers
import NIOCore
import Raft
import Replica
import ServiceLifecycle

/// A member of a cluster: your state machine, replicated.
///
/// All its work belongs to `run`: nothing is opened and no thread started before it is called, and everything is closed when it returns.
/// Call it once, in a task of its own or as a `Service` of a `ServiceGroup`; or give it the work that needs the node:
///
/// ```swift
/// let node = try Node<KeyValueMachine>(configuration, logger: logger)
/// try await node.run {
///   try await KeyValueStore(node).put("greeting", "hello")
/// }
/// ```
///
/// While it runs, one event loop is the replica's thread; three more write the log, write snapshots, and read them for peers.
public final class Node<Machine: StateMachine>: Service {
  /// The parts of a node that runs.
  private struct Running: Sendable {
    let threads: NodeThreads
    let driver: NIOLoopBound<ReplicaDriver<Machine>>
    let peerAddress: HostPort

    func stop() { threads.onLoop { [driver] in driver.value.handOverAndStop() } }
  }

  public let configuration: NodeConfiguration

  private let hasRun = NIOLockedValueBox(false)
  private let started = Latch<Result<Running, StartError>>()
  private let statuses: StatusFeed
  private let pulse = NodePulse()
  private let views = ViewFeed<Machine.View>()
  private let admission: Admission
  private let metrics: NodeMetrics
  private let logger: Logger

  /// A node that does not run yet. Throws if the configuration does not make sense; the error names the part, and says what to write.
  /// `stateMachine` is for where the compiler cannot tell the type.
  public init(_ configuration: NodeConfiguration, stateMachine: Machine.Type = Machine.self, logger: Logger) throws(ConfigurationError) {
    try configuration.validate()
    var configuration = configuration
    configuration.memory.bound(&configuration.settings)
    self.configuration = configuration
    var logger = logger
    logger[metadataKey: "node"] = "\(configuration.name)"
    self.logger = logger
    statuses = StatusFeed(ReplicaStatus(node: NodeID(0), name: configuration.name))
    metrics = NodeMetrics(node: configuration.name, memory: configuration.memory.budget)
    admission = Admission(
      maximumRequests: configuration.settings.maximumPendingRequests, maximumBytes: configuration.settings.maximumPendingBytes)
  }

  // MARK: Life

  /// Opens the data directory, recovers what is in it, listens for peers, and takes part in the cluster until it is told to stop: by a
  /// graceful shutdown, or by the end of the task. Then a leader hands over, which takes an election timeout at most; the node answers what
  /// waits with `.stopped`, makes the log durable and closes everything. Once this has returned, the data directory may be used again.
  ///
  /// Throws `StartError` if it could not start, and `NodeError` if it had to stop by itself. A node runs once: to run it again, make
  /// another one.
  public func run() async throws {
    try claim()
    try await live()
  }

  private func claim() throws(StartError) {
    let isFirst = hasRun.withLockedValue { hasRun in
      defer { hasRun = true }
      return !hasRun
    }
    guard isFirst else { throw .hasRunBefore }
  }

  private func live() async throws {
    defer {
      statuses.finish()
      views.finish()
    }
    let threads = NodeThreads()
    let ended = Latch<NodeError?>()
    let running: Running
    do throws(StartError) {
      running = try await start(threads, ended)
    } catch {
      await threads.shutdown()
      started.open(.failure(error))
      throw error
    }
    started.open(.success(running))
    let failure = await withTaskCancellationHandler {
      await withGracefulShutdownHandler {
        await ended.wait()
      } onGracefulShutdown: {
        running.stop()
      }
    } onCancel: {
      running.stop()
    }
    await threads.shutdown()
    if let failure { throw failure }
  }

  /// Runs the node for as long as the work takes, which begins when the node has started. Gives what the work gives.
  ///
  /// If the node has to stop by itself, the task of the work is cancelled, and the node's error is thrown. A graceful shutdown is for the
  /// work to heed: the node goes on until the work has ended.
  public func run<Output: Sendable>(_ work: @escaping @Sendable () async throws -> Output) async throws -> Output {
    try claim()
    // Not a child: it would be told of a graceful shutdown too.
    let life = Task.detached(priority: Task.currentPriority) { try await self.live() }
    return try await withTaskCancellationHandler {
      try await outcome(of: work, during: life)
    } onCancel: {
      life.cancel()
    }
  }

  private func outcome<Output: Sendable>(
    of work: @escaping @Sendable () async throws -> Output, during life: Task<Void, any Error>
  ) async throws -> Output {
    do {
      try await waitUntilStarted()
    } catch {
      try await life.value
      throw error
    }
    return try await withThrowingTaskGroup(of: Output?.self) { group in
      group.addTask(operation: work)
      group.addTask {
        try await life.value
        return nil
      }
      var output: Output?
      var failure: (any Error)?
      while let result = await group.nextResult() {
        switch result {
        case .success(let value): output = output ?? value
        // The node's own reason says more than what came of it in the work.
        case .failure(let error): failure = error is NodeError ? error : failure ?? error
        }
        group.cancelAll()
        life.cancel()
      }
      if let failure { throw failure }
      guard let output else { throw CancellationError() }
      return output
    }
  }

  /// Returns when the data directory is read and peers can connect; that there is a leader by then is not said. Throws the node's error if
  /// it could not start, and `CancellationError` if the task is cancelled. Call `run` in another task: without it, this waits for ever.
  public func waitUntilStarted() async throws {
    guard let start = await started.waitUnlessCancelled() else { throw CancellationError() }
    _ = try start.get()
  }

  private func start(_ threads: NodeThreads, _ ended: Latch<NodeError?>) async throws(StartError) -> Running {
    if !configuration.peerAddress.isLoopback, configuration.credentials == nil {
      logger.warning("peers talk in plain text: anyone who reaches the port can read and change everything")
    }
    let start = NodeStart<Machine>(
      configuration: configuration, threads: threads, statuses: statuses, pulse: pulse, views: views, ended: ended, metrics: metrics,
      logger: logger)
    let (driver, address) = try await start.run()
    return Running(threads: threads, driver: driver, peerAddress: address)
  }

  // MARK: State

  /// Where it listens for peers, with the port that the system chose if 0 was asked for; `nil` before that.
  public var peerAddress: HostPort? { (try? started.value?.get())?.peerAddress }

  /// What the node knows of itself and its cluster, as of its last turn. From any thread, at once.
  public var status: ReplicaStatus { statuses.status }

  /// The status now, and then each that differs from the one before, until the node stops. Who takes them slowly misses some, never the
  /// newest.
  public var statusUpdates: some AsyncSequence<ReplicaStatus, Never> & Sendable { statuses.updates() }

  /// How its followers fare, while this node leads; empty otherwise. From any thread, at once.
  public var followers: [FollowerStatus] { statuses.followers }

  /// Whether its threads do their work, once it has started and until `run` returns. From any thread, at once, also when they do not.
  public var health: NodeHealth { pulse.health() }

  // MARK: Requests

  /// Has a command replicated and applied, and gives the state machine's answer. Waits for the node to start, if it has not.
  ///
  /// The error says whether the command may have been done. A task that is cancelled gets `.cancelled` at once: a command that has not left
  /// this node will not be done then.
  public func propose(_ command: [UInt8], timeout: Duration = .seconds(5)) async throws(RequestError) -> Machine.Output {
    try await request(bytes: command.count, timeout: timeout) { driver, deadline, completion in
      driver.propose(command[...], deadline: deadline, completion)
    }
  }

  /// A view of the state that is as fresh as asked for. Waits for the node to start, if it has not.
  public func read(
    _ consistency: Consistency = .linearizable, timeout: Duration = .seconds(5)
  ) async throws(RequestError) -> ReadResult<Machine.View> {
    try await request(bytes: 0, timeout: timeout) { driver, deadline, completion in
      driver.read(consistency, deadline: deadline, completion)
    }
  }

  /// What the state machine of the leader answers; see `StateMachine.answer`. Any node may be asked. Nothing is changed, and a retry is
  /// safe, as far as the state machine's questions are so.
  ///
  /// - Parameters:
  ///   - question: at most `ReplicaSettings.largestQuestion` bytes.
  ///   - timeout: from now.
  public func ask(_ question: [UInt8], timeout: Duration = .seconds(5)) async throws(RequestError) -> [UInt8] {
    Array(
      try await request(bytes: question.count, timeout: timeout) { driver, deadline, completion in
        driver.ask(question[...], deadline: deadline, completion)
      })
  }

  /// `ask` without a task: the completion is called once, on the replica's thread, which it must not hold up.
  package func ask(
    _ question: [UInt8], timeout: Duration, completion: @escaping @Sendable (Result<Bytes, RequestError>) -> Void
  ) {
    let deadline = Self.deadline(in: timeout)
    onLoop(completion) { _ = $0.ask(question[...], deadline: deadline, completion) }
  }

  /// Calls with the state now, and then with each that follows, on the replica's thread, which it must not hold up; with `nil` once, when
  /// the node stops. Gives what ends that.
  package func observe(_ observer: @escaping @Sendable (Machine.View?) -> Void) -> @Sendable () -> Void {
    let number = views.add(observer)
    if case .success(let running) = started.value { running.threads.onLoop { running.driver.value.showView() } }
    return { [views] in views.remove(number) }
  }

  /// Has the leader change the members, or hand over. Only the node that leads does it; the error of another one says who leads.
  ///
  /// Gives nothing: what came of it is in `status`. The error says whether it may have been done, or may still be.
  public func perform(_ operation: OperatorRequest, timeout: Duration = .seconds(5)) async throws(RequestError) {
    try await request(bytes: 0, timeout: timeout) { driver, deadline, completion in
      driver.operate(operation, deadline: deadline, completion)
    }
  }

  /// `perform` without a task: the completion is called once, on the replica's thread, which it must not hold up.
  package func perform(
    _ operation: OperatorRequest, timeout: Duration, completion: @escaping @Sendable (Result<Void, RequestError>) -> Void
  ) {
    let deadline = Self.deadline(in: timeout)
    onLoop(completion) { _ = $0.operate(operation, deadline: deadline, completion) }
  }

  /// `propose` without a task: the completion is called once, on the replica's thread, which it must not hold up.
  package func propose(
    _ command: Bytes, timeout: Duration, completion: @escaping @Sendable (Result<Machine.Output, RequestError>) -> Void
  ) {
    let deadline = Self.deadline(in: timeout)
    onLoop(completion) { _ = $0.propose(command, deadline: deadline, completion) }
  }

  /// `read` without a task: the completion is called once, on the replica's thread, which it must not hold up.
  package func read(
    _ consistency: Consistency, timeout: Duration,
    completion: @escaping @Sendable (Result<ReadResult<Machine.View>, RequestError>) -> Void
  ) {
    let deadline = Self.deadline(in: timeout)
    onLoop(completion) { _ = $0.read(consistency, deadline: deadline, completion) }
  }

  private func onLoop<Answer>(
    _ completion: @escaping @Sendable (Result<Answer, RequestError>) -> Void, _ work: @escaping @Sendable (ReplicaDriver<Machine>) -> Void
  ) {
    guard case .success(let running) = started.value, running.threads.onLoop({ work(running.driver.value) }) else {
      return completion(.failure(RequestError(.stopped, outcome: .notDone)))
    }
  }

  /// How far an async request has come.
  private enum Entry {
    case waiting
    case entered(RequestID)
    case cancelled
  }

  private typealias Start<Answer> =
    @Sendable (ReplicaDriver<Machine>, Instant, @escaping (Result<Answer, RequestError>) -> Void) -> RequestID

  /// Hands a request to the loop, and waits for its answer or the end of the task.
  private func request<Answer: Sendable>(
    bytes: Int, timeout: Duration, _ start: @escaping Start<Answer>
  ) async throws(RequestError) -> Answer {
    let deadline = Self.deadline(in: timeout)
    guard !Task.isCancelled else { throw RequestError(.cancelled, outcome: .notDone) }
    guard admission.enter(bytes: bytes) else {
      metrics.refused.increment()
      throw RequestError(.busy, outcome: .notDone)
    }
    defer { admission.leave(bytes: bytes) }
    let running = try await running(within: timeout)
    // Only changed on the loop, so that the end of the task comes either before the request or after it.
    let entry = NIOLockedValueBox(Entry.waiting)
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { (continuation: CheckedContinuation<Result<Answer, RequestError>, Never>) in
        let isRunning = running.threads.onLoop {
          if case .cancelled = entry.withLockedValue({ $0 }) {
            return continuation.resume(returning: .failure(RequestError(.cancelled, outcome: .notDone)))
          }
          let request = start(running.driver.value, deadline) { continuation.resume(returning: $0) }
          entry.withLockedValue { $0 = .entered(request) }
        }
        if !isRunning { continuation.resume(returning: .failure(RequestError(.stopped, outcome: .notDone))) }
      }
    } onCancel: {
      running.threads.onLoop {
        switch entry.withLockedValue({ $0 }) {
        case .entered(let request): running.driver.value.cancel(request)
        case .waiting, .cancelled: entry.withLockedValue { $0 = .cancelled }
        }
      }
    }
    return try result.get()
  }

  /// The node's parts, once it has started.
  private func running(within timeout: Duration) async throws(RequestError) -> Running {
    if case .success(let running) = started.value { return running }
    let start = await withTaskGroup { group in
      group.addTask { [started] in await started.waitUnlessCancelled() }
      group.addTask {
        try? await Task.sleep(for: max(.zero, Nanoseconds(timeout)).duration)
        return nil
      }
      defer { group.cancelAll() }
      return await group.next() ?? nil
    }
    switch start {
    case .success(let running): return running
    case .failure: throw RequestError(.stopped, outcome: .notDone)
    case nil: throw RequestError(Task.isCancelled ? .cancelled : .stopped, outcome: .notDone)
    }
  }

  /// The moment on the replica's clock; far enough away, if it would be beyond its end.
  private static func deadline(in timeout: Duration) -> Instant {
    ReplicaDriver<Machine>.now + max(.zero, Nanoseconds(timeout))
  }
}

/// A picture of the state, and how old it may be.
public struct ReadResult<View: Sendable>: Sendable {
  /// Immutable, so that a long read never stops the writes.
  public let view: View
  /// How long this node has not heard from a leader, or, if it leads, from a majority; some 292 years if it never has since its start.
  /// `nil` for a linearizable read, which sees all that was acknowledged before it began.
  public let staleness: Duration?

  public init(view: View, staleness: Duration?) {
    self.view = view
    self.staleness = staleness
  }
}
