import Raft
import Replica

/// One story, lived through: a cluster under faults and load, checked at every step; then its core is healed for good, and must serve.
public final class Run<Load: Workload> {
  typealias Cluster = SimulatedCluster<Load.Machine>

  /// Within this much virtual time after the last fault the core must serve, and agree.
  public static var livenessBound: Nanoseconds { .milliseconds(60_000) }
  private static var wishInterval: Nanoseconds { .milliseconds(50) }

  let story: Story
  let cluster: Cluster
  var atlas: FaultAtlas
  @exclusivity(unchecked) var report = RunReport()
  @exclusivity(unchecked) var oracle = Oracle<Load>()
  /// Decides what the story leaves open.
  var random: PseudoRandom
  /// Faults that have begun and not ended.
  var active: [ActiveFault] = []
  @exclusivity(unchecked) var dues = EventQueue<Due>()
  /// Faults so far: their numbers.
  var begun = 0
  /// How many reasons there are for a node to be down.
  var downs: [String: Int] = [:]
  @exclusivity(unchecked) private var load: Load
  /// Who the members are, and what operators asked for.
  @exclusivity(unchecked) var members: Members
  /// Who was left alone, and since when.
  @exclusivity(unchecked) var health: HealthWatch
  /// What the core must still do, and which requests would show that it can.
  private var unmet: [Need] = []
  private var probes: [RequestID: Need] = [:]
  private var lastOperation: UInt64 = 1 << 32
  /// What open reads look for; empty without a trace.
  private var tracedQueries: [RequestID: [UInt8]] = [:]

  /// What the run itself has planned.
  enum Due {
    case end(Int)
    /// Whoever looks after the processes starts one that has ended.
    case restart(String)
    /// The next moment of a fault that has several.
    case goOn(Int)
    /// Whoever looks whether those who were left alone serve.
    case watch
    /// Clients of the workload ask for what they want.
    case wishes
  }

  /// `tracing` says whether the report has a trace: the run takes longer, and is the same run.
  public init(_ story: Story, _ load: Load = Load(), tracing: Bool = false) {
    self.story = story
    self.load = load
    random = PseudoRandom(seed: story.seed ^ 0x5eed)
    atlas = FaultAtlas(nodeCount: story.names.count)
    health = HealthWatch(names: story.names)
    members = Members(joiners: story.joining)
    let founders = story.founders
    cluster = Cluster(
      names: story.names, seed: story.seed, settings: story.settings,
      lists: story.changesMembers ? Dictionary(uniqueKeysWithValues: founders.map { ($0, founders) }) : [:])
    cluster.longestTurn = story.scale.longestTurn
    cluster.logOptions = story.logOptions
    cluster.network.keepsOrder = story.scale.linksKeepOrder
    cluster.showsCertificates = story.hasIntruders
    prepareNetwork()
    adjust()
    for name in story.names { cluster.skewClock(of: name, by: random.nanoseconds(in: .zero ... .milliseconds(1_000_000))) }
    if tracing { cluster.trace = Trace(names: story.names) }
    oracle.request = { [unowned self] in cluster.request(of: $0) }
    cluster.onCommit = { [unowned self] in
      oracle.commit($0, at: cluster.now)
      if $0.kind == .configuration { committed($0) }
      if Load.followsStates { heed(self.load.committed(oracle.newestModel, oracle.newestCommand, at: cluster.now)) }
    }
    follow()
    cluster.onOperated = { [unowned self] in operated($0, $1) }
    for name in story.joining { downs[name] = 1 }
    cluster.onOutcome = { [unowned self] in answered($0, $1) }
    cluster.onApply = { [unowned self] in oracle.compare($1, $2, "node \($0)", at: cluster.now) }
    cluster.onSnapshot = { [unowned self] name, use, view, index in
      switch use {
      case .saved: oracle.saved(view, index, "the snapshot of node \(name)", at: cluster.now)
      case .installed: oracle.installed(view, index, "node \(name), from a snapshot,", at: cluster.now)
      }
    }
    cluster.onEnd = { [unowned self] in ended($0, $1) }
  }

  /// Clients of the workload look on at the nodes' states.
  private func follow() {
    guard Load.followsStates else { return }
    load.prepare(story)
    cluster.onTurn = { [unowned self] node, view in
      heed(load.follow(node, view, at: cluster.now))
    }
    dues.plan(.wishes, at: cluster.now)
  }

  private func heed(_ found: (checker: Violation.Checker, text: String)?) {
    if let (checker, text) = found { oracle.report(checker, text, at: cluster.now) }
  }

  public func run() -> RunReport {
    cluster.trace?.add(.phase("faults"), at: .zero)
    for name in story.names { dues.plan(.restart(name), at: cluster.now + random.nanoseconds(in: .zero...story.scale.starts)) }
    dues.plan(.watch, at: cluster.now + Self.watchInterval)
    for step in story.steps {
      guard live(until: step.at) else { break }
      switch step.action {
      case .operation(let number, let name, let timeout): operate(number, on: name, timeout: timeout)
      case .fault(let fault): begin(fault)
      }
    }
    if live(until: story.end) { recover() }
    return finalReport()
  }

