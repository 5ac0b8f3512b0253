import ByteCoding
import Raft
import Replica
import WriteAheadLog

/// A whole cluster in one thread and in virtual time: real replicas, real logs, real recovery, on simulated disks, clocks and networks.
/// The same seed and the same calls give the same run, event for event (`fingerprint`).
public final class SimulatedCluster<Machine: StateMachine> {
  /// The end of a request.
  public enum Outcome {
    case applied(Machine.Output)
    /// The state after the log entry at `index`.
    case view(Machine.View, index: LogIndex, staleness: Nanoseconds?)
    /// What the leader knew.
    case answered([UInt8])
    case failed(RequestError)
  }

  /// How a process came to its end.
  public enum End: String, Sendable {
    /// It was killed; the page cache stays.
    case crash
    /// The machine lost power, and what was not synced.
    case powerLoss
    /// It was told to stop, answered what waited, and stopped.
    case stop
    /// Its disk failed, so that it could promise nothing more.
    case storageFailure
  }

  /// What a snapshot was good for.
  public enum SnapshotUse: Sendable {
    /// It is on the disk.
    case saved
    /// It was restored, in a start or because a leader sent it.
    case installed
  }

  public let names: [String]
  @exclusivity(unchecked) public var network: SimulatedNetwork
  /// How long a disk takes for one sync.
  public var syncLatency: ClosedRange<Nanoseconds> = .milliseconds(1) ... .milliseconds(5)
  public var settings: ReplicaSettings
  /// Now and then a turn keeps its node busy for up to so long; what comes meanwhile is taken together, as a real event loop does.
  public var longestTurn: Nanoseconds = .zero
  /// Small files, so that the log goes from one to the next all the time.
  public var logOptions = LogOptions(segmentSize: 32 << 10, fillStep: 8 << 10)
  @exclusivity(unchecked) public internal(set) var now = Instant.zero
  /// Changes with every event: two runs that have the same are the same run.
  @exclusivity(unchecked) public internal(set) var fingerprint: UInt64 = 0xcbf2_9ce4_8422_2325
  /// Events so far.
  @exclusivity(unchecked) public internal(set) var eventCount = 0
  /// What the nodes said, in order.
  public internal(set) var diagnostics: [(name: String, diagnostic: Diagnostic)] = []
  /// Called for each answer. As long as it is set, `outcome(of:)` remembers none.
  @exclusivity(unchecked) public var onOutcome: ((RequestID, Outcome) -> Void)?
  /// Called for each entry when the first node commits it.
  @exclusivity(unchecked) public var onCommit: ((Entry) -> Void)?
  /// Called with a node's state and the index that it has applied, now and then as it goes on.
  @exclusivity(unchecked) public var onApply: ((_ name: String, Machine.View, LogIndex) -> Void)?
  /// Called when a node has saved a snapshot, and when it goes on from one: with the state, and the index that it has applied.
  public var onSnapshot: ((_ name: String, SnapshotUse, Machine.View, LogIndex) -> Void)?
  /// Called with a node's state after each of its turns, and with none when its process has ended.
  @exclusivity(unchecked) public var onTurn: ((_ node: Int, Machine.View?) -> Void)?
  /// Called when a process ended although nobody ended it just then: its disk failed, or it was in the middle of its work.
  public var onEnd: ((_ name: String, End) -> Void)?
  /// What came of requests of operators, in order: `nil` for what was done.
  public private(set) var operatorOutcomes: [(id: RequestID, error: RequestError?)] = []
  /// Called for each of them.
  public var onOperated: ((RequestID, RequestError?) -> Void)?
  /// Frames sent of each kind, by the number of the kind.
  @exclusivity(unchecked) public internal(set) var framesSent = [Int](repeating: 0, count: 64)
  /// Told what happens, if there is one.
  @exclusivity(unchecked) public var trace: Trace?
  /// Whether nodes show each other certificates, as where others than members may reach them (`Run+Intruders.swift`); else they talk plain
  /// text.
  @exclusivity(unchecked) var showsCertificates = false
  /// Of what was sent, some, for intruders to send again.
  @exclusivity(unchecked) var overheard = Overheard()
  /// What of the code's own branches happened.
  @exclusivity(unchecked) public internal(set) var coverage = Coverage()
  /// What the checkers found wrong; empty in a correct run.
  public var violations: [Violation] { checker.violations + bounds.violations }
  public var hasViolations: Bool { !checker.violations.isEmpty || !bounds.violations.isEmpty }

