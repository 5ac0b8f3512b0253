import ByteCoding
import Raft
import WriteAheadLog

/// One whole node, minus waiting: consensus, the application's state, its clients' requests, snapshots, and the forming of the cluster.
///
/// A deterministic value that is told what happened (`step`), and says at the end of a turn what it wants done (`endTurn`). The runtime and
/// the simulator carry it out; what is decided, is decided here.
public struct Replica<Machine: StateMachine>: Sendable {
  let settings: ReplicaSettings
  let contact: Contact
  var identity: IdentityRecord
  /// While the cluster has not formed.
  var formation: Formation?
  /// Once it has.
  public internal(set) var raft: Raft?
  var consensus = Effects()
  var random: PseudoRandom

  var machine: Machine
  var appliedIndex: LogIndex = 0
  var isStopped = false
  /// Why nothing more can be promised, if the disk failed.
  var storageFailure: String?

  var pending = PendingRequests()
  /// Commands that wait for a leader, in the order in which they came.
  var queue: [(id: RequestID, payload: Bytes)] = []
  var inFlight: InFlight
  var reads = Reads()
  var snapshots: Snapshots

  /// Messages that wait until the term that they name is durable.
  var withheld: [Outbound] = []
  var durableSequence: UInt64 = 0
  var nextIntroduction: Instant
  /// Whom we said that we wait for.
  var reportedAwaited: [String] = []
  var lastRefusalNotice: Instant?
  /// What was last said of role and leader.
  var reported: (role: Raft.Role, leader: NodeID?, term: Term) = (.follower, nil, 0)
  var hasWork = false

  /// - Parameters:
  ///   - recovered: what the log holds, reconciled with `snapshot`; `nil` if there is no log.
  ///   - snapshot: the newest one on disk; `machine` is its state, or empty.
  ///   - seed: different at each start, and for each node.
  /// - Throws: `MalformedBytes` if the log cannot be one of a cluster.
  public init(
    identity: IdentityRecord, contact: Contact, recovered: Recovered?, snapshot: SnapshotDescriptor?, machine: Machine,
    settings: ReplicaSettings, seed: UInt64, now: Instant
  ) throws(MalformedBytes) {
    self.settings = settings
    self.contact = contact
    self.identity = identity
    self.machine = machine
    random = PseudoRandom(seed: seed)
    inFlight = InFlight(stream: random.next())
    snapshots = Snapshots(newest: snapshot)
    nextIntroduction = now
    appliedIndex = snapshot?.position.index ?? 0
    switch identity.phase {
    case .undecided: formation = Formation(identity: identity, contact: contact)
    case .promised where (recovered?.last ?? .zero) == .zero: formation = Formation(identity: identity, contact: contact)
    case .promised, .formed:
      guard let recovered else { throw MalformedBytes("log: it is missing") }
      let state = DurableState(
        hardState: recovered.hardState, start: recovered.start, entries: recovered.entries, commit: recovered.commit)
      raft = try Raft(
        restarting: state, snapshot: snapshot, id: identity.node, settings: settings.raft, seed: random.next(), now: now)
    }
  }

  public var view: Machine.View { machine.view }

  /// When to call `step(.tick)` next, if nothing else happens before.
  public var deadline: Instant {
    if isStopped { return pending.deadline }
    if hasWork { return .zero }
    let clients = min(pending.deadline, reads.deadline)
    guard let raft else { return min(nextIntroduction, clients) }
    return min(raft.deadline, min(clients, snapshots.deadline))
  }

  public var status: ReplicaStatus {
    var status = ReplicaStatus(node: identity.node, name: contact.name)
    status.cluster = raft == nil ? nil : identity.cluster
    status.pendingRequests = pending.count
    status.pendingBytes = pending.bytes
    guard let raft else { return status }
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
    status.members = raft.configuration.voters
    return status
  }