  var isClean: Bool { !cluster.hasViolations && oracle.violations.isEmpty }

  /// Lets time go by, and ends on the way what is to end. False as soon as a checker has found something.
  func live(until end: Instant) -> Bool {
    while isClean, dues.nextInstant <= end, let (at, due) = dues.next() {
      cluster.run(until: at)
      switch due {
      case .end(let fault): self.end(fault)
      case .goOn(let fault): goOn(fault)
      case .restart(let name): start(name)
      case .watch: watch()
      case .wishes: grantWishes()
      }
    }
    if isClean { cluster.run(until: end) }
    return isClean
  }

  // MARK: Clients

  /// One operation of one client, through a node that runs.
  private func operate(_ number: UInt64, on name: String, timeout: Nanoseconds) {
    guard cluster.isRunning(name) else { return }
    var random = PseudoRandom(seed: story.seed ^ (number &* 0x9e37_79b9_7f4a_7c15))
    ask(load.operation(number, seeing: oracle.view, using: &random), on: name, timeout: timeout)
  }

  private func grantWishes() {
    while let (operation, node, timeout) = load.wish(cluster.nextRequest, at: cluster.now) {
      ask(operation, on: story.names[node], timeout: timeout)
    }
    dues.plan(.wishes, at: cluster.now + Self.wishInterval)
  }

  private func ask(_ operation: ClientOperation, on name: String, timeout: Nanoseconds) {
    let id = cluster.nextRequest
    report.asked += 1
    if case .read(_, let query) = operation.kind { oracle.ask(id, lookingFor: query) } else { oracle.ask(id) }
    cluster.trace?.add(.asked(request: id, node: cluster.index(name), label: operation.label), at: cluster.now)
    load.asked(id, operation, at: cluster.now)
    watchRequest(id, operation, on: name, timeout: timeout)
    switch operation.kind {
    case .command(let command): _ = cluster.propose(command, on: name, timeout: timeout)
    case .read(let consistency, let query):
      if cluster.trace != nil { tracedQueries[id] = query }
      _ = cluster.read(consistency, on: name, timeout: timeout)
    case .question(let question): _ = cluster.ask(question, on: name, timeout: timeout)
    }
  }

  private func answered(_ id: RequestID, _ outcome: Cluster.Outcome) {
    let answer: ClientAnswer<Load.Machine> =
      switch outcome {
      case .applied(let output): .output(output)
      case .view(let view, _, let staleness): .view(view, isFresh: staleness == nil)
      case .answered(let bytes): .answer(bytes)
      case .failed(let error): error.outcome == .unknown ? .unknown : .notDone
      }
    switch answer {
    case .output, .view, .answer:
      report.completed += 1
      if let need = probes[id] { unmet.removeAll { $0 == need } }
    case .unknown: report.unknown += 1
    case .notDone: report.refused += 1
    }
    traceAnswer(id, outcome)
    checkRequest(id, outcome)
    oracle.answer(id, outcome, at: cluster.now)
    heed(load.answered(id, answer, at: cluster.now))
  }

  private func traceAnswer(_ id: RequestID, _ outcome: Cluster.Outcome) {
    guard cluster.trace != nil else { return }
    let query = tracedQueries.removeValue(forKey: id) ?? []
    let (label, isGood) = outcome.words {
      Load.label(of: $0)
    } view: {
      Load.label(of: $0, query: query)
    }
    cluster.trace?.add(.answered(request: id, label: String(label.prefix(200)), good: isGood), at: cluster.now)
  }

  // MARK: Processes

  /// Starts a node that is down, if there is no reason left why it should be.
  func start(_ name: String) {
    guard downs[name, default: 0] == 0, !cluster.isRunning(name) else { return }
    let disk = cluster.disk(of: name)
    let failedBefore = disk.failedCalls
    report.starts += 1
    health.touch(name, at: cluster.now)
    do {
      try cluster.start(name)
      health.started(name, failedCalls: disk.failedCalls)
    } catch {
      if disk.failedCalls > failedBefore || disk.capacity != .max { return planRestart(of: name) }
      // Refused for good, and rightly.
      if atlas.damaged.contains(name) { return }
      oracle.report(.recovery, "node \(name) does not start from what it left: \(error)", at: cluster.now)
    }
  }

  /// A process ended by itself: somebody will diagnostic.
  private func ended(_ name: String, _ how: Cluster.End) {
    health.touch(name, at: cluster.now)
    if how == .storageFailure {
      checkFailure(of: name)
    } else if let fault = active.last(where: { $0.name == name && $0.fault.kind.endsProcess }) {
      count(fault.fault.kind)
      if fault.fault.kind == .crashThenPowerLoss {
        dues.plan(.restart(name), at: cluster.now)
        dues.plan(.goOn(fault.number), at: cluster.now + random.nanoseconds(in: .milliseconds(1) ... .milliseconds(500)))
        return
      }
    }
    planRestart(of: name)
  }

