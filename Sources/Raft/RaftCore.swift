import ByteCoding

/// One member's part in the consensus: a deterministic value that is told what happened (`step`) and answers with what to do.
///
/// It has no clock, no disk and no network; payloads are opaque to it. Random numbers come from a generator seeded by its owner.
/// Sources: Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm", 2014 ("the paper"); Ongaro, "Consensus: Bridging
/// Theory and Practice", 2014 ("the dissertation").
public struct RaftCore: Sendable {
  public enum Role: Sendable, Equatable {
    case follower
    /// Asks whether it could win, without disturbing anyone.
    case preCandidate
    case candidate
    case leader
  }

  public let id: NodeID
  public let settings: Settings
  let termAtStart: Term

  public internal(set) var role: Role = .follower
  /// Whom this node follows, or itself; `nil` while that is unknown.
  public internal(set) var leader: NodeID?
  /// Every entry up to here is committed. Never moves backwards.
  public internal(set) var commitIndex: LogIndex
  public internal(set) var hardState: HardState

  var log: MemoryLog
  var configurations: ConfigurationHistory
  var persistence: Persistence
  var random: PseudoRandom

  /// Our log is known to be the leader's up to here, in this term.
  var verifiedIndex: LogIndex = 0
  /// What the leader was last told of our durable log.
  var acknowledgedIndex: LogIndex = 0
  var lastLeaderContact: Instant?
  var electionDeadline: Instant = .never
  var tally = VoteTally()
  /// Which forwarded proposals were looked at in this term.
  var forwarded = ForwardingLedger()
  var leadership = Leadership()
  /// A hand-over that this node began as a leader; it may outlast the leadership.
  var transfer: Transfer?
  /// A change of the members that this node began as a leader.
  var change: Change?
  /// A member said that this node is none any more.
  var wasToldToLeave = false
  /// Before then, this node does not hand over by itself again, also if it lost the term by it and leads once more.
  var nextHandOver: Instant = .zero

  public var term: Term { hardState.term }
  public var configuration: Configuration { configurations.newest.configuration }
  /// The entry that holds it.
  public var configurationIndex: LogIndex { configurations.newest.index }
  public var lastIndex: LogIndex { log.lastIndex }
  /// The position before the first entry that is in memory.
  public var logStart: LogPosition { log.start }
  /// Bytes of the entries in memory.
  public var logBytes: Int { log.bytes }
  /// The index before the first entry that the disk keeps for peers; at or before `logStart`.
  public var keptIndex: LogIndex { log.kept }
  /// Bytes of the entries that follow it, or a little more.
  public var keptBytes: Int { log.keptBytes }
  /// Everything of our log up to here survives a loss of power.
  public var durableIndex: LogIndex { persistence.durableIndex }

  /// The first start of the member of a new cluster. Every member's log begins with the same entry: the configuration, in term 1.
  public init(bootstrapping configuration: Configuration, id: NodeID, settings: Settings, seed: UInt64, now: Instant) {
    let first = Entry(index: 1, term: 1, kind: .configuration, payload: configuration.encoded()[...])
    self.init(
      id: id, state: DurableState(hardState: HardState(term: 1)), configuration: ConfigurationHistory(configuration, at: 1),
      settings: settings, seed: seed, now: now)
    log.append([first])
    commitIndex = 1
    persistence.hardStateChanged()
    persistence.logChanged(from: 1)
  }

  /// A start from what is on disk. Fails if the entries do not name a configuration that can be read. A node that is `joining` a cluster
  /// which had formed before knows of no member until it has got something of the log.
  public init(
    restarting state: DurableState, snapshot: SnapshotDescriptor?, joining: Bool = false, id: NodeID, settings: Settings, seed: UInt64,
    now: Instant
  ) throws(MalformedBytes) {
    var history = snapshot.map { ConfigurationHistory($0.configuration, at: $0.configurationIndex) }
    for entry in state.entries where entry.kind == .configuration {
      let configuration = try Configuration(decoding: entry.payload)
      guard entry.index > history?.newest.index ?? 0 else { continue }
      if history == nil {
        history = ConfigurationHistory(configuration, at: entry.index)
      } else {
        history?.append(configuration, at: entry.index)
      }
    }
    if history == nil, joining, state.start == .zero { history = ConfigurationHistory(.unknown, at: 0) }
    guard let history else { throw MalformedBytes("log: it holds no configuration") }
    self.init(id: id, state: state, configuration: history, settings: settings, seed: seed, now: now)
    commitIndex = max(snapshot?.position.index ?? 0, min(state.commit, log.lastIndex))
  }

