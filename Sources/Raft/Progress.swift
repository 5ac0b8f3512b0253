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
  /// The last entry that the newest message with entries, or the probe, brought or followed.
  private(set) var lastSent: LogPosition = .zero
  /// When the peer was last asked whether everything came.
  private(set) var askedAt: Instant?
  /// What follows this index is on its way from the disk, since memory does not have it.
  private(set) var awaitedRead: LogIndex?
  /// The newest commit index that was sent.
  var sentCommit: LogIndex = 0
  /// The newest round of heartbeats that the peer answered.
  private(set) var answeredRound: UInt64 = 0
  /// When the peer last answered anything in this term.
  private(set) var lastContact: Instant
  /// Whether it answered anything in this term: until then, `lastContact` is when the term began.
  private(set) var hasAnswered = false
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

  /// What a probe carries at most: more may have to be sent again, and delays the answer.
  private static let probeBytes = 16 << 10

  /// Most bytes of entries in the next message. A probe that is repeated carries none: the first may only be late. Unless it begins with
  /// the first entry of all: one that matches nothing has no answer.
  func appendLimit(_ settings: Settings) -> Int {
    guard state == .probe else { return settings.maximumAppendBytes }
    return probeIsRepeated && next > 1 ? 0 : min(Self.probeBytes, settings.maximumAppendBytes)
  }

  /// The last entry that was sent, if the peer has not confirmed it.
  var unconfirmed: LogPosition? { state == .replicate && lastSent.index > match && lastSent.index == next - 1 ? lastSent : nil }

  /// The last entry that was sent, if it is time to ask whether it came: once in a heartbeat interval, however closely rounds follow.
  mutating func askAfter(now: Instant, _ settings: Settings) -> LogPosition? {
    guard let unconfirmed, askedAt.map({ now - $0 >= settings.heartbeatInterval }) ?? true else { return nil }
    askedAt = now
    return unconfirmed
  }

  /// Whether there is something to say to the peer about a log that ends at `index`.
  func wantsAppend(through index: LogIndex) -> Bool { next <= index || state == .probe }

  /// `round`: the newest round of heartbeats.
  mutating func sent(_ entries: [Entry], after previous: LogPosition, round: UInt64, now: Instant) {
    lastSent = entries.last?.position ?? previous
    if state == .probe {
      awaitsProbe = true
      probeRound = round
      probedAt = now
    }
    guard state == .replicate, let last = entries.last else { return }
    let bytes = entries.reduce(0) { $0 + $1.record.count }
    inflight.append((last.index, bytes))
    inflightBytes += bytes
    next = last.index + 1
  }

  mutating func heard(now: Instant) {
    lastContact = max(lastContact, now)
    hasAnswered = true
  }

  /// A round of heartbeats was answered. If it was sent after the probe, and the probe has no answer by now, then that was lost. It is sent
  /// again; once more not before a heartbeat interval has passed, however closely rounds follow each other.
  mutating func answered(round: UInt64, now: Instant, _ settings: Settings) {
    answeredRound = max(answeredRound, round)
    guard awaitsProbe, round > probeRound, !probeIsRepeated || now - probedAt >= settings.heartbeatInterval else { return }
    awaitsProbe = false
    probeIsRepeated = true
  }

  /// The peer said so in answer to a heartbeat, which may have overtaken the probe: that goes on.
  mutating func confirmed(through index: LogIndex) {
    if state == .probe, index < (awaitsProbe ? max(lastSent.index, next) : next) {
      match = max(match, index)
    } else {
      _ = accepted(through: index)
    }
  }

  /// The peer has everything up to `index`. True if that was news.
  mutating func accepted(through index: LogIndex) -> Bool {
    switch state {
    case .replicate: next = max(next, index + 1)
    case .probe:
      // Who has what the probe followed took the probe too, though not all of it may be durable yet.
      let took = awaitsProbe && index >= next - 1 ? lastSent.index : 0
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

  /// The peer has confirmed the log up to `confirmed`, and does not know any more that more than `received` is the leader's: it was started
  /// anew. What was under way to it is lost.
  mutating func missed(confirmed: LogIndex, received: LogIndex) {
    guard state == .replicate, received < confirmed, confirmed < next else { return }
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