  /// A process ends because a call of its disk failed, or what it reads there is damaged; for nothing else. A disk that is full is a state.
  private func checkFailure(of name: String) {
    guard !atlas.damaged.contains(name), cluster.disk(of: name).failedCalls == health.failedCalls(of: name) else { return }
    let isFull = active.contains { $0.name == name && $0.fault.kind == .fullDisk }
    let why = isFull ? "gave up because its disk was full" : "gave up, though no call of its disk failed"
    oracle.report(.recovery, "\(name) \(why)", at: cluster.now)
  }

  func planRestart(of name: String) {
    dues.plan(.restart(name), at: cluster.now + random.nanoseconds(in: .milliseconds(100) ... .milliseconds(2000)))
  }

  // MARK: Liveness

  /// The core is healed, the rest stays broken for good. Then every member of the core must answer what it was asked, write and read, and
  /// all must come to agree.
  private func recover() {
    let healed = story.changesMembers ? members.machines(of: story.names) : healedCore()
    endAllFaults(healing: healed)
    if story.changesMembers { settleMembers() }
    let core = story.changesMembers ? votingMachines() : healed
    cluster.trace?.add(.phase("\(core.joined(separator: ", ")) healed for good"), at: cluster.now)
    unmet = core.flatMap { [Need(name: $0, isRead: false), Need(name: $0, isRead: true)] }
    load.healed(core.map(cluster.index))
    let bound = cluster.now + Self.livenessBound
    while isClean, !unmet.isEmpty || !agree(core) || load.awaited != nil {
      guard cluster.now < bound else { return reportLiveness(core) }
      for need in unmet { ask(for: need) }
      _ = live(until: cluster.now + .milliseconds(500))
    }
    // Who did not come to agree has another state, and nothing wrong with it.
    guard isClean else { return }
    for name in core {
      if let view = cluster.view(of: name) { oracle.compare(view, oracle.lastIndex, "node \(name) at the end", at: cluster.now) }
    }
    oracle.compareWithModel(oracle.view, oracle.lastIndex, "the log", at: cluster.now)
  }

  /// Those of the core that never lost their disk, and as many others as a majority needs.
  private func healedCore() -> [String] {
    let sound = story.names.filter { !atlas.damaged.contains($0) }
    var core = sound.filter(story.core.contains)
    for name in sound where 2 * core.count <= story.names.count && !core.contains(name) { core.append(name) }
    return core
  }

  /// Asks again and again, as a client would.
  private func ask(for need: Need) {
    probes[cluster.nextRequest] = need
    lastOperation += 1
    var operation = ClientOperation.read
    while !need.isRead, operation.isRead {
      operation = load.operation(lastOperation, seeing: oracle.view, using: &random)
    }
    ask(operation, on: need.name, timeout: .milliseconds(5000))
  }

  private func agree(_ core: [String]) -> Bool {
    core.allSatisfy { name in
      guard let status = cluster.status(of: name) else { return false }
      return status.pendingRequests == 0 && status.lastIndex == oracle.lastIndex && status.appliedIndex == oracle.lastIndex
    }
  }

  private func reportLiveness(_ core: [String]) {
    let states = core.map { name in
      guard let status = cluster.status(of: name) else { return "\(name) is down" }
      return "\(name) \(status.role.rawValue) in term \(status.term), applied \(status.appliedIndex) of \(status.lastIndex), "
        + "\(status.pendingRequests) requests wait"
    }
    let needs = unmet.map { "\($0.isRead ? "no read" : "no write") through \($0.name)" } + (load.awaited.map { [$0] } ?? [])
    oracle.report(
      .liveness, "the core does not come to serve and agree: \((needs + states).joined(separator: "; ")); \(oracle.lastIndex) committed",
      at: cluster.now)
  }

  // MARK: Report

  private func finalReport() -> RunReport {
    for (checker, text) in isClean ? load.finalViolations(&report, view: oracle.view) : [] { oracle.report(checker, text, at: cluster.now) }
    report.seed = story.seed
    report.nodes = story.names.count
    report.violations = (cluster.violations + oracle.violations).sorted { $0.at < $1.at }
    report.fingerprint = cluster.fingerprint
    for violation in report.violations {
      cluster.trace?.insert(.violation(checker: violation.checker.rawValue, violation.text), at: violation.at)
    }
    report.trace = cluster.trace
    report.virtualTime = cluster.now - .zero
    report.events = cluster.eventCount
    report.committed = Int(oracle.lastIndex)
    report.frames = cluster.framesSent
    report.coverage = cluster.coverage
    var byLeaders = 0
    for (_, diagnostic) in cluster.diagnostics {
      switch diagnostic {
      case .leaderActs: byLeaders += 1
      case .snapshotInstalled: report.snapshotsInstalled += 1
      case .snapshotTaken: report.snapshotsTaken += 1
      case .becameLeader: report.elections += 1
      default: break
      }
    }
    if Load.followsStates { report.counted.append(("compactions proposed by leaders", byLeaders)) }
    return report
  }
}

/// Something that a member of the core must still do.
struct Need: Equatable {
  let name: String
  let isRead: Bool
}
