import KeyValue
import Raft
import Replica

/// One run of the swarm: a cluster under faults and load, judged at every step; then a random core is healed for good, and must serve.
public final class SwarmRun {
  public struct Report: Sendable {
    public var seed: UInt64 = 0
    public var violations: [String] = []
    public var fingerprint: UInt64 = 0
    public var virtualTime: Nanoseconds = 0
    public var events = 0
    /// Faults of each kind that happened, in the order of `Fault.allCases`.
    public var faults = [Int](repeating: 0, count: Fault.allCases.count)
    public var completed = 0
    public var unknown = 0
    public var refused = 0
    public var snapshotsInstalled = 0
    public var elections = 0

    public init() {}
  }

  private let plan: SwarmPlan
  private let cluster: SimulatedCluster<KeyValueMachine>
  private var random: PseudoRandom
  private var oracle = Oracle()
  private var report = Report()
  private var open = 0
  private var operations: UInt64 = 0

  public init(_ plan: SwarmPlan) {
    self.plan = plan
    random = PseudoRandom(seed: plan.seed ^ 0x5eed)
    cluster = SimulatedCluster(names: plan.names, seed: plan.seed, settings: plan.settings)
    cluster.network = plan.network
    cluster.syncLatency = plan.syncLatency
    cluster.onCommit = { [unowned self] in oracle.commit($0) }
    cluster.onOutcome = { [unowned self] in answered($0, $1) }
  }

  public func run() -> Report {
    do {
      for name in plan.names { try cluster.start(name) }
      try disturb()
      try recover()
    } catch {
      oracle.fail("a node did not start from what it left: \(error)")
    }
    report.seed = plan.seed
    report.violations = cluster.violations + oracle.violations
    report.fingerprint = cluster.fingerprint
    report.virtualTime = cluster.now - .zero
    report.events = cluster.eventCount
    for (_, notice) in cluster.notices {
      if case .snapshotInstalled = notice { report.snapshotsInstalled += 1 }
      if case .becameLeader = notice { report.elections += 1 }
    }
    return report
  }

  // MARK: Safety phase

  private func disturb() throws {
    let step = Nanoseconds.milliseconds(1000) / SwarmPlan.operationsPerSecond
    while cluster.now - .zero < SwarmPlan.safetyPhase, cluster.violations.isEmpty, oracle.violations.isEmpty {
      operate()
      if random.below(1000 * UInt64(SwarmPlan.operationsPerSecond)) < plan.faultsPerThousandSeconds { strike() }
      try repair()
      cluster.run(for: random.nanoseconds(in: 0...(2 * step)))
    }
  }

  /// One operation of one client, through any node that runs.
  private func operate() {
    let name = plan.names[Int(random.below(UInt64(plan.names.count)))]
    guard cluster.isRunning(name), !cluster.isPaused(name) else { return }
    operations += 1
    let key = Array("key-\(random.below(plan.keys))".utf8)
    let timeout = Nanoseconds.milliseconds(Int64(200 + random.below(5000)))
    open += 1
    switch random.below(10) {
    case 0...3: propose(.put(PutRequest(key: key, value: Array("v\(operations)".utf8))), on: name, timeout)
    case 4: propose(.delete(DeleteRequest(range: KeyRange(key))), on: name, timeout)
    case 5...6: propose(.transaction(compareAndSet(key)), on: name, timeout)
    case 7...8: read(key, .linearizable, on: name, timeout)
    default: read(key, .serializable, on: name, timeout)
    }
  }

  private func compareAndSet(_ key: Key) -> TransactionRequest {
    let expected = oracle.view.get(key)?.modRevision ?? 0
    return TransactionRequest(
      comparisons: [Comparison(range: KeyRange(key), relation: .equal, operand: .modRevision(expected))],
      success: [.put(PutRequest(key: key, value: Array("s\(operations)".utf8)))],
      failure: [.put(PutRequest(key: Array("missed".utf8), value: key))])
  }

  private func propose(_ request: Request, on name: String, _ timeout: Nanoseconds) {
    oracle.ask(cluster.nextRequest, .change)
    _ = cluster.propose(request.encoded(), on: name, timeout: timeout)
  }

  private func read(_ key: Key, _ consistency: Consistency, on name: String, _ timeout: Nanoseconds) {
    oracle.ask(cluster.nextRequest, .read(key))
    _ = cluster.read(consistency, on: name, timeout: timeout)
  }