  private init(
    id: NodeID, state: DurableState, configuration: ConfigurationHistory, settings: Settings, seed: UInt64, now: Instant
  ) {
    self.id = id
    self.settings = settings
    hardState = state.hardState
    termAtStart = state.hardState.term
    log = MemoryLog(start: state.start, entries: state.entries)
    configurations = configuration
    commitIndex = state.start.index
    persistence = Persistence(durableIndex: log.lastIndex)
    random = PseudoRandom(seed: seed)
    resetElectionTimer(now: now)
    // Nobody else can lead a group of one: there is nothing to wait for.
    if isOnlyVoter { electionDeadline = now }
  }

  /// When to call `step(.tick)` next.
  public var deadline: Instant {
    min(role == .leader ? leadership.heartbeatDeadline : electionDeadline, transfer?.deadline ?? .never)
  }

  /// The term of an entry in memory, or of the position before the first.
  public func term(at index: LogIndex) -> Term? { log.term(at: index) }

  /// Committed entries from `index` on, for the application: about `limit` bytes, at least one if there is one.
  public func committedEntries(from index: LogIndex, limit: Int) -> [Entry] {
    log.slice(from: index, through: commitIndex, limit: limit)
  }

  /// What a snapshot of the state at `index` has to say of itself; `nil` if the log no longer knows.
  public func descriptor(at index: LogIndex) -> SnapshotDescriptor? {
    guard let term = log.term(at: index) else { return nil }
    let item = configurations.item(at: index)
    return SnapshotDescriptor(
      position: LogPosition(index: index, term: term), configuration: item.configuration, configurationIndex: item.index)
  }

  /// Whether this node leads and the peer waits for a snapshot.
  public func isSendingSnapshot(to peer: NodeID) -> Bool {
    role == .leader && leadership.peers.contains { $0.peer == peer && $0.state == .snapshot }
  }

  /// How far a snapshot has to reach for this peer, which waits for one.
  public func snapshotIndex(neededBy peer: NodeID) -> LogIndex? {
    leadership.peers.first { $0.peer == peer && $0.state == .snapshot }.map { $0.next - 1 }
  }

  /// What this leader knows of its peers; empty if it does not lead.
  public var followers: [FollowerState] {
    leadership.peers.map {
      FollowerState(id: $0.peer, match: $0.match, waitsForSnapshot: $0.state == .snapshot, lastContact: $0.lastContact)
    }
  }

  /// Bytes of entries after `index` that are on the disk alone, or a little more; nothing for what memory has.
  public func bytesOnlyOnDisk(after index: LogIndex) -> Int { log.forgottenBytes(after: index) }

  /// How long this node has not heard of a leader, or, if it leads, of a majority; `nil` if it never did.
  public func timeSinceLeaderContact(now: Instant) -> Nanoseconds? {
    (role == .leader ? quorumContact(now: now) : lastLeaderContact).map { now - $0 }
  }

  /// Up to where the log may be forgotten, if a snapshot covers it through `index` and about `bytes` before that are to be kept for peers
  /// that were away for a moment.
  public func compactionIndex(through index: LogIndex, keeping bytes: Int) -> LogIndex {
    log.indexLeaving(bytes: bytes, before: min(index, commitIndex))
  }

  /// Bytes of entries that this leader has not committed, or that its own disk has not confirmed: the larger of the two. A majority may
  /// commit without the leader's disk, but what that lags behind is held in memory all the same.
  public var waitingBytes: Int { max(leadership.uncommittedBytes, persistence.undurableBytes) }

