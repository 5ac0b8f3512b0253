/// What is on its way to the disk, and how far it has come.
struct Persistence: Sendable {
  /// The log up to here is durable. Falls when a suffix is overwritten: what was durable of it is void.
  private(set) var durableIndex: LogIndex
  private(set) var durableSequence: UInt64 = 0
  /// The write that holds the newest hard state; 0 for what was on disk at the start.
  private(set) var hardStateSequence: UInt64 = 0

  private(set) var nextSequence: UInt64 = 1
  private(set) var hardStateIsDirty = false
  private(set) var firstDirtyIndex: LogIndex?
  private(set) var reset: LogPosition?
  /// Bytes of entries that the next write will hold.
  private(set) var dirtyBytes = 0
  /// Writes under way, how far the log reached in each, and the bytes of their entries. How far is lowered when a later write takes a
  /// suffix back, so that a late completion of the old entries never counts for the new ones; it grows along the array all the same.
  private(set) var underWay: [(sequence: UInt64, through: LogIndex, bytes: Int, since: Instant)] = []
  private var bytesUnderWay = 0

  init(durableIndex: LogIndex) { self.durableIndex = durableIndex }

  /// Bytes of entries that wait for the disk, or are on their way to it.
  var undurableBytes: Int { dirtyBytes + bytesUnderWay }

  mutating func hardStateChanged() {
    hardStateIsDirty = true
    hardStateSequence = nextSequence
  }

  /// Entries from `index` on are new, `bytes` in all; those that lay there before are void.
  mutating func logChanged(from index: LogIndex, bytes: Int = 0) {
    firstDirtyIndex = min(firstDirtyIndex ?? index, index)
    dirtyBytes += bytes
    durableIndex = min(durableIndex, index - 1)
    // As a rule nothing is taken back, however much is under way: then this looks at the last one only.
    var place = underWay.count - 1
    while place >= 0, underWay[place].through >= index {
      underWay[place].through = index - 1
      place -= 1
    }
  }

  /// A snapshot took the place of the whole log.
  mutating func logReset(to position: LogPosition) {
    logChanged(from: 1)
    firstDirtyIndex = nil
    reset = position
  }

  /// A durable snapshot covers the log up to `position`. If that was not even handed to the disk, the disk's log cannot go on behind it: it
  /// begins anew there.
  mutating func logCovered(through position: LogPosition, last: LogIndex) {
    guard let first = firstDirtyIndex, first <= position.index else { return }
    firstDirtyIndex = last > position.index ? position.index + 1 : nil
    reset = position
  }

  /// The write that brings the disk up to date, if it is not.
  mutating func takeWrite(hardState: HardState, log: MemoryLog, commit: LogIndex, now: Instant) -> LogWrite? {
    guard hardStateIsDirty || firstDirtyIndex != nil || reset != nil else { return nil }
    let write = LogWrite(
      sequence: nextSequence, hardState: hardStateIsDirty ? hardState : nil, reset: reset,
      entries: firstDirtyIndex.map { log.suffix(from: $0) } ?? [], commit: commit)
    underWay.append((nextSequence, log.lastIndex, dirtyBytes, now))
    bytesUnderWay += dirtyBytes
    dirtyBytes = 0
    nextSequence += 1
    hardStateIsDirty = false
    firstDirtyIndex = nil
    reset = nil
    return write
  }

  mutating func written(through sequence: UInt64) {
    durableSequence = max(durableSequence, min(sequence, nextSequence - 1))
    let done = underWay.firstIndex { $0.sequence > sequence } ?? underWay.count
    for write in underWay[..<done] {
      durableIndex = max(durableIndex, write.through)
      bytesUnderWay -= write.bytes
    }
    underWay.removeSubrange(..<done)
  }

  var hardStateIsDurable: Bool { hardStateSequence <= durableSequence }

  /// Since when the disk has had the oldest write that it has not confirmed.
  var waitsSince: Instant? { underWay.first?.since }
}

extension RaftCore {
  /// Whether the disk has not answered for so long that this node should not lead.
  public func isDiskStalled(now: Instant) -> Bool {
    persistence.waitsSince.map { now - $0 > settings.diskStallTimeout } ?? false
  }

  mutating func write(now: Instant, into effects: inout Effects) {
    if let write = persistence.takeWrite(hardState: hardState, log: log, commit: commitIndex, now: now) { effects.writes.append(write) }
  }

  mutating func written(through sequence: UInt64, now: Instant, into effects: inout Effects) {
    persistence.written(through: sequence)
    switch role {
    case .candidate: if persistence.hardStateIsDurable { countVote(of: id, granted: true, now: now) }
    case .leader: advanceCommitIndex()
    case .follower, .preCandidate: acknowledge(into: &effects)
    }
  }
}
