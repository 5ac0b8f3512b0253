import ByteCoding

/// What a node holds while it leads, and forgets when it stops.
struct Leadership: Sendable {
  var peers: [Progress] = []
  /// The index of the no-op that opened the term.
  var termStart: LogIndex = 0
  var heartbeatDeadline: Instant = .never
  /// When a peer last confirmed anything new, or nothing waited for that.
  var progressAt: Instant = .zero
  /// The newest round of heartbeats.
  var round: UInt64 = 0
  var wantsRound = false
  /// Reads that wait for a quorum to answer their round.
  var reads: [PendingRead] = []
  /// Bytes of entries of this term that are not committed.
  var uncommittedBytes = 0
  /// Bytes of proposals that are taken until the owner allows more. Below zero when one was larger than what was left.
  var allowance = Int.max
  /// Of each learner.
  var catchUps: [CatchUp] = []
  /// Nothing follows from the configuration by itself: it is not joint, has no learners, and this node is a voter.
  var isSettled = true

  init() {}

  init(termStart: LogIndex, now: Instant) {
    self.termStart = termStart
    // Everybody should hear of the new leader at once.
    heartbeatDeadline = now
    progressAt = now
  }

  /// Without a copy of the rest, since it is asked for at each answer.
  func match(of peer: NodeID) -> LogIndex {
    for index in peers.indices where peers[index].peer == peer { return peers[index].match }
    return 0
  }

  func progress(of peer: NodeID) -> Progress? { peers.first { $0.peer == peer } }

  mutating func update(_ peer: NodeID, _ change: (inout Progress) -> Void) {
    guard let index = peers.firstIndex(where: { $0.peer == peer }) else { return }
    change(&peers[index])
  }
}

/// The leader's side of replication: the paper, sections 5.3 and 5.4.
extension RaftCore {
  mutating func propose(_ payloads: [Bytes]) {
    guard role == .leader, !payloads.isEmpty, hasRoom(forBytes: payloads.reduce(0) { $0 + $1.count }) else { return }
    append(payloads, kind: .command)
    if leadership.allowance != .max { leadership.allowance -= payloads.reduce(0) { $0 + $1.count } }
  }

  mutating func allowProposals(bytes: Int) {
    leadership.allowance = bytes == .max ? .max : min(leadership.allowance, 0) + bytes
  }

  mutating func append(_ payloads: [Bytes], kind: Entry.Kind) {
    let first = log.lastIndex + 1
    let entries = Entry.batch(of: payloads, kind: kind, first: first, term: term)
    let bytes = entries.reduce(0) { $0 + $1.record.count }
    leadership.uncommittedBytes += bytes
    log.append(entries)
    persistence.logChanged(from: first, bytes: bytes)
  }

  /// Only entries of the current term are counted; those before them are committed with them (the paper, section 5.4.2, figure 8).
  mutating func advanceCommitIndex() {
    let own = durableIndex
    let copies = configuration.reached { $0 == id ? own : leadership.match(of: $0) }
    guard let reached = copies, reached > commitIndex, log.term(at: reached) == term else { return }
    var index = commitIndex + 1
    while index <= reached {
      if index >= leadership.termStart { leadership.uncommittedBytes -= log.entry(at: index)?.record.count ?? 0 }
      index += 1
    }
    commitIndex = reached
  }

  // MARK: Sending

  mutating func sendHeartbeatsIfDue(now: Instant, into effects: inout Effects) {
    guard now >= leadership.heartbeatDeadline else { return }
    leadership.heartbeatDeadline = now + settings.heartbeatInterval
    // What follows a probe has a number that the probe does not know: so its answer tells whether the probe was lost.
    if leadership.peers.contains(where: { $0.awaitsProbe && $0.probeRound == leadership.round }) { leadership.round += 1 }
    for index in leadership.peers.indices {
      let progress = leadership.peers[index]
      // The round goes to peers that have every committed entry; the others get what they lack.
      let commit = min(progress.match, commitIndex)
      leadership.peers[index].sentCommit = max(progress.sentCommit, commit)
      send(.heartbeat(round: leadership.round, commit: commit, confirmed: progress.match), to: progress.peer, into: &effects)
      // A heartbeat may overtake entries. This follows them, and is rejected if they were lost.
      if let sent = leadership.peers[index].askAfter(now: now, settings) {
        send(.append(previous: sent, entries: [], commit: commitIndex), to: progress.peer, into: &effects)
      }
    }
  }

  /// Sends each peer what it lacks, within its window; a peer that lacks nothing gets the new commit index.
  mutating func replicate(now: Instant, into effects: inout Effects) {
    for index in leadership.peers.indices {
      while leadership.peers[index].hasRoom(settings), sendAppend(at: index, now: now, into: &effects) {}
      let progress = leadership.peers[index]
      if progress.state == .replicate, progress.sentCommit < commitIndex, progress.next > progress.sentCommit + 1 {
        leadership.peers[index].sentCommit = min(commitIndex, progress.next - 1)
        send(.commit(commitIndex), to: progress.peer, into: &effects)
      }
    }
  }

