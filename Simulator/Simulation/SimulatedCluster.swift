import ByteCoding
import Raft
import Replica
import WriteAheadLog

/// A whole cluster in one thread and in virtual time: real replicas, real logs, real recovery, on simulated disks and a simulated network.
/// The same seed and the same calls give the same run, event for event (`fingerprint`).
public final class SimulatedCluster<Machine: StateMachine> {
  /// The end of a request.
  public enum Outcome {
    case applied(Machine.Output)
    case view(Machine.View, index: LogIndex, staleness: Nanoseconds?)
    case failed(RequestError)
  }

  enum Happening {
    case frame([UInt8], from: Int, to: Int)
    case tick(node: Int, generation: Int)
    case logDone(node: Int, generation: Int, through: UInt64?, identitySaved: Bool)
    case snapshotDone(node: Int, generation: Int)
  }

  public let names: [String]
  public var network = SimulatedNetwork()
  /// How long a disk takes for one sync.
  public var syncLatency: ClosedRange<Nanoseconds> = .milliseconds(1) ... .milliseconds(5)
  public var settings: ReplicaSettings
  public private(set) var now = Instant.zero
  /// Changes with every event: two runs that have the same are the same run.
  public private(set) var fingerprint: UInt64 = 0xcbf2_9ce4_8422_2325
  /// Events so far.
  public private(set) var eventCount = 0
  /// What the nodes said, in order.
  public private(set) var notices: [(name: String, notice: Notice)] = []
  /// Called for each answer, and for each entry when the first node commits it.
  public var onOutcome: ((RequestID, Outcome) -> Void)?
  public var onCommit: ((Entry) -> Void)?
  /// What a judge found wrong; empty in a correct run.
  public var violations: [String] { judge.violations }

  /// More events in one virtual millisecond than any real load makes: something wakes itself without end.
  private static var maximumEventsPerMillisecond: Int { 100_000 }

  private let nodes: [SimulatedNode<Machine>]
  private var queue = EventQueue<Happening>()
  /// What came for processes that are frozen, in order.
  private var held: [(node: Int, happening: Happening)] = []
  private var random: PseudoRandom
  private var judge = SafetyJudge()
  /// The millisecond that is being lived through, and how much happened in it.
  private var pace: (millisecond: Int64, events: Int) = (0, 0)
  private var outcomes: [RequestID: Outcome] = [:]
  private var lastRequest: RequestID = 0

  /// - Parameter lists: whom a node was told of, itself included, before it started for the first time. Whoever has no list knows all.
  public init(names: [String], lists: [String: [String]] = [:], seed: UInt64, settings: ReplicaSettings = ReplicaSettings()) {
    self.names = names
    self.settings = settings
    random = PseudoRandom(seed: seed)
    nodes = names.map { name in
      let initial = (lists[name] ?? names).map { Contact.InitialMember(name: $0, peerAddress: $0) }
      return SimulatedNode(
        contact: Contact(name: name, peerAddress: name, clientAddress: "\(name)-client", initialCluster: initial), disk: SimulatedDisk())
    }
  }

  // MARK: Processes

  /// Starts the process of a node from what its disk holds.
  public func start(_ name: String) throws {
    let node = index(name)
    try nodes[node].start(newborn: NodeID(random.next() | 1), settings: settings, seed: random.next(), now: now)
    if let id = nodes[node].process?.replica.status.node { judge.restarted(id) }
    endTurn(of: node)
  }

  public func startAll() throws {
    for name in names { try start(name) }
  }

  /// The process ends; the page cache stays.
  public func crash(_ name: String) {
    nodes[index(name)].stop()
    disk(of: name).crash()
  }

  /// The process ends, and what was not synced may be lost.
  public func losePower(_ name: String) {
    nodes[index(name)].stop()
    disk(of: name).losePower(using: &random)
  }

  /// Freezes a process, as the host of a virtual machine does: what comes for it waits.
  public func pause(_ name: String) { nodes[index(name)].isPaused = true }

  /// The process goes on, and finds at once all that came meanwhile.
  public func resume(_ name: String) {
    let node = index(name)
    nodes[node].isPaused = false
    for (_, happening) in held.filter({ $0.node == node }) { queue.plan(happening, at: now) }
    held.removeAll { $0.node == node }
  }

