import ByteCoding
import Raft
import Replica
import WriteAheadLog

/// One machine: a disk and a clock that stay, and a process that comes and goes.
///
/// Everything is in one thread, and nothing that a node does calls back into its own turn: to have that checked at every access would take
/// a seventh of the simulator's time.
final class SimulatedNode<Machine: StateMachine> {
  /// What a frozen process finds when it wakes; more is lost, as by a full socket.
  static var maximumHeld: Int { 10_000 }

  @exclusivity(unchecked) var peerInfo: PeerInfo
  @exclusivity(unchecked) var disk = SimulatedDisk() { didSet { beginAudit() } }
  /// How much of what its disk did was looked at.
  @exclusivity(unchecked) var audited = (operation: 0, refusals: 0, confirmations: 0)
  @exclusivity(unchecked) var clock = SimulatedClock()
  @exclusivity(unchecked) var random: PseudoRandom
  /// Grows with each start and each end: what was planned for an earlier process does not happen.
  @exclusivity(unchecked) private(set) var generation = 0
  @exclusivity(unchecked) private(set) var process: SimulatedProcess<Machine>?
  /// Since when it is frozen.
  @exclusivity(unchecked) var pausedSince: Instant?
  @exclusivity(unchecked) var held: [Happening] = []
  /// How long a turn takes at least; what comes meanwhile waits in `backlog`.
  @exclusivity(unchecked) var turnTime: Nanoseconds = .zero
  @exclusivity(unchecked) var isBusyUntil = Instant.zero
  @exclusivity(unchecked) var backlog = ArraySlice<Happening>()
  /// Whether the moment is planned at which it takes from its backlog.
  @exclusivity(unchecked) var turnDoneIsPlanned = false
  /// Decides how long it is busy and how much it takes at once: apart, so that a story without such turns is the same run as ever.
  @exclusivity(unchecked) var turnRandom: PseudoRandom
  /// It takes several events in one turn just now, and whether one of them has begun the turn.
  @exclusivity(unchecked) var isGathering = false
  @exclusivity(unchecked) var turnIsOpen = false
  /// How long its disk takes for one sync, if not what holds everywhere.
  @exclusivity(unchecked) var syncLatency: ClosedRange<Nanoseconds>?
  /// Until when its disk does not answer.
  @exclusivity(unchecked) var diskStallsUntil = Instant.zero
  /// Whether what ends the process in the middle of its work takes the page cache too.
  @exclusivity(unchecked) var losesPower = false
  /// Who its disk says that it is; `nil` before its first start.
  @exclusivity(unchecked) private(set) var identity: NodeID?
  /// What it was asked, in order. It knows each request by its place here: all nodes count alike, so that a number which means one request
  /// here means another one there, as it may where they begin anywhere. The first place is nobody's: no request may have it.
  @exclusivity(unchecked) var requests: [RequestID] = [Proposal.unasked]

  init(peerInfo: PeerInfo, seed: UInt64) {
    self.peerInfo = peerInfo
    random = PseudoRandom(seed: seed)
    turnRandom = PseudoRandom(seed: ~seed)
    beginAudit()
  }

  /// Of so many removed files, one is looked at with what a loss of power would leave without it.
  private static var removalsPerAudit: Int { 16 }

  private func beginAudit() {
    disk.removalsPerImage = Self.removalsPerAudit
    audited = (0, 0, 0)
  }

  /// Starts the real node on the real recovery code.
  func start(settings: ReplicaSettings, log: LogOptions, now: Instant) throws -> NodeStorage<Machine, SimulatedDisk> {
    let storage = try NodeStorage<Machine, SimulatedDisk>(
      opening: disk, name: peerInfo.name, newborn: NodeID(random.next() | 1), options: log)
    let replica = try ReplicaCore(
      identity: storage.identity, peerInfo: peerInfo, recovered: storage.recovered, snapshot: storage.snapshot,
      snapshotBytes: storage.snapshotBytes, machine: storage.machine, settings: settings, seed: random.next(), now: clock.local(now))
    forget()
    identity = storage.identity.node
    process = SimulatedProcess(replica: replica, log: storage.log, lanes: [storage.snapshots, storage.snapshotsForPeers])
    return storage
  }