  /// Takes one event. Follow the last one at hand with `endTurn`.
  public mutating func step(_ event: ReplicaEvent<Machine>, now: Instant, into effects: inout ReplicaEffects<Machine>) {
    switch event {
    case .tick: tick(now: now, into: &effects)
    case .frame(let bytes, let connection): receive(bytes, connection: connection, now: now, into: &effects)
    case .propose(let id, let command, let deadline): propose(id, command: command, deadline: deadline, into: &effects)
    case .read(let id, let consistency, let deadline): read(id, consistency, deadline: deadline, now: now, into: &effects)
    case .identitySaved: identitySaved(now: now, into: &effects)
    case .written(let sequence): written(through: sequence, now: now, into: &effects)
    case .snapshotSaved(let descriptor, _): snapshotSaved(descriptor, now: now, into: &effects)
    case .snapshotBlock(let descriptor, let number, let block, let count, let peer):
      sendBlock(descriptor, number: number, block: block, count: count, to: peer, now: now, into: &effects)
    case .snapshotStored(let descriptor, let number, let last):
      blockStored(descriptor, number: number, last: last, into: &effects)
    case .restored(let descriptor, let machine): install(descriptor, machine, now: now, into: &effects)
    case .snapshotFailed(let descriptor, let text):
      effects.notices.append(.snapshotFailed(descriptor.position.index, text))
      snapshotFailed(descriptor, now: now)
    case .storageFailed(let text):
      storageFailure = text
      stop(into: &effects)
    case .stop: stop(into: &effects)
    }
  }

  /// Ends a turn: everything that was proposed goes out together, and everything that is ready is answered.
  public mutating func endTurn(now: Instant, into effects: inout ReplicaEffects<Machine>) {
    hasWork = false
    defer {
      effects.deadline = deadline
      effects.consensus = consensusState
    }
    guard !isStopped else { return }
    dispatchQueue(now: now)
    dispatchReads(now: now)
    raft?.endTurn(now: now, into: &consensus)
    carryOut(now: now, into: &effects)
    apply(into: &effects)
    answerReads(into: &effects)
    takeSnapshotIfDue(into: &effects)
    releaseMessages(into: &effects)
    report(into: &effects)
  }

  private mutating func tick(now: Instant, into effects: inout ReplicaEffects<Machine>) {
    expireRequests(now: now, into: &effects)
    guard !isStopped else { return }
    if formation != nil, now >= nextIntroduction { introduce(now: now, into: &effects) }
    if let deadline = raft?.deadline, now >= deadline { raft?.step(.tick, now: now, into: &consensus) }
    reads.retryUnconfirmed(now: now)
    resumeTransfers(now: now, into: &effects)
  }

  /// What the core wants done, in the replica's own terms.
  private mutating func carryOut(now: Instant, into effects: inout ReplicaEffects<Machine>) {
    // Carrying it out may make the core say more, which must not be lost: it goes on with an empty bundle.
    var wanted = Effects()
    swap(&wanted, &consensus)
    effects.writes.append(contentsOf: wanted.writes)
    withheld.append(contentsOf: wanted.messages)
    for (id, index) in wanted.readable { reads.confirm(id, index: index) }
    for refused in wanted.refusedProposals { self.refused(refused.sequence, stream: refused.stream, now: now) }
    for incoming in wanted.snapshotBlocks { receiveBlock(incoming, into: &effects) }
    for peer in wanted.snapshotNeeded { beginTransfer(to: peer, now: now, into: &effects) }
    for (peer, position, next) in wanted.snapshotProgress { continueTransfer(to: peer, position, next: next, now: now, into: &effects) }
    withheld.append(contentsOf: consensus.messages)
    consensus.messages.removeAll(keepingCapacity: true)
  }

  private mutating func stop(into effects: inout ReplicaEffects<Machine>) {
    guard !isStopped else { return }
    isStopped = true
    queue.removeAll()
    inFlight.removeAll()
    reads.removeAll()
    for (id, item) in pending.takeAll() { effects.replies.append(.failed(id, stopError(for: item.state))) }
  }

  func stopError(for state: PendingRequests.State) -> RequestError {
    RequestError(storageFailure.map { .storage($0) } ?? .stopped, outcome: state == .sent ? .unknown : .notDone)
  }
}