  public func isPaused(_ name: String) -> Bool { nodes[index(name)].isPaused }
  public func isRunning(_ name: String) -> Bool { nodes[index(name)].process != nil }
  public func disk(of name: String) -> SimulatedDisk { nodes[index(name)].disk }
  public func status(of name: String) -> ReplicaStatus? { nodes[index(name)].process?.replica.status }
  public func view(of name: String) -> Machine.View? { nodes[index(name)].process?.replica.view }

  /// The running node that leads in the highest term.
  public var leader: String? {
    names.filter { status(of: $0)?.role == .leader }.max { status(of: $0)?.term ?? 0 < status(of: $1)?.term ?? 0 }
  }

  // MARK: Requests

  public func propose(_ command: [UInt8], on name: String, timeout: Nanoseconds = .milliseconds(5000)) -> RequestID {
    submit(on: name) { .propose($0, command: command[...], deadline: now + timeout) }
  }

  public func read(_ consistency: Consistency, on name: String, timeout: Nanoseconds = .milliseconds(5000)) -> RequestID {
    submit(on: name) { .read($0, consistency, deadline: now + timeout) }
  }

  /// The name that the next request gets.
  public var nextRequest: RequestID { lastRequest + 1 }

  /// The end of a request; `nil` while it is under way, and for good if the node that took it has gone.
  public func outcome(of request: RequestID) -> Outcome? { outcomes[request] }

  private func submit(on name: String, _ event: (RequestID) -> ReplicaEvent<Machine>) -> RequestID {
    lastRequest += 1
    step(index(name), event(lastRequest))
    return lastRequest
  }

  // MARK: Time

  /// Lets everything happen that is planned for the next `duration`.
  public func run(for duration: Nanoseconds) {
    let end = now + duration
    while queue.nextInstant <= end { happen() }
    now = end
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
    keepPace()
    record(UInt64(bitPattern: at.nanoseconds))
    eventCount += 1
    guard !nodes[happening.node].isPaused else { return held.append((happening.node, happening)) }
    switch happening {
    case .frame(let bytes, let source, let destination):
      record(UInt64(CRC32C.checksum(bytes)))
      step(destination, .frame(bytes[...], connection: UInt64(source)))
    case .tick(let node, let generation):
      guard nodes[node].generation == generation else { return }
      nodes[node].withProcess { $0.plannedTick = .never }
      step(node, .tick)
    case .logDone(let node, let generation, let through, let identitySaved):
      if nodes[node].generation == generation { finishLog(node, through: through, identitySaved: identitySaved) }
    case .snapshotDone(let node, let generation):
      if nodes[node].generation == generation { finishSnapshotWork(node) }
    }
  }

  private func keepPace() {
    let millisecond = now.nanoseconds / .milliseconds(1)
    pace = millisecond == pace.millisecond ? (millisecond, pace.events + 1) : (millisecond, 1)
    if pace.events > Self.maximumEventsPerMillisecond {
      judge.report("livelock: \(pace.events) events in one millisecond, at \(now.nanoseconds) ns")
      queue.removeAll()
    }
  }

  private func record(_ value: UInt64) { fingerprint = (fingerprint ^ value) &* 0x100_0000_01b3 }

  // MARK: Turns

  private func step(_ node: Int, _ event: ReplicaEvent<Machine>) {
    let now = now
    nodes[node].withProcess { $0.replica.step(event, now: now, into: &$0.effects) }
    endTurn(of: node)
  }

  private func endTurn(of node: Int) {
    let now = now
    guard
      let effects = nodes[node].withProcess({ process in
        process.replica.endTurn(now: now, into: &process.effects)
        var effects = ReplicaEffects<Machine>()
        swap(&effects, &process.effects)
        return effects
      })
    else { return }
    let committed = nodes[node].withProcess { $0.replica.raft.map { judge.check($0) } ?? [] }
    for entry in committed ?? [] { onCommit?(entry) }
    carryOut(effects, of: node)
    planTick(of: node)
  }

  private func carryOut(_ effects: ReplicaEffects<Machine>, of node: Int) {
    for (destination, frame) in effects.frames { send(frame, from: node, to: destination) }
    for reply in effects.replies { settle(reply) }
    notices += effects.notices.map { (names[node], $0) }
    nodes[node].withProcess { process in
      process.identity = effects.identity ?? process.identity
      process.writes += effects.writes
      process.cut = effects.cut ?? process.cut
      process.snapshotWork += effects.snapshots
    }
    beginLog(node)
    beginSnapshotWork(node)
  }