  /// False if there was nothing to send.
  private mutating func sendAppend(at index: Int, now: Instant, into effects: inout Effects) -> Bool {
    // Nearly always there is not, so this comes before anything is copied.
    guard leadership.peers[index].wantsAppend(through: log.lastIndex) else { return false }
    let progress = leadership.peers[index]
    guard let previousTerm = log.term(at: progress.next - 1) else {
      fetch(for: index, into: &effects)
      return false
    }
    // A probe without entries still finds out where the logs part.
    let limit = progress.appendLimit(settings)
    let entries = limit > 0 ? log.slice(from: progress.next, limit: limit) : []
    sendAppend(entries, after: LogPosition(index: progress.next - 1, term: previousTerm), at: index, now: now, into: &effects)
    return true
  }

  private mutating func sendAppend(
    _ entries: [Entry], after previous: LogPosition, at index: Int, now: Instant, into effects: inout Effects
  ) {
    let progress = leadership.peers[index]
    leadership.peers[index].sent(entries, after: previous, round: leadership.round, now: now)
    let through = previous.index + UInt64(entries.count)
    leadership.peers[index].sentCommit = max(progress.sentCommit, min(commitIndex, through))
    send(.append(previous: previous, entries: entries, commit: commitIndex), to: progress.peer, into: &effects)
  }

  // MARK: What is not in memory

  /// What the peer lacks comes from the disk, or is in a snapshot.
  private mutating func fetch(for index: Int, into effects: inout Effects) {
    let progress = leadership.peers[index]
    guard progress.next > log.kept else {
      leadership.peers[index].needsSnapshot(through: log.kept)
      return effects.snapshotNeeded.append(progress.peer)
    }
    leadership.peers[index].needsRead()
    effects.entriesNeeded.append(
      EntriesRequest(
        peer: progress.peer, after: progress.next - 1, through: min(commitIndex, durableIndex),
        limit: max(1, progress.appendLimit(settings))))
  }

  mutating func entriesRead(
    _ request: EntriesRequest, previous: LogPosition, _ entries: [Entry], now: Instant, into effects: inout Effects
  ) {
    guard role == .leader, let index = leadership.peers.firstIndex(where: { $0.peer == request.peer }),
      leadership.peers[index].tookRead(after: request.after), previous.index == request.after, !entries.isEmpty
    else { return }
    let isWanted = leadership.peers[index].appendLimit(settings) > 0
    sendAppend(isWanted ? entries : [], after: previous, at: index, now: now, into: &effects)
  }

  /// What was cut meanwhile is in the newest snapshot. Otherwise the peer needs one that reaches so far that memory has the rest:
  /// nobody knows how much more of the disk cannot be read.
  mutating func entriesUnavailable(_ request: EntriesRequest, into effects: inout Effects) {
    guard role == .leader, let index = leadership.peers.firstIndex(where: { $0.peer == request.peer }),
      leadership.peers[index].tookRead(after: request.after)
    else { return }
    leadership.peers[index].needsSnapshot(through: request.after < log.kept ? log.kept : log.start.index)
    effects.snapshotNeeded.append(request.peer)
  }

  // MARK: Answers

  mutating func receiveFromFollower(_ message: Message, now: Instant, into effects: inout Effects) {
    guard role == .leader else { return }
    leadership.update(message.from) { $0.heard(now: now) }
    switch message.body {
    case .appendAccepted(let match): accept(match, from: message.from, now: now) { _ = $0.accepted(through: match) }
    case .appendRejected(let previous, let hint):
      // Terms that memory does not know show when the disk's entries are sent.
      let candidate =
        hint.index < log.start.index
        ? hint.index : log.lastPosition(atOrBefore: hint.index, withTermAtMost: hint.term).index
      leadership.update(message.from) { $0.rejected(previous: previous, candidate: candidate) }
    case .heartbeatResponse(let round, let confirmed, let received, let match):
      guard round <= leadership.round else { return }
      accept(match, from: message.from, now: now) { $0.confirmed(through: match) }
      leadership.update(message.from) {
        $0.answered(round: round, now: now, settings)
        $0.missed(confirmed: confirmed, received: received)
      }
    case .snapshotProgress(let position, let next):
      leadership.progressAt = now
      effects.snapshotProgress.append((message.from, position, next))
    default: break
    }
  }

  private mutating func accept(_ match: LogIndex, from peer: NodeID, now: Instant, _ note: (inout Progress) -> Void) {
    // Zero says nothing; more than we have cannot be true.
    guard match > 0, match <= log.lastIndex else { return }
    let before = leadership.match(of: peer)
    leadership.update(peer, note)
    if leadership.match(of: peer) > before { leadership.progressAt = now }
    advanceCommitIndex()
  }
}