  private func answered(_ id: RequestID, _ outcome: SimulatedCluster<KeyValueMachine>.Outcome) {
    open -= 1
    switch outcome {
    case .applied, .view: report.completed += 1
    case .failed(let error): if error.outcome == .unknown { report.unknown += 1 } else { report.refused += 1 }
    }
    oracle.answer(id, outcome)
  }

  // MARK: Faults

  private func strike() {
    let total = plan.weights.reduce(0) { $0 + $1.weight }
    guard total > 0 else { return }
    var point = random.below(total)
    for (fault, weight) in plan.weights {
      if point < weight { return strike(fault) }
      point -= weight
    }
  }

  private func strike(_ fault: Fault) {
    let name = plan.names[Int(random.below(UInt64(plan.names.count)))]
    let other = plan.names[Int(random.below(UInt64(plan.names.count)))]
    switch fault {
    case .crash: guard cluster.isRunning(name) else { return }; cluster.crash(name)
    case .powerLoss: cluster.losePower(name)
    case .totalPowerLoss: for name in plan.names { cluster.losePower(name) }
    case .pause: guard cluster.isRunning(name) else { return }; cluster.pause(name)
    case .isolation: guard plan.names.count > 1 else { return }; cluster.network.isolate(name, from: plan.names)
    case .oneWayCut: guard name != other else { return }; cluster.network.cut(from: name, to: other)
    case .partition: guard plan.names.count > 1 else { return }; partition()
    case .heal: cluster.network.heal()
    case .slowNetwork: cluster.network.latency = .milliseconds(5) ... .milliseconds(plan.isWide ? 1500 : 400)
    case .slowDisk: cluster.syncLatency = .milliseconds(20) ... .milliseconds(1000)
    }
    if let kind = Fault.allCases.firstIndex(of: fault) { report.faults[kind] += 1 }
  }

  private func partition() {
    let left = plan.names.filter { _ in random.below(2) == 0 }
    for a in left { for b in plan.names where !left.contains(b) { cluster.network.cut(a, b) } }
  }

  /// Time heals: what is down starts, what is frozen wakes, what is slow gets faster.
  private func repair() throws {
    for name in plan.names {
      if !cluster.isRunning(name), random.below(60) == 0 { try cluster.start(name) }
      if cluster.isPaused(name), random.below(100) == 0 { cluster.resume(name) }
    }
    if random.below(200) == 0 { cluster.network.heal() }
    if random.below(200) == 0 { cluster.network.latency = plan.network.latency }
    if random.below(200) == 0 { cluster.syncLatency = plan.syncLatency }
  }

  // MARK: Liveness phase

  /// A random majority is healed; the rest stays broken for good. Then everything must end, and the core must serve.
  private func recover() throws {
    var core = plan.names
    while core.count > plan.names.count / 2 + 1, random.below(2) == 0 { core.remove(at: Int(random.below(UInt64(core.count)))) }
    cluster.network = plan.network
    cluster.network.lossPerMille = 0
    cluster.syncLatency = plan.syncLatency
    for name in plan.names where !core.contains(name) {
      if random.below(2) == 0 { cluster.losePower(name) } else { cluster.network.isolate(name, from: plan.names) }
    }
    for name in core {
      if cluster.isPaused(name) { cluster.resume(name) }
      if !cluster.isRunning(name) { try cluster.start(name) }
    }
    guard oracle.violations.isEmpty, cluster.violations.isEmpty else { return }
    let serves = core.allSatisfy { name in
      (0..<10).contains { _ in
        let request = cluster.nextRequest
        propose(.put(PutRequest(key: Array("last".utf8), value: Array(name.utf8))), on: name, SwarmPlan.livenessPhase / 10)
        return cluster.run(within: SwarmPlan.livenessPhase / 10) {
          if case .applied = cluster.outcome(of: request) { true } else { false }
        }
      }
    }
    if !serves { oracle.fail("liveness: the core \(core) does not serve, \(core.compactMap { cluster.status(of: $0) })") }
    let agree = cluster.run(within: SwarmPlan.livenessPhase) { core.allSatisfy { cluster.view(of: $0)?.revision == oracle.view.revision } }
    if !agree { oracle.fail("liveness: the core \(core) does not come to agree") }
    for name in core where agree && cluster.view(of: name)?.digest != oracle.view.digest {
      oracle.fail("convergence: \(name) has another state than the log makes")
    }
  }
}