  let nodes: [SimulatedNode<Machine>]
  @exclusivity(unchecked) var queue = EventQueue<Happening>()
  @exclusivity(unchecked) var checker: SafetyChecker
  @exclusivity(unchecked) var bounds: BoundsChecker
  /// The millisecond that is being lived through, and how much happened in it.
  @exclusivity(unchecked) private var pace: (millisecond: Int64, events: Int) = (0, 0)
  private var outcomes: [RequestID: Outcome] = [:]
  private var lastRequest: RequestID = 0
  /// Requests of operators without an answer.
  private var operatorRequests: [RequestID: OperatorRequest] = [:]
  /// Whose proposals are whose: a disk that is emptied makes its node another one.
  private var origins: [NodeID: Int] = [:]

  /// What a busy node takes in one turn at most.
  private static var maximumEventsPerTurn: Int { 64 }
  /// More events in one virtual millisecond than any real load makes: something wakes itself without end.
  private static var maximumEventsPerMillisecond: Int { 100_000 }

  /// `lists` says whom each node is told to form a cluster with; a node without a list is told of all `names`.
  public init(names: [String], seed: UInt64, settings: ReplicaSettings = ReplicaSettings(), lists: [String: [String]] = [:]) {
    self.names = names
    self.settings = settings
    checker = SafetyChecker(names: names)
    bounds = BoundsChecker(names: names)
    var random = PseudoRandom(seed: seed)
    network = SimulatedNetwork(names: names, seed: random.next())
    nodes = names.map { name in
      SimulatedNode(peerInfo: Self.peerInfo(name, list: lists[name] ?? names), seed: random.next())
    }
  }

  // MARK: Processes

  /// Starts the process of a node from what its disk holds. Nothing happens if it runs already.
  /// - Throws: what the node itself would say and stop with: `StorageError`, `MalformedBytes`.
  public func start(_ name: String) throws {
    let number = index(name)
    let node = nodes[number]
    guard node.process == nil else { return }
    do {
      let segments = Self.segments(of: node.disk)
      let storage = try node.start(settings: settings, log: logOptions, now: now)
      origins[storage.identity.node] = number
      checker.started(number, storage.recovered, now: now)
      auditDisk(of: number)
      if let snapshot = storage.snapshot { onSnapshot?(name, .installed, storage.machine.view, snapshot.position.index) }
      bounds.started(number)
      observeStart(of: node, segmentsBefore: segments, repairs: storage.repairs)
      trace?.add(.started(node: number), at: now)
      endTurn(of: number)
    } catch {
      // The power went during recovery: it never started.
      guard node.disk.isPowered else { return endForLackOfPower(number) }
      trace?.add(.note(node: number, "does not start: \(error)"), at: now)
      throw error
    }
  }

  public func startAll() throws {
    for name in names { try start(name) }
  }

  /// The process ends; the page cache stays.
  public func crash(_ name: String) { end(index(name), .crash) }

  /// The process ends, and what was not synced may be lost.
  public func losePower(_ name: String) { end(index(name), .powerLoss) }

  /// The process is told to stop: it answers what waits, and ends.
  public func stop(_ name: String) {
    step(index(name), .stop)
    end(index(name), .stop)
  }

  /// The process ends in the middle of its work on the disk, after `operations` more calls; with its page cache if `losingPower`.
  public func end(_ name: String, afterDiskOperations operations: Int, losingPower: Bool) {
    let node = nodes[index(name)]
    node.losesPower = losingPower
    node.disk.powerFailsAfter = node.disk.operationCount + operations
  }

  /// The disk is empty, for good: the machine was replaced, or somebody cleaned up. The process must not run.
  public func wipe(_ name: String) {
    let node = index(name)
    precondition(nodes[node].process == nil, "the disk of a running process cannot be wiped")
    nodes[node].wipe()
    checker.lostDisk(of: node)
  }

  /// Freezes a process, as the host of a virtual machine does: what comes for it waits.
  public func pause(_ name: String) {
    let node = nodes[index(name)]
    guard node.pausedSince == nil, node.process != nil else { return }
    node.pausedSince = now
    trace?.add(.paused(node: index(name)), at: now)
  }

