import ByteCoding
import Raft
import WriteAheadLog

/// One whole node, minus waiting: consensus, the application's state, its clients' requests, snapshots, and the forming of the cluster.
///
/// A deterministic value that is told what happened (`step`), and says at the end of a turn what it wants done (`endTurn`). The runtime and
/// the simulator carry it out; what is decided, is decided here: by `ReplicaControl`, to which this adds the state machine.
public struct ReplicaCore<Machine: StateMachine>: Sendable {
  // First, so that where its parts lie does not depend on the state machine's type.
  @usableFromInline var control: ReplicaControl
  @usableFromInline var machine: Machine

  /// - Parameters:
  ///   - identity: Who the node is, as its directory says.
  ///   - peerInfo: What it tells the others of itself.
  ///   - recovered: What the log holds, reconciled with `snapshot`; `nil` if there is no log.
  ///   - snapshot: The newest one on disk.
  ///   - snapshotBytes: In its blocks.
  ///   - machine: The state of the snapshot, or an empty one.
  ///   - settings: Times and bounds, which make sense together (`ReplicaSettings.validate`).
  ///   - seed: Different at each start, and for each node.
  ///   - now: The time on the node's monotonic clock.
  /// - Throws: `MalformedBytes` if the log cannot be one of a cluster.
  public init(
    identity: IdentityRecord, peerInfo: PeerInfo, recovered: DurableState?, snapshot: SnapshotDescriptor?, snapshotBytes: Int = 0,
    machine: Machine, settings: ReplicaSettings, seed: UInt64, now: Instant
  ) throws(MalformedBytes) {
    control = try ReplicaControl(
      identity: identity, peerInfo: peerInfo, recovered: recovered, snapshot: snapshot, snapshotBytes: snapshotBytes, settings: settings,
      seed: seed, now: now)
    self.machine = machine
  }

  /// This node's part in the consensus, once the cluster has formed.
  @inlinable public var raft: RaftCore? { control.raft }

  @inlinable public var view: Machine.View { machine.view }

  /// When to call `step(.tick)` next, if nothing else happens before.
  @inlinable public var deadline: Instant { control.deadline }

  public var status: ReplicaStatus { control.status }
  /// How its followers fare, while this node leads; empty otherwise.
  public var followers: [FollowerStatus] { control.pace.followers }

  /// The frame to send first on each new connection to a member's address; `nil` for any other.
  public func greeting(for address: String) -> [UInt8]? { control.greeting(for: address) }

  /// Takes one event. Follow the last one at hand with `endTurn`.
  @inlinable
  public mutating func step(_ event: ReplicaEvent<Machine>, now: Instant, into effects: inout ReplicaEffects<Machine>) {
    switch event {
    case .tick: control.tick(now: now, into: &effects.control)
    case .frame(let bytes, let connection): control.receive(bytes, connection: connection, now: now, into: &effects.control)
    case .disconnected(let connection): control.disconnected(connection, now: now)
    case .propose(let id, let command, let deadline): control.propose(id, command: command, deadline: deadline, into: &effects.control)
    case .read(let id, let consistency, let deadline): control.read(id, consistency, deadline: deadline, now: now, into: &effects.control)
    case .ask(let id, let question, let deadline): control.ask(id, question: question, deadline: deadline, into: &effects.control)
    case .cancel(let id): control.cancel(id, into: &effects.control)
    case .operate(let id, let request, let deadline):
      control.operate(id, request, deadline: deadline, now: now, into: &effects.control)
    case .identitySaved: control.identitySaved(now: now, into: &effects.control)
    case .written(let sequence): control.written(through: sequence, now: now, into: &effects.control)
    case .logRead(let request, let result): control.logRead(request, result, now: now, into: &effects.control)
    case .snapshotSaved(let descriptor, let bytes): control.snapshotSaved(descriptor, bytes: bytes, now: now, into: &effects.control)
    case .snapshotBlock(let descriptor, let number, let block, let file, let peer):
      control.sendBlock(descriptor, number: number, block: block, file: file, to: peer, now: now, into: &effects.control)
    case .snapshotReleased, .snapshotsRemoved: break
    case .snapshotStored(let descriptor, let number, let last):
      control.blockStored(descriptor, number: number, last: last, into: &effects.control)
    case .restored(let descriptor, let restored, let bytes):
      if control.install(descriptor, bytes: bytes, now: now, into: &effects.control) { machine = restored }
    case .snapshotFailed(let descriptor, let text): control.snapshotFailed(descriptor, text, now: now, into: &effects.control)
    case .storageFailed(let text): control.storageFailed(text, into: &effects.control)
    case .stop: control.stop(into: &effects.control)
    }
    if effects.control.needsState { effects.addState(of: machine) }
  }

  /// Ends a turn: everything that was proposed goes out together, and everything that is ready is answered.
  @inlinable
  public mutating func endTurn(now: Instant, into effects: inout ReplicaEffects<Machine>) {
    if control.dispatch(now: now, into: &effects.control) { apply(into: &effects) }
    lead(now: now, into: &effects)
    control.finishTurn(now: now, into: &effects.control)
    for asked in control.takeReadyQuestions() { answer(asked, now: now, into: &effects) }
    if effects.control.needsState { effects.addState(of: machine) }
  }

  /// What the state machine has to do on the node that leads, and there alone.
  @inlinable
  mutating func lead(now: Instant, into effects: inout ReplicaEffects<Machine>) {
    let commands = machine.lead(control.ledTerm, now: now)
    if !commands.isEmpty { control.proposeAsLeader(commands) }
    control.leaderDeadline = machine.leaderDeadline
  }

  @inlinable
  mutating func answer(_ asked: ReplicaControl.AskedQuestions, now: Instant, into effects: inout ReplicaEffects<Machine>) {
    var answers: [Bytes] = []
    answers.reserveCapacity(asked.list.count)
    for question in asked.list {
      let answer = machine.answer(question.payload, askedAt: asked.at, now: now)
      precondition(answer.count <= ReplicaSettings.largestQuestion, "StateMachine.answer must give no more than largestQuestion bytes")
      answers.append(answer[...])
    }
    control.answered(asked, with: answers, into: &effects.control)
  }

  /// Applies committed commands in order, and returns their outputs to the clients that wait for them.
  @inlinable
  mutating func apply(into effects: inout ReplicaEffects<Machine>) {
    let batch = control.nextCommitted()
    let outputs = batch.commands.isEmpty ? [] : machine.apply(batch.commands)
    precondition(outputs.count == batch.commands.count, "StateMachine.apply must give one output for each command")
    for (place, request) in batch.awaited { effects.replies.append(.applied(request, outputs[place])) }
    control.applied(batch)
  }
}
