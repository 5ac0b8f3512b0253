import ByteCoding
import Logging
import NIOCore
import Raft
import Replica
import WriteAheadLog

/// Turns a replica's effects into work, and what comes of it into events. It decides nothing.
///
/// Confined to one event loop, whose ticks are the replica's turns: everything that arrives in one tick is stepped at once, and ends in one
/// log batch, one write per peer connection and one run of answers.
final class ReplicaDriver<Machine: StateMachine> {
  typealias OnOutput = (Result<Machine.Output, RequestError>) -> Void
  typealias OnView = (Result<ReadResult<Machine.View>, RequestError>) -> Void

  typealias OnDone = (Result<Void, RequestError>) -> Void
  typealias OnAnswer = (Result<Bytes, RequestError>) -> Void

  private enum Completion {
    case proposal(OnOutput)
    case read(OnView)
    case operation(OnDone)
    case question(OnAnswer)
  }

  private let eventLoop: any EventLoop
  private var replica: ReplicaCore<Machine>
  private let transport: PeerTransport
  private let log: LogWorker<PosixDisk>
  private let snapshots: SnapshotWorkers<Machine, PosixDisk>
  private let metrics: NodeMetrics
  private let logger: Logger
  private let statuses: StatusFeed
  private let pulse: NodePulse
  private let views: ViewFeed<Machine.View>
  private var viewedIndex: LogIndex?
  private var heartbeat: RepeatedTask?
  /// Called once, on any thread, when all files are closed and the directory may be used again.
  private let onStopped: @Sendable (NodeError?) -> Void

  /// Filled by events, and carried out at the end of the turn; two, since an answer may bring the next event.
  private var effects = ReplicaEffects<Machine>()
  private var running = ReplicaEffects<Machine>()
  private var isTurnScheduled = false
  private var isFailing = false
  private var isStopped = false
  private var timer: (task: Scheduled<Void>, at: Instant)?
  private var completions: [RequestID: Completion] = [:]
  private var lastRequest: RequestID
  private var cluster: ClusterID?

  init(
    replica: ReplicaCore<Machine>, cluster: ClusterID?, eventLoop: any EventLoop, transport: PeerTransport, log: LogWorker<PosixDisk>,
    snapshots: SnapshotWorkers<Machine, PosixDisk>, metrics: NodeMetrics, logger: Logger, statuses: StatusFeed,
    pulse: NodePulse, views: ViewFeed<Machine.View>, onStopped: @escaping @Sendable (NodeError?) -> Void
  ) {
    self.replica = replica
    self.cluster = cluster
    self.eventLoop = eventLoop
    self.transport = transport
    self.log = log
    self.snapshots = snapshots
    self.metrics = metrics
    self.logger = logger
    self.statuses = statuses
    self.pulse = pulse
    self.views = views
    self.onStopped = onStopped
    // An answer to a request of an earlier process must not be taken for one of this.
    lastRequest = .random(in: .min ... .max)
  }

  static var now: Instant { Instant(NIODeadline.now()) }

  // MARK: Events