  private func send(_ frame: [UInt8], from source: Int, to destination: Destination) {
    let target: Int? =
      switch destination {
      case .address(let address): nodes.firstIndex { $0.contact.peerAddress == address }
      case .connection(let connection): Int(connection)
      }
    guard let target else { return }
    for at in network.arrivals(from: names[source], to: names[target], now: now, using: &random) {
      queue.plan(.frame(frame, from: source, to: target), at: at)
    }
  }

  private func settle(_ reply: Reply<Machine>) {
    let (id, outcome): (RequestID, Outcome) =
      switch reply {
      case .applied(let id, let output): (id, .applied(output))
      case .view(let id, let view, let index, let staleness): (id, .view(view, index: index, staleness: staleness))
      case .failed(let id, let error): (id, .failed(error))
      }
    if outcomes[id] != nil { judge.report("request \(id) was answered twice") }
    outcomes[id] = outcome
    onOutcome?(id, outcome)
  }

  private func planTick(of node: Int) {
    let generation = nodes[node].generation
    let now = now
    let planned = nodes[node].withProcess { process -> Instant? in
      let deadline = max(process.replica.deadline, now + 1)
      guard deadline < process.plannedTick else { return nil }
      process.plannedTick = deadline
      return deadline
    }
    if let planned = planned ?? nil { queue.plan(.tick(node: node, generation: generation), at: planned) }
  }

  // MARK: The log's thread

  /// Everything that waits becomes one write, and one sync that takes its time.
  private func beginLog(_ node: Int) {
    let generation = nodes[node].generation
    let latency = random.nanoseconds(in: syncLatency)
    let begun = nodes[node].withProcess { process -> Happening? in
      guard !process.logIsBusy, process.identity != nil || !process.writes.isEmpty || process.cut != nil else { return nil }
      let record = process.identity
      let writes = process.writes
      let cut = process.cut
      (process.identity, process.writes, process.cut) = (nil, [], nil)
      process.logIsBusy = true
      do {
        if let record { try process.log.save(record) }
        if !writes.isEmpty { try process.log.append(writes) }
        if let cut { try process.log.cut(through: cut) }
        return .logDone(node: node, generation: generation, through: writes.last?.sequence, identitySaved: record != nil)
      } catch {
        process.replica.step(.storageFailed("\(error)"), now: now, into: &process.effects)
        return nil
      }
    }
    if let happening = begun ?? nil { queue.plan(happening, at: now + latency) }
  }

  private func finishLog(_ node: Int, through: UInt64?, identitySaved: Bool) {
    let now = now
    nodes[node].withProcess { process in
      process.logIsBusy = false
      do {
        if through != nil { try process.log.sync() }
        if identitySaved { process.replica.step(.identitySaved, now: now, into: &process.effects) }
        if let through { process.replica.step(.written(through: through), now: now, into: &process.effects) }
      } catch {
        process.replica.step(.storageFailed("\(error)"), now: now, into: &process.effects)
      }
    }
    endTurn(of: node)
  }

  // MARK: The snapshots' thread

  private func beginSnapshotWork(_ node: Int) {
    let generation = nodes[node].generation
    let latency = random.nanoseconds(in: syncLatency)
    let isDue = nodes[node].withProcess { process in
      guard !process.snapshotsAreBusy, !process.snapshotWork.isEmpty else { return false }
      process.snapshotsAreBusy = true
      return true
    }
    if isDue ?? false { queue.plan(.snapshotDone(node: node, generation: generation), at: now + latency) }
  }

  private func finishSnapshotWork(_ node: Int) {
    let now = now
    nodes[node].withProcess { process in
      process.snapshotsAreBusy = false
      guard let cluster = process.replica.raft.flatMap({ _ in process.replica.status.cluster }) else { return }
      let event = process.snapshots.perform(process.snapshotWork.removeFirst(), cluster: cluster)
      process.replica.step(event, now: now, into: &process.effects)
    }
    endTurn(of: node)
  }

  private func index(_ name: String) -> Int {
    guard let index = names.firstIndex(of: name) else { preconditionFailure("no node is called \(name)") }
    return index
  }
}

extension SimulatedCluster.Happening {
  /// Whose process it happens to.
  var node: Int {
    switch self {
    case .frame(_, _, let node), .tick(let node, _), .logDone(let node, _, _, _), .snapshotDone(let node, _): node
    }
  }
}
