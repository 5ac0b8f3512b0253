import ByteCoding
import Raft
import WriteAheadLog

/// All of a replica but the application's state: consensus, clients' requests, snapshots, and the forming of the cluster.
///
/// It knows nothing of the state machine's type, so it is compiled once, here, and no turn pays for generic code.
@usableFromInline
struct ReplicaControl: Sendable {
  let settings: ReplicaSettings
  let peerInfo: PeerInfo
  var identity: IdentityRecord
  /// While the cluster has not formed.
  var formation: Formation?
  /// Once it has.
  @usableFromInline var raft: RaftCore?
  var consensus = Effects()
  var random: PseudoRandom

  var appliedIndex: LogIndex = 0
  var isStopped = false
  /// Why nothing more can be promised, if the disk failed.
  var storageFailure: String?

  var pending = PendingRequests()
  /// Commands that wait for a leader, in the order in which they came.
  var queue: [(id: RequestID, payload: Bytes)] = []
  var inFlight: InFlight
  /// What was cancelled since answered requests were last dropped everywhere.
  var cancelled = (requests: 0, bytes: 0)
  /// How often answered commands were dropped from those in flight because they were most of them.
  var timesForgotten = 0
  var reads = Reads()
  var questions = Questions()
  /// Of the last entry that was applied.
  var appliedTerm: Term = 0
  /// What the state machine decided as a leader's in the last turn, and in which term.
  var leaderCommands: (term: Term, commands: [LeaderCommand])?
  /// When the state machine has something to do as a leader's.
  @usableFromInline var leaderDeadline = Instant.never
  var snapshots: Snapshots
  var pace = Pace()

  /// Messages that wait until the term that they name is durable.
  var withheld: [Outbound] = []
  /// Nodes of the cluster that the configuration does not name, and over which connection each was last heard; the newest last. At the
  /// bound, `Configuration.maximumMembers`, the oldest is forgotten: what was meant for it is lost, and asked for again.
  var callers: [(node: NodeID, connection: UInt64)] = []
  /// Over which connections the leader was heard: one for each lane, and those before, until they end. At the bound the oldest is
  /// forgotten.
  var leaderConnections: (leader: NodeID, connections: [UInt64])?
  /// Members that are reached elsewhere than the configuration says, or that should rather lead than others; at most as many as there are
  /// members.
  var acquaintances: [Acquaintance] = []
  var nextIntroduction: Instant
  var nextShow: Instant = .zero
  let startedAt: Instant
  /// Whether this node has something to say of itself just now.
  var introducesItself: Bool
  var durableSequence: UInt64 = 0
  var nextBootstrap: Instant
  /// Whom we said that we wait for.
  var reportedAwaited: [String] = []
  var lastRefusalNotice: Instant?
  /// What was last said of role and leader.
  var reported: (role: RaftCore.Role, leader: NodeID?, term: Term) = (.follower, nil, 0)
  var hasWork = false
  /// Whether it was said that this node is no member any more.
  var reportedRemoval = false

  init(
    identity: IdentityRecord, peerInfo: PeerInfo, recovered: DurableState?, snapshot: SnapshotDescriptor?, snapshotBytes: Int,
    settings: ReplicaSettings, seed: UInt64, now: Instant
  ) throws(MalformedBytes) {
    self.settings = settings
    self.peerInfo = peerInfo
    self.identity = identity
    random = PseudoRandom(seed: seed)
    inFlight = InFlight(stream: random.next())
    snapshots = Snapshots(newest: snapshot, bytes: snapshotBytes)
    nextBootstrap = now
    nextIntroduction = now
    startedAt = now
    introducesItself = true
    appliedIndex = snapshot?.position.index ?? 0
    appliedTerm = snapshot?.position.term ?? 0
    switch identity.phase {
    case .undecided: formation = Formation(identity: identity, peerInfo: peerInfo)
    case .voted where (recovered?.last ?? .zero) == .zero: formation = Formation(identity: identity, peerInfo: peerInfo)
    case .voted, .joined, .formed:
      guard let recovered else { throw MalformedBytes("log: it is missing") }
      raft = try RaftCore(
        restarting: recovered, snapshot: snapshot, joining: identity.isNewcomer, id: identity.node, settings: settings.raft,
        seed: random.next(), now: now)
    }
  }

  @usableFromInline var deadline: Instant {
    if isStopped { return pending.deadline }
    if hasWork { return .zero }
    let clients = min(min(pending.deadline, reads.deadline), min(questions.deadline, leaderDeadline))
    guard let consensus = raft?.deadline else { return min(nextBootstrap, clients) }
    return min(min(consensus, introducesItself ? nextIntroduction : .never), min(clients, snapshots.deadline))
  }