  func start() {
    transport.receive = { [unowned self] frame, connection in
      step(.frame(frame, connection: connection))
      return isStopped ? .unknown : effects.frameVerdict
    }
    transport.disconnected = { [unowned self] connection in step(.disconnected(connection: connection)) }
    transport.greeting = { [unowned self] address in replica.greeting(for: address) }
    transport.mayBeSentTo = { [unowned self] node in statuses.status.configuration?.removed.contains(node) != true }
    transport.start()
    heartbeat = eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: NodePulse.interval) { [pulse, metrics] _ in
      pulse.replicaTurned()
      metrics.recordMemory()
    }
    publish()
    beginTurn()
  }

  func propose(_ command: Bytes, deadline: Instant, _ completion: @escaping OnOutput) -> RequestID {
    guard !isStopped else {
      completion(.failure(RequestError(.stopped, outcome: .notDone)))
      return 0
    }
    let request = enter(.proposal(completion))
    step(.propose(request, command: command, deadline: deadline))
    return request
  }

  func read(_ consistency: Consistency, deadline: Instant, _ completion: @escaping OnView) -> RequestID {
    guard !isStopped else {
      completion(.failure(RequestError(.stopped, outcome: .notDone)))
      return 0
    }
    let request = enter(.read(completion))
    step(.read(request, consistency, deadline: deadline))
    return request
  }

  func operate(_ operation: OperatorRequest, deadline: Instant, _ completion: @escaping OnDone) -> RequestID {
    guard !isStopped else {
      completion(.failure(RequestError(.stopped, outcome: .notDone)))
      return 0
    }
    let request = enter(.operation(completion))
    step(.operate(request, operation, deadline: deadline))
    return request
  }

  func ask(_ question: Bytes, deadline: Instant, _ completion: @escaping OnAnswer) -> RequestID {
    guard !isStopped else {
      completion(.failure(RequestError(.stopped, outcome: .notDone)))
      return 0
    }
    let request = enter(.question(completion))
    step(.ask(request, question: question, deadline: deadline))
    return request
  }

  /// The client does not want to wait any longer; it is told what is known.
  func cancel(_ request: RequestID) { step(.cancel(request)) }

  func report(_ event: ReplicaEvent<Machine>) {
    step(event)
    if case .storageFailed(let text) = event { fail(.storage(text)) }
  }

  private func enter(_ completion: Completion) -> RequestID {
    lastRequest &+= 1
    if lastRequest == 0 { lastRequest = 1 }
    completions[lastRequest] = completion
    return lastRequest
  }

  private func step(_ event: ReplicaEvent<Machine>) {
    guard !isStopped else { return }
    replica.step(event, now: Self.now, into: &effects)
    beginTurn()
  }

  // MARK: Turns

  /// The turn ends when the loop has run everything that was ready at its beginning.
  private func beginTurn() {
    guard !isTurnScheduled else { return }
    isTurnScheduled = true
    let this = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.execute { this.value.endTurn() }
  }

  private func endTurn() {
    isTurnScheduled = false
    guard !isStopped else { return }
    replica.endTurn(now: Self.now, into: &effects)
    swap(&effects, &running)
    carryOut()
    running.removeAll()
    publish()
    setTimer()
  }

  /// The log's thread starts first and works while the frames go out: a leader's entries are on their way to the followers before they are
  /// on its own disk. Clients wait for their answers; followers do not wait to hear what is committed.
  private func carryOut() {
    if let record = running.identity { cluster = record.cluster }
    if running.identity != nil || !running.writes.isEmpty || running.compact != nil || !running.logReads.isEmpty {
      log.submit(identity: running.identity, writes: running.writes, compact: running.compact, reads: running.logReads)
    }
    for reply in running.replies { answer(reply) }
    for (destination, lane, frame) in running.frames { transport.send(frame, to: destination, lane) }
    transport.flush()
    if let cluster {
      for work in running.snapshots { snapshots.submit(work, cluster: cluster) }
    }
    for diagnostic in running.diagnostics { take(diagnostic) }
  }

  private func publish() {
    let status = replica.status
    statuses.publish(status, followers: replica.followers)
    if viewedIndex != status.appliedIndex { showView() }
    pulse.replicaTurned()
    metrics.turns.increment()
    metrics.pendingRequests.record(status.pendingRequests)
    metrics.pendingBytes.record(status.pendingBytes)
    metrics.leader.record(status.role == .leader ? 1 : 0)
    metrics.isSlowed.record(status.slowedFor == nil ? 0 : 1)
  }

  /// Gives the state to those who look on.
  func showView() {
    guard !isStopped, views.isObserved else { return }
    viewedIndex = replica.status.appliedIndex
    views.publish(replica.view)
  }

  /// A timer that is set for an earlier moment is left alone: under load the deadline moves with every turn.
  private func setTimer() {
    let deadline = replica.deadline
    if let timer, timer.at <= deadline { return }
    timer?.task.cancel()
    timer = nil
    guard deadline != .never else { return }
    let this = NIOLoopBound(self, eventLoop: eventLoop)
    timer = (eventLoop.scheduleTask(deadline: NIODeadline(deadline)) { this.value.timerFired() }, deadline)
  }

  private func timerFired() {
    timer = nil
    if Self.now >= replica.deadline { step(.tick) } else { setTimer() }
  }

  // MARK: Answers

  private func answer(_ reply: Reply<Machine>) {
    switch reply {
    case .applied(let request, let output):
      if case .proposal(let done) = completions.removeValue(forKey: request) { done(.success(output)) }
    case .view(let request, let view, _, let staleness):
      if case .read(let done) = completions.removeValue(forKey: request) {
        done(.success(ReadResult(view: view, staleness: staleness?.duration)))
      }
    case .answered(let request, let answer):
      if case .question(let done) = completions.removeValue(forKey: request) { done(.success(answer)) }
    case .done(let request):
      if case .operation(let done) = completions.removeValue(forKey: request) { done(.success(())) }
    case .failed(let request, let error):
      fail(request, error)
    }
  }

  private func fail(_ request: RequestID, _ error: RequestError) {
    switch completions.removeValue(forKey: request) {
    case .proposal(let done): done(.failure(error))
    case .read(let done): done(.failure(error))
    case .operation(let done): done(.failure(error))
    case .question(let done): done(.failure(error))
    case nil: break
    }
  }

  private func take(_ diagnostic: Diagnostic) {
    if case .refusedByCluster(let text) = diagnostic { return fail(.refusedByCluster(text)) }
    if case .contradiction(let text) = diagnostic { return fail(.contradiction(text)) }
    if case .removed = diagnostic { return fail(.removed) }
    if case .becameLeader = diagnostic { metrics.elections.increment() }
    logger.log(level: diagnostic.level, "\(diagnostic.text)", metadata: diagnostic.metadata)
  }

  // MARK: Stopping

  /// The node cannot go on; not at once, since a turn may be under way.
  private func fail(_ error: NodeError) {
    guard !isFailing else { return }
    isFailing = true
    logger.critical("\(error)")
    let this = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.execute { this.value.stop(because: error) }
  }

  /// A hand-over ends by itself, within an election timeout. This is for a node whose turns come late.
  private static var handOverLimit: Nanoseconds { .seconds(2) }

  /// Stops; a leader hands over first, so that the others need not miss it. That takes an election timeout at most.
  func handOverAndStop() {
    guard !isStopped, replica.status.role == .leader, replica.status.members.count > 1 else { return stop(because: nil) }
    _ = operate(.transfer(to: nil), deadline: Self.now + Self.handOverLimit) { [self, logger] result in
      if case .failure(let error) = result { logger.notice("stops without handing over", metadata: ["reason": "\(error)"]) }
      // Not within the turn that answers.
      let this = NIOLoopBound(self, eventLoop: eventLoop)
      eventLoop.execute { this.value.stop(because: nil) }
    }
  }

  /// Answers what waits, ends the last turn, makes the log durable and closes files and connections. Only the first call counts.
  func stop(because failure: NodeError?) {
    guard !isStopped else { return }
    step(.stop)
    endTurn()
    isStopped = true
    timer?.task.cancel()
    timer = nil
    heartbeat?.cancel()
    for request in Array(completions.keys) { fail(request, RequestError(.stopped, outcome: .unknown)) }
    transport.receive = { _, _ in .unknown }
    transport.disconnected = { _ in }
    transport.greeting = { _ in nil }
    views.finish()
    transport.close()
    log.close { [snapshots, onStopped] in
      snapshots.close { onStopped(failure) }
    }
  }
}

extension Instant {
  init(_ deadline: NIODeadline) { self.init(nanoseconds: Int64(deadline.uptimeNanoseconds)) }
}

extension NIODeadline {
  init(_ instant: Instant) { self = .uptimeNanoseconds(UInt64(max(0, instant.nanoseconds))) }
}
