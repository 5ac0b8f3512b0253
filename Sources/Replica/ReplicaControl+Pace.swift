import Raft

/// How fast a leader takes commands while a follower lags far behind: no faster than it can catch up.
struct Pace: Sendable {
  /// One follower, as it was seen last.
  struct Seen: Sendable {
    let peer: NodeID
    /// What it had confirmed: entries, and bytes of blocks.
    var match: LogIndex
    var blockBytes: Int
    /// Bytes that it confirms in a heartbeat interval: an average, since answers come in bursts. `nil` before two looks.
    var rate: Int?
    /// What was committed then, and when it last had all that was.
    var committed: LogIndex
    var evenAt: Instant
  }

  var seen: [Seen] = []
  /// The same, for people.
  var followers: [FollowerStatus] = []
  var lastLook: Instant = .zero
  /// Bytes of commands for each heartbeat interval, for the sake of this follower.
  var limit: (bytes: Int, follower: NodeID)?
  var nextAllowance: Instant = .zero
}

extension ReplicaControl {
  /// A follower that was heard of so recently is there.
  private func isThere(_ follower: FollowerState, now: Instant) -> Bool { now - follower.lastContact < 10 * settings.raft.electionTimeout }

  /// From where on this follower will need the log.
  private func indexNeeded(by follower: FollowerState) -> LogIndex {
    guard follower.waitsForSnapshot else { return follower.match }
    // Without one on its way, the next snapshot is what it gets.
    return snapshots.transfers.first { $0.peer == follower.id }?.descriptor?.position.index ?? .max
  }

  /// From where on the log is still needed by followers that are there.
  func indexNeededByPeers(now: Instant) -> LogIndex? {
    raft?.followers.lazy.filter { isThere($0, now: now) }.map { indexNeeded(by: $0) }.min()
  }

  /// Looks how the followers fare, once in two heartbeat intervals, and at each heartbeat allows what may be taken until the next.
  mutating func setPace(now: Instant, into effects: inout ControlEffects) {
    guard raft?.role == .leader else {
      if pace.limit != nil { effects.diagnostics.append(.fullSpeed) }
      return pace = Pace()
    }
    if now - pace.lastLook >= 2 * settings.raft.heartbeatInterval {
      look(now: now, into: &effects)
      compact(now: now, into: &effects)
    }
    guard let limit = pace.limit, now >= pace.nextAllowance else { return }
    pace.nextAllowance = now + settings.raft.heartbeatInterval
    raft?.step(.allowProposals(bytes: limit.bytes), now: now, into: &consensus)
  }

  private mutating func look(now: Instant, into effects: inout ControlEffects) {
    let followers = raft?.followers ?? []
    let elapsed = max(Nanoseconds(1), now - pace.lastLook)
    let entrySize = Double(raft?.keptBytes ?? 0) / Double(max(1, (raft?.lastIndex ?? 0) - (raft?.keptIndex ?? 0)))
    let lastLook = pace.lastLook
    pace.lastLook = now
    pace.seen = followers.map { follower in
      let transfer = snapshots.transfers.first { $0.peer == follower.id }
      let committed = raft?.commitIndex ?? 0
      var seen = Pace.Seen(
        peer: follower.id, match: follower.match, blockBytes: transfer?.confirmedBytes ?? 0, committed: committed, evenAt: now)
      guard let last = pace.seen.first(where: { $0.peer == follower.id }) else { return seen }
      seen.rate = last.rate
      if follower.match < committed { seen.evenAt = follower.match >= last.committed ? lastLook : last.evenAt }
      // While it takes up a snapshot that it has whole, nothing can be known of it. A snapshot that it took up is no speed.
      if transfer.map({ $0.confirmed == $0.count }) ?? (last.blockBytes > 0) { return seen }
      let entries = max(follower.match, last.match) - last.match
      let bytes = Double(entries) * entrySize + Double(max(0, seen.blockBytes - last.blockBytes))
      let rate = Int(bytes * Double(settings.raft.heartbeatInterval.count) / Double(elapsed.count))
      seen.rate = last.rate.map { ($0 * 7 + rate) / 8 } ?? rate
      return seen
    }
    pace.followers = zip(followers, pace.seen).map { follower, seen in
      FollowerStatus(
        node: follower.id, lagEntries: (raft?.lastIndex ?? 0) - follower.match, lag: now - seen.evenAt,
        timeSinceContact: now - follower.lastContact, receivesSnapshot: follower.waitsForSnapshot)
    }
    let limit = newLimit(for: followers, now: now)
    if limit?.follower != pace.limit?.follower {
      if let limit {
        effects.diagnostics.append(
          .slowsDown(limit.follower, bytesPerSecond: limit.bytes * Int(Nanoseconds.seconds(1) / settings.raft.heartbeatInterval)))
      } else {
        effects.diagnostics.append(.fullSpeed)
        raft?.step(.allowProposals(bytes: .max), now: now, into: &consensus)
      }
    }
    pace.limit = limit
  }

  /// Three quarters of what the one that lags most can take, once half of the log that is kept for it is used up, and half of it from three
  /// quarters on; until it is a quarter.
  private func newLimit(for followers: [FollowerState], now: Instant) -> (bytes: Int, follower: NodeID)? {
    var worst: (lag: Int, follower: NodeID)?
    for follower in followers where isThere(follower, now: now) {
      let lag = raft?.bytesOnlyOnDisk(after: indexNeeded(by: follower)) ?? 0
      let isSlow = lag > catchUpBytes / (pace.limit?.follower == follower.id ? 4 : 2)
      if isSlow, lag > worst?.lag ?? 0 { worst = (lag, follower.id) }
    }
    guard let follower = worst?.follower, let rate = pace.seen.first(where: { $0.peer == follower })?.rate else { return nil }
    let bytes = rate / 4 * ((worst?.lag ?? 0) > catchUpBytes / 4 * 3 ? 2 : 3)
    return bytes >= settings.slowestFollowerBytes ? (bytes, follower) : nil
  }
}