  var status: ReplicaStatus {
    var status = ReplicaStatus(node: identity.node, name: peerInfo.name)
    status.cluster = raft == nil ? nil : identity.cluster
    status.pendingRequests = pending.count
    status.pendingBytes = pending.bytes
    guard let raft else {
      status.awaited = formation?.awaited ?? []
      if isStopped { status.role = .stopped }
      return status
    }
    status.role =
      switch raft.role {
      case .follower: .follower
      case .preCandidate, .candidate: .candidate
      case .leader: .leader
      }
    if isStopped { status.role = .stopped }
    status.term = raft.term
    status.leader = raft.leader
    status.commitIndex = raft.commitIndex
    status.appliedIndex = appliedIndex
    status.lastIndex = raft.lastIndex
    status.snapshotIndex = snapshots.newest?.position.index ?? 0
    status.members = raft.configuration.members
    status.configuration = raft.configuration
    if raft.isRemoved { status.isRemoved = true }
    status.slowedFor = pace.limit?.follower
    return status
  }

  /// What was proposed and asked goes out together. True if entries wait for the state machine: what came of them is told afterwards.
  @usableFromInline
  mutating func dispatch(now: Instant, into effects: inout ControlEffects) -> Bool {
    guard !isStopped else { return false }
    hasWork = false
    dispatchLeaderCommands(now: now, into: &effects)
    dispatchQueue(now: now)
    dispatchQuestions(now: now, into: &effects)
    dispatchReads(now: now)
    raft?.endTurn(now: now, into: &consensus)
    carryOut(now: now, into: &effects)
    return hasUnappliedEntries
  }

  /// The rest of a turn, once the state is up to date.
  @usableFromInline
  mutating func finishTurn(now: Instant, into effects: inout ControlEffects) {
    if !isStopped {
      answerReads(into: &effects)
      takeSnapshotIfDue(now: now, into: &effects)
      forgetApplied(now: now)
      releaseMessages(into: &effects)
      report(into: &effects)
    }
    effects.deadline = deadline
    effects.consensus = consensusState
  }

  @usableFromInline
  mutating func tick(now: Instant, into effects: inout ControlEffects) {
    expireRequests(now: now, into: &effects)
    guard !isStopped else { return }
    if formation != nil, now >= nextBootstrap { sendBootstrap(now: now, into: &effects) }
    if let deadline = raft?.deadline, now >= deadline { raft?.step(.tick, now: now, into: &consensus) }
    introduceItself(now: now, into: &effects)
    heedAcquaintances(now: now)
    reads.retryUnconfirmed(now: now)
    questions.retry(now: now)
    resumeTransfers(now: now, into: &effects)
    setPace(now: now, into: &effects)
  }

  /// What the core wants done, in the replica's own terms.
  private mutating func carryOut(now: Instant, into effects: inout ControlEffects) {
    guard !consensus.isEmpty else { return }
    // Carrying it out may make the core say more, which must not be lost: it goes on with an empty bundle.
    var wanted = Effects()
    swap(&wanted, &consensus)
    effects.writes.append(contentsOf: wanted.writes)
    withheld.append(contentsOf: wanted.messages)
    for (id, index) in wanted.readable { reads.confirm(id, index: index) }
    for refused in wanted.refusedProposals { self.refused(refused.sequence, stream: refused.stream, now: now) }
    for incoming in wanted.snapshotBlocks { receiveBlock(incoming, now: now, into: &effects) }
    for peer in wanted.snapshotNeeded { beginTransfer(to: peer, now: now, into: &effects) }
    for (peer, position, next) in wanted.snapshotProgress { continueTransfer(to: peer, position, next: next, now: now, into: &effects) }
    effects.logReads.append(contentsOf: wanted.entriesNeeded)
    for (id, error) in wanted.operated { operated(id, error, into: &effects) }
    withheld.append(contentsOf: consensus.messages)
    consensus.messages.clear()
    if let contradiction = wanted.contradiction {
      effects.diagnostics.append(.contradiction(contradiction))
      stop(into: &effects)
    }
    guard consensus.isEmpty else { return }
    // Its storage serves the next turn.
    wanted.removeAll()
    swap(&wanted, &consensus)
  }

  @usableFromInline
  mutating func logRead(
    _ request: EntriesRequest, _ result: Result<LogPiece, StorageError>, now: Instant, into effects: inout ControlEffects
  ) {
    switch result {
    case .success(let piece):
      raft?.step(.entriesRead(request, previous: piece.previous, piece.entries), now: now, into: &consensus)
    case .failure(let error):
      effects.diagnostics.append(.logUnreadable(request.after + 1, error.description))
      raft?.step(.entriesUnavailable(request), now: now, into: &consensus)
    }
  }

  @usableFromInline
  mutating func storageFailed(_ text: String, into effects: inout ControlEffects) {
    storageFailure = text
    stop(into: &effects)
  }

  @usableFromInline
  mutating func stop(into effects: inout ControlEffects) {
    guard !isStopped else { return }
    isStopped = true
    queue.removeAll()
    inFlight.removeAll()
    reads.removeAll()
    questions.removeAll()
    for (id, item) in pending.takeAll() { effects.answers.append(.failed(id, stopError(for: item.state))) }
  }

  func stopError(for state: PendingRequests.State) -> RequestError {
    RequestError(storageFailure.map { .storage($0) } ?? .stopped, outcome: state.isOpen ? .unknown : .notDone)
  }
}