  /// The process goes on, and finds at once all that came meanwhile. `clockStoodStill`: its clock was frozen too.
  public func resume(_ name: String, clockStoodStill: Bool = false) {
    let number = index(name)
    let node = nodes[number]
    guard let since = node.pausedSince else { return }
    node.pausedSince = nil
    trace?.add(.resumed(node: number), at: now)
    if clockStoodStill {
      node.clock.stoodStill(for: now - since)
      replanTick(of: number)
    }
    for happening in node.held { queue.plan(happening, at: now) }
    node.held = []
  }

  /// From now on the node's clock runs faster than the world by so many millionths (slower, if negative).
  public func drift(_ name: String, perMillion: Int64) {
    nodes[index(name)].clock.drift(perMillion: perMillion, now: now)
    replanTick(of: index(name))
  }

  /// Sets the node's clock off against the others', before its first start.
  public func skewClock(of name: String, by offset: Nanoseconds) { nodes[index(name)].clock = SimulatedClock(offset: offset) }

  /// Each turn of the node takes so long, during which nothing else happens to it; 0 for a machine that is not loaded.
  public func slow(_ name: String, turnTime: Nanoseconds) { nodes[index(name)].turnTime = turnTime }

  /// How long this node's disk takes for one sync; `nil` for what holds everywhere.
  public func setSyncLatency(_ latency: ClosedRange<Nanoseconds>?, of name: String) { nodes[index(name)].syncLatency = latency }

  /// The node's disk answers nothing for so long.
  public func stallDisk(of name: String, for duration: Nanoseconds) {
    nodes[index(name)].diskStallsUntil = max(nodes[index(name)].diskStallsUntil, now + duration)
  }

  /// Until when it does not.
  func diskStalls(of name: String) -> Instant { nodes[index(name)].diskStallsUntil }

  /// What a clogged link held arrives, all at once.
  public func unclog(from source: String, to destination: String) {
    network[source, destination].isClogged = false
    for (frame, message) in network[source, destination].takeHeld() {
      plan(frame, message: message, from: index(source), to: index(destination), at: now)
    }
  }

  public func isPaused(_ name: String) -> Bool { nodes[index(name)].pausedSince != nil }
  public func isRunning(_ name: String) -> Bool { nodes[index(name)].process != nil }
  public func disk(of name: String) -> SimulatedDisk { nodes[index(name)].disk }
  public func status(of name: String) -> ReplicaStatus? { nodes[index(name)].process?.replica.status }
  public func view(of name: String) -> Machine.View? { nodes[index(name)].process?.replica.view }

  /// Whether the node led after its last turn but one.
  func hasJustLed(_ name: String) -> Bool { nodes[index(name)].process?.last?.role == .leader }

  /// The running node that leads in the highest term.
  public var leader: String? {
    var newest: (name: String, term: Term)?
    for (name, node) in zip(names, nodes) {
      guard let state = node.process?.replica.consensusState, state.role == .leader, state.term > newest?.term ?? 0 else { continue }
      newest = (name, state.term)
    }
    return newest?.name
  }

  // MARK: Requests

  public func propose(_ command: [UInt8], on name: String, timeout: Nanoseconds = .milliseconds(5000)) -> RequestID {
    submit(.propose(command, timeout: timeout), on: name)
  }

  public func read(_ consistency: Consistency, on name: String, timeout: Nanoseconds = .milliseconds(5000)) -> RequestID {
    submit(.read(consistency, timeout: timeout), on: name)
  }

  /// Asks the state machine of the leader, by way of any node; see `StateMachine.answer`.
  public func ask(_ question: [UInt8], on name: String, timeout: Nanoseconds = .milliseconds(5000)) -> RequestID {
    submit(.ask(question, timeout: timeout), on: name)
  }

  /// An operator asks a node, as if it were the leader, to do something. What comes of it is told to `onOperated`.
  public func operate(_ request: OperatorRequest, on name: String, timeout: Nanoseconds = .milliseconds(5000)) -> RequestID {
    submit(.operate(request, timeout: timeout), on: name)
  }

  /// Of the process that runs, or ran last.
  public func identity(of name: String) -> NodeID? { nodes[index(name)].identity }