  /// Whether a leader takes proposals of so many bytes more: none while it hands over. If nothing waits, it takes them however large they
  /// are.
  public func hasRoom(forBytes bytes: Int) -> Bool {
    guard leadership.allowance > 0, transfer == nil else { return false }
    return waitingBytes == 0 || waitingBytes + bytes <= settings.maximumUncommittedBytes
  }

  /// Bytes of proposals that one batch should have at most; a single proposal may have more, if `hasRoom` says so.
  public var roomForProposals: Int { min(settings.maximumUncommittedBytes - waitingBytes, leadership.allowance) }

  /// Takes one event. What it has to say waits in `effects`; call `endTurn` when no further event is at hand.
  public mutating func step(_ event: Event, now: Instant, into effects: inout Effects) {
    switch event {
    case .tick: tick(now: now, into: &effects)
    case .message(let message): receive(message, now: now, into: &effects)
    case .propose(let payloads): propose(payloads)
    case .forward(let stream, let sequence, let payloads):
      if let leader, leader != id { send(.proposals(stream: stream, sequence: sequence, payloads), to: leader, into: &effects) }
    case .read(let id): requestRead(id, into: &effects)
    case .operate(let id, let request): operate(id, request, now: now, into: &effects)
    case .handOver(let peer): handOver(to: peer, now: now)
    case .moved(let id, let peerAddress, let clientAddress): moved(id, peerAddress: peerAddress, clientAddress: clientAddress, now: now)
    case .leaderConnectionLost: loseLeaderConnection(now: now)
    case .written(let sequence): written(through: sequence, now: now, into: &effects)
    case .snapshotInstalled(let descriptor): install(descriptor, into: &effects)
    case .compact(let index): compact(through: index)
    case .forget(let index): forget(through: index)
    case .entriesRead(let request, let previous, let entries):
      entriesRead(request, previous: previous, entries, now: now, into: &effects)
    case .entriesUnavailable(let request): entriesUnavailable(request, into: &effects)
    case .allowProposals(let bytes): allowProposals(bytes: bytes)
    case .sendSnapshotBlock(let peer, let descriptor, let number, let block, let last, let file):
      guard isSendingSnapshot(to: peer) else { return }
      send(.snapshotBlock(descriptor, number: number, block: block, last: last, file: file), to: peer, into: &effects)
    case .sendSnapshotProgress(let position, let next):
      guard role == .follower, let leader else { return }
      send(.snapshotProgress(position, next: next), to: leader, into: &effects)
    }
  }

  /// Ends a turn: one write for all that changed, one round of messages for all that was proposed and asked.
  public mutating func endTurn(now: Instant, into effects: inout Effects) {
    endTransferIfOver(now: now, into: &effects)
    endChangeIfOver(into: &effects)
    if role == .leader {
      advanceMembership(now: now)
      if isDiskStalled(now: now) { handOver(to: bestSuccessor(now: now), now: now) }
      // A single voter confirms its own round.
      leadership.startRoundIfWanted(now: now, settings: settings)
      sendHeartbeatsIfDue(now: now, into: &effects)
      replicate(now: now, into: &effects)
      continueTransfer(now: now, into: &effects)
      confirmReads(into: &effects)
      stepDownIfRemoved(now: now, into: &effects)
    }
    write(now: now, into: &effects)
  }

  var isOnlyVoter: Bool { configuration.allVoterIDs == [id] }
  var isVoter: Bool { configuration.isVoter(id) }
  /// Whom a candidate asks.
  var otherVoters: [NodeID] { configuration.allVoterIDs.filter { $0 != id } }

  /// Queues a message of the current term; it may leave once that term is durable.
  mutating func send(_ body: Message.Body, to peer: NodeID, into effects: inout Effects) {
    let message = Message(from: id, to: peer, term: term, body: body)
    effects.messages.append(Outbound(message: message, after: persistence.hardStateSequence))
  }
}

/// What a leader knows of one follower.
public struct FollowerState: Sendable, Equatable {
  public let id: NodeID
  /// Its log is the leader's up to here, and durable.
  public let match: LogIndex
  public let waitsForSnapshot: Bool
  /// When it last answered anything in this term.
  public let lastContact: Instant
}
