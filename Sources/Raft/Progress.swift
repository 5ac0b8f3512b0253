/// What a leader knows of one peer's log, and how it sends to it.
struct Progress: Sendable {
  enum State: Sendable, Equatable {
    /// It is not known where the logs part: one message at a time.
    case probe
    /// The logs agree: messages follow each other without waiting.
    case replicate
    /// What the peer needs is compacted: it gets a snapshot.
    case snapshot
  }

  let peer: NodeID
  private(set) var state: State = .probe
  /// The peer's log is ours up to here, and durable there. Never moves backwards.
  private(set) var match: LogIndex = 0
  /// The next entry to send.
  private(set) var next: LogIndex
  /// In `probe`: a message is out, wait for its answer, or for that of a heartbeat which was sent after it.
  private(set) var awaitsProbe = false
  /// The newest round of heartbeats when the probe was sent, and the time: an answer to a later round shows that the probe was lost.
  private(set) var probeRound: UInt64 = 0
  private(set) var probedAt: Instant = .zero
  /// This very probe was lost before.
  private(set) var probeIsRepeated = false
  /// The last entry that the probe carried.
  private(set) var probedThrough: LogIndex = 0
  /// What follows this index is on its way from the disk, since memory does not have it.
  private(set) var awaitedRead: LogIndex?
  /// The newest commit index that was sent.
  var sentCommit: LogIndex = 0
  /// The newest round of heartbeats that the peer answered.
  private(set) var answeredRound: UInt64 = 0
  /// When the peer last answered anything in this term.
  private(set) var lastContact: Instant
  private(set) var inflight: [(last: LogIndex, bytes: Int)] = []
  private(set) var inflightBytes = 0

  init(peer: NodeID, next: LogIndex, now: Instant) {
    self.peer = peer
    self.next = next
    lastContact = now
  }

  func hasRoom(_ settings: Settings) -> Bool {
    guard awaitedRead == nil else { return false }
    switch state {
    case .probe: return !awaitsProbe
    case .replicate: return inflight.count < settings.maximumInflightMessages && inflightBytes < settings.maximumInflightBytes
    case .snapshot: return false
    }
  }

  /// Whether there is something to say to the peer about a log that ends at `index`.
  func wantsAppend(through index: LogIndex) -> Bool { next <= index || state == .probe }

  /// `round`: the newest round of heartbeats.
  mutating func sent(_ entries: [Entry], round: UInt64, now: Instant) {
    if state == .probe {
      awaitsProbe = true
      probeRound = round
      probedAt = now
      probedThrough = entries.last?.index ?? next - 1
    }
    guard state == .replicate, let last = entries.last else { return }
    let bytes = entries.reduce(0) { $0 + $1.record.count }
    inflight.append((last.index, bytes))
    inflightBytes += bytes
    next = last.index + 1
  }

  mutating func heard(now: Instant) { lastContact = max(lastContact, now) }

  /// A round of heartbeats was answered. If it was sent after the probe, and the probe has no answer by now, then that was lost. It is sent
  /// again; once more not before a heartbeat interval has passed, however closely rounds follow each other.
  mutating func answered(round: UInt64, now: Instant, _ settings: Settings) {
    answeredRound = max(answeredRound, round)
    guard awaitsProbe, round > probeRound, !probeIsRepeated || now - probedAt >= settings.heartbeatInterval else { return }
    awaitsProbe = false
    probeIsRepeated = true
  }

  /// The peer has everything up to `index`. True if that was news.
  mutating func accepted(through index: LogIndex) -> Bool {
    switch state {
    case .replicate: next = max(next, index + 1)
    case .probe:
      // Who has what the probe followed took the probe too, though not all of it may be durable yet.
      let took = awaitsProbe && index >= next - 1 ? probedThrough : 0
      startReplicating(from: max(index, match, took) + 1)
    case .snapshot: if index + 1 >= next { startReplicating(from: index + 1) }
    }
    guard index > match else { return false }
    match = index
    let acknowledged = inflight.firstIndex { $0.last > index } ?? inflight.count
    inflightBytes -= inflight[..<acknowledged].reduce(0) { $0 + $1.bytes }
    inflight.removeSubrange(..<acknowledged)
    return true
  }

  /// The peer lacks the entry before those it was sent; `candidate` is where it may agree. A rejection that is older than what is known
  /// now changes nothing.
  mutating func rejected(previous: LogIndex, candidate: LogIndex) {
    guard previous > match else { return }
    switch state {
    case .replicate: break
    case .probe where previous == next - 1: break
    case .probe, .snapshot: return
    }
    startProbing(from: max(match, min(candidate, previous - 1)) + 1)
  }

  /// A heartbeat that followed the entries up to `sentThrough` was answered by a peer that had only `received`: the rest was lost.
  mutating func missed(sentThrough: LogIndex, received: LogIndex) {
    guard state == .replicate, received < sentThrough, sentThrough < next else { return }
    startProbing(from: max(match, received) + 1)
  }

  mutating func needsRead() { awaitedRead = next - 1 }

  /// What was asked for came, or will not come. False if it is not what is needed any more: the peer may have got it meanwhile.
  mutating func tookRead(after index: LogIndex) -> Bool {
    guard awaitedRead == index else { return false }
    awaitedRead = nil
    return index + 1 == next
  }

  /// A snapshot that reaches `index`, or further.
  mutating func needsSnapshot(through index: LogIndex) {
    clearInflight()
    awaitedRead = nil
    state = .snapshot
    next = index + 1
  }

  private mutating func startReplicating(from index: LogIndex) {
    clearInflight()
    state = .replicate
    next = index
    awaitsProbe = false
    probeIsRepeated = false
    awaitedRead = nil
  }

  private mutating func startProbing(from index: LogIndex) {
    clearInflight()
    state = .probe
    next = index
    awaitsProbe = false
    probeIsRepeated = false
    awaitedRead = nil
  }

  private mutating func clearInflight() {
    inflight.removeAll(keepingCapacity: true)
    inflightBytes = 0
  }
}