  /// Whether the log has an entry that survives a loss of power.
  func hasDurableLog(_ name: String) -> Bool { checker.mirror(of: index(name)).durableIndex > 0 }

  /// The name that the next request gets.
  public var nextRequest: RequestID { lastRequest + 1 }

  /// The end of a request; `nil` while it is under way, and for good if the node that took it has gone.
  public func outcome(of request: RequestID) -> Outcome? { outcomes[request] }

  private func submit(_ request: ClientRequest, on name: String) -> RequestID {
    lastRequest += 1
    if case .operate(let request, _) = request { operatorRequests[lastRequest] = request }
    let node = index(name)
    if nodes[node].pausedSince != nil {
      hold(.request(lastRequest, request, node: node), node)
    } else if isBusy(nodes[node]) {
      postpone(.request(lastRequest, request, node: node), nodes[node])
    } else {
      take(lastRequest, request, node)
    }
    return lastRequest
  }

  private func take(_ id: RequestID, _ request: ClientRequest, _ node: Int) {
    let now = nodes[node].clock.local(now)
    let place = RequestID(nodes[node].requests.count)
    nodes[node].requests.append(id)
    switch request {
    case .propose(let command, let timeout): step(node, .propose(place, command: command[...], deadline: now + timeout))
    case .operate(let request, let timeout): step(node, .operate(place, request, deadline: now + timeout))
    case .read(let consistency, let timeout): step(node, .read(place, consistency, deadline: now + timeout))
    case .ask(let question, let timeout): step(node, .ask(place, question: question[...], deadline: now + timeout))
    }
  }

  /// The request that a proposal belongs to; `nil` if nobody asked for it.
  func request(of proposal: Proposal) -> RequestID? {
    guard proposal.request != Proposal.unasked, let node = origins[proposal.origin], proposal.request < nodes[node].requests.count else {
      return nil
    }
    return nodes[node].requests[Int(proposal.request)]
  }

  func settle(_ reply: Reply<Machine>, of node: Int) {
    switch reply {
    case .applied(let place, let output): settle(place, .applied(output), of: node)
    case .view(let place, let view, let index, let staleness): settle(place, .view(view, index: index, staleness: staleness), of: node)
    case .failed(let place, let error): settle(place, .failed(error), of: node)
    case .answered(let place, let answer): settle(place, .answered(Array(answer)), of: node)
    case .done(let place): operated(nodes[node].requests[Int(place)], nil)
    }
  }

  private func settle(_ place: RequestID, _ outcome: Outcome, of node: Int) {
    let id = nodes[node].requests[Int(place)]
    if operatorRequests[id] != nil, case .failed(let error) = outcome { return operated(id, error) }
    observe(outcome)
    if let onOutcome { return onOutcome(id, outcome) }
    if outcomes[id] != nil { checker.report(.exactlyOnce, "request \(id) was answered twice", at: now) }
    outcomes[id] = outcome
  }

  private func operated(_ id: RequestID, _ error: RequestError?) {
    if let request = operatorRequests.removeValue(forKey: id) { observe(request, error) }
    operatorOutcomes.append((id, error))
    onOperated?(id, error)
  }

  // MARK: Time

  /// When something happens next.
  public var nextInstant: Instant { queue.nextInstant }

  /// Lets everything happen that is planned for the next `duration`.
  public func run(for duration: Nanoseconds) { run(until: now + duration) }

  public func run(until end: Instant) {
    while queue.nextInstant <= end { happen() }
    now = max(now, end)
  }

  /// Runs until `condition` holds; false if it does not within `limit`.
  public func run(within limit: Nanoseconds, until condition: () -> Bool) -> Bool {
    let end = now + limit
    while !condition() {
      guard queue.nextInstant <= end else { return false }
      happen()
    }
    return true
  }

  private func happen() {
    guard let (at, happening) = queue.next() else { return }
    now = at
    eventCount += 1
    keepPace()
    let node = nodes[happening.node]
    if node.pausedSince != nil { return hold(happening, happening.node) }
    if case .turnDone(_, let generation) = happening {
      if generation == node.generation { goOn(node) }
    } else if isBusy(node) {
      postpone(happening, node)
    } else {
      live(happening, node)
    }
  }

  // MARK: Turns of several events

  private func isBusy(_ node: SimulatedNode<Machine>) -> Bool { node.isBusyUntil > now || !node.backlog.isEmpty }