  /// The disk is empty; who starts from it is another node.
  func wipe() {
    disk = SimulatedDisk()
    identity = nil
  }

  func end() {
    process = nil
    forget()
  }

  /// What was meant for the process of before reaches no other.
  private func forget() {
    pausedSince = nil
    held = []
    backlog = []
    isBusyUntil = .zero
    turnDoneIsPlanned = false
    isGathering = false
    turnIsOpen = false
    generation += 1
  }
}

/// What a start makes anew, from what is on the disk.
final class SimulatedProcess<Machine: StateMachine> {
  @exclusivity(unchecked) var replica: ReplicaCore<Machine>
  @exclusivity(unchecked) var effects = ReplicaEffects<Machine>()
  @exclusivity(unchecked) var log: LogFiles<SimulatedDisk>
  /// The threads that work on snapshots: one writes, one reads for peers.
  @exclusivity(unchecked) var lanes: [SnapshotLane]
  /// What waits for the log's thread.
  @exclusivity(unchecked) var logQueue = LogQueue()
  /// What the log's thread is at.
  @exclusivity(unchecked) var logStep: LogQueue.Step?
  /// It found the disk full, and tries again later.
  @exclusivity(unchecked) var waitsForRoom = false
  /// What was stepped since the last turn ended: as much as the cluster hands in itself.
  @exclusivity(unchecked) var eventsInTurn = 0
  /// Where it stood after its last turn, and whether it led once.
  @exclusivity(unchecked) var last: ConsensusState?
  @exclusivity(unchecked) var timesForgotten = 0
  @exclusivity(unchecked) var hasLed = false
  /// What was applied when the state was last shown to whoever asked for it.
  @exclusivity(unchecked) var shownApplied: LogIndex = 0
  /// What a trace has been told of this process.
  @exclusivity(unchecked) var traced: ConsensusState?
  /// The moment of the world for which a tick is planned.
  @exclusivity(unchecked) var plannedTick: Instant = .never

  struct SnapshotLane {
    var files: SnapshotFiles<Machine, SimulatedDisk>
    var work: [SnapshotWork<Machine>] = []
    var isBusy = false
  }

  init(replica: ReplicaCore<Machine>, log: LogFiles<SimulatedDisk>, lanes: [SnapshotFiles<Machine, SimulatedDisk>]) {
    self.replica = replica
    self.log = log
    self.lanes = lanes.map { SnapshotLane(files: $0) }
  }
}

/// Something that happens to one node.
enum Happening {
  case frame([UInt8], message: Int, from: Int, to: Int, PeerProof)
  case intrusion(Intrusion, to: Int)
  /// A process has ended, and the system has closed its connections.
  case disconnected(from: Int, to: Int)
  case tick(node: Int, generation: Int)
  case request(RequestID, ClientRequest, node: Int)
  /// The disk has answered the log's thread.
  case logDone(node: Int, generation: Int)
  /// The log's thread tries again to find room on a full disk.
  case logRetry(node: Int, generation: Int)
  case snapshotDone(node: Int, lane: Int, generation: Int)
  /// A slow node has done its turn, and takes what waits.
  case turnDone(node: Int, generation: Int)

  /// Whose process it happens to.
  var node: Int {
    switch self {
    case .frame(_, _, _, let node, _), .intrusion(_, let node), .disconnected(_, let node), .tick(let node, _), .request(_, _, let node),
      .logDone(let node, _), .logRetry(let node, _), .snapshotDone(let node, _, _), .turnDone(let node, _):
      node
    }
  }
}

/// What a client asks of a node, and how long it waits.
enum ClientRequest {
  case propose([UInt8], timeout: Nanoseconds)
  case read(Consistency, timeout: Nanoseconds)
  case operate(OperatorRequest, timeout: Nanoseconds)
  case ask([UInt8], timeout: Nanoseconds)
}