  private func postpone(_ happening: Happening, _ node: SimulatedNode<Machine>) {
    guard node.backlog.count < SimulatedNode<Machine>.maximumHeld else { return }
    node.backlog.append(happening)
    planTurnDone(happening.node, node)
  }

  private func planTurnDone(_ number: Int, _ node: SimulatedNode<Machine>) {
    guard !node.turnDoneIsPlanned else { return }
    node.turnDoneIsPlanned = true
    queue.plan(.turnDone(node: number, generation: node.generation), at: max(node.isBusyUntil, now + Nanoseconds(1)))
  }

  /// A node that was busy takes what came meanwhile: one thing after the other, or many in one turn.
  private func goOn(_ node: SimulatedNode<Machine>) {
    node.turnDoneIsPlanned = false
    guard let next = node.backlog.popFirst() else { return }
    let most = UInt64(min(node.backlog.count + 1, Self.maximumEventsPerTurn))
    let more = longestTurn > .zero ? Int(node.turnRandom.below(most)) : 0
    coverage.reach(.severalEventsInATurn, if: more > 0)
    live(next, node, with: more)
  }

  /// One turn of a node.
  private func live(_ first: Happening, _ node: SimulatedNode<Machine>, with more: Int = 0) {
    record(UInt64(bitPattern: now.nanoseconds))
    node.isGathering = more > 0
    happen(first, to: node)
    // If it ends the process, nothing is left to be taken.
    for _ in 0..<more { if let next = node.backlog.popFirst() { happen(next, to: node) } }
    node.isGathering = false
    if node.turnIsOpen { endTurn(of: first.node) }
    var busy = node.turnTime
    if longestTurn > .zero, node.turnRandom.chance(1, in: 4) { busy = max(busy, node.turnRandom.nanoseconds(in: .zero...longestTurn)) }
    node.isBusyUntil = now + busy
    if !node.backlog.isEmpty { planTurnDone(first.node, node) }
  }

  private func happen(_ happening: Happening, to node: SimulatedNode<Machine>) {
    switch happening {
    case .frame(let bytes, let message, let source, let number, let proof):
      record(bytes)
      guard proof.admits(bytes) else {
        trace?.add(.lost(message: message, why: "not who it says"), at: now)
        return
      }
      trace?.add(node.process == nil ? .lost(message: message, why: "nobody there") : .arrived(message: message), at: now)
      step(number, .frame(bytes[...], connection: UInt64(source)))
    case .intrusion(let intrusion, let number): arrive(intrusion, at: number)
    case .disconnected(let source, let number): step(number, .disconnected(connection: UInt64(source)))
    case .tick(let number, let generation):
      // Another tick may have been planned since, for an earlier moment.
      guard node.generation == generation, let process = node.process, process.plannedTick <= now else { return }
      process.plannedTick = .never
      step(number, .tick)
    case .request(let id, let request, let number): take(id, request, number)
    case .logDone(let number, let generation): if node.generation == generation { finishLog(number) }
    case .logRetry(let number, let generation): if node.generation == generation { retryLog(number) }
    case .snapshotDone(let number, let lane, let generation): if node.generation == generation { finishSnapshotWork(number, lane) }
    case .turnDone: break
    }
  }

  private func hold(_ happening: Happening, _ node: Int) {
    if nodes[node].held.count < SimulatedNode<Machine>.maximumHeld { nodes[node].held.append(happening) }
  }

  private func keepPace() {
    let millisecond = (now - .zero) / .milliseconds(1)
    pace = millisecond == pace.millisecond ? (millisecond, pace.events + 1) : (millisecond, 1)
    if pace.events > Self.maximumEventsPerMillisecond {
      checker.report(.livelock, "\(pace.events) events in one millisecond", at: now)
      queue.removeAll()
    }
  }

  func record(_ value: UInt64) { fingerprint = (fingerprint ^ value) &* 0x100_0000_01b3 }

  /// A frame begins with the checksum of the rest.
  func record(_ frame: [UInt8]) {
    var value = UInt64(frame.count)
    for byte in frame.prefix(4) { value = value << 8 | UInt64(byte) }
    record(value)
  }

  func index(_ name: String) -> Int {
    guard let index = names.firstIndex(of: name) else { preconditionFailure("no node is called \(name)") }
    return index
  }
}
