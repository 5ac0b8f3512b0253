import ByteCoding

/// The follower's side of replication: the paper, section 5.3.
extension RaftCore {
  mutating func receiveFromLeader(_ message: Message, now: Instant, into effects: inout Effects) {
    // A term has one leader: a second one is broken or forged.
    guard role != .leader, leader == nil || leader == message.from else { return }
    if role != .follower || leader == nil { becomeFollower(of: message.from, now: now) }
    lastLeaderContact = now
    wasToldToLeave = false
    resetElectionTimer(now: now)
    switch message.body {
    case .append(let previous, let entries, let commit):
      receiveAppend(from: message.from, previous: previous, entries: entries, commit: commit, into: &effects)
    case .heartbeat(let round, let commit, let confirmed):
      advanceCommit(to: commit)
      let match = min(verifiedIndex, durableIndex)
      send(
        .heartbeatResponse(round: round, confirmed: confirmed, received: verifiedIndex, match: match), to: message.from, into: &effects)
    case .commit(let index): advanceCommit(to: index)
    case .timeoutNow: if isVoter, !isRemoved, !isDiskStalled(now: now) { startElection(isTransfer: true, now: now, into: &effects) }
    case .snapshotBlock(let descriptor, let number, let block, let last, let file):
      guard isPlausible(descriptor) else { return }
      let incoming = IncomingBlock(from: message.from, descriptor: descriptor, number: number, block: block, last: last, file: file)
      receiveBlock(incoming, into: &effects)
    default: break
    }
  }

  private mutating func receiveAppend(
    from leader: NodeID, previous: LogPosition, entries: [Entry], commit: LogIndex, into effects: inout Effects
  ) {
    guard isContiguous(entries, after: previous) else { return }
    var previous = previous
    var entries = entries[...]
    if previous.index < log.start.index {
      // What lies in our snapshot is committed, and so the same in every leader's log.
      let known = min(UInt64(entries.count), log.start.index - previous.index)
      if let last = entries.prefix(Int(known)).last, contradicts(last.position, of: leader, into: &effects) { return }
      entries = entries.dropFirst(Int(known))
      guard entries.first.map({ $0.index == log.start.index + 1 }) ?? true else { return }
      previous = log.start
    }
    guard !contradicts(previous, of: leader, into: &effects) else { return }
    guard log.term(at: previous.index) == previous.term else {
      let hint = log.lastPosition(atOrBefore: max(previous.index, 1) - 1, withTermAtMost: previous.term)
      return send(.appendRejected(previous: previous.index, hint: hint), to: leader, into: &effects)
    }
    guard appendEntries(entries, of: leader, into: &effects) else { return }
    let matched = previous.index + UInt64(entries.count)
    verifiedIndex = max(verifiedIndex, matched)
    advanceCommit(to: commit)
    // What is durable already is acknowledged at once, even if it was before: the answer may have been lost. The rest follows when it is.
    if matched <= durableIndex { acknowledgedIndex = 0 }
    acknowledge(into: &effects)
  }

  private func isContiguous(_ entries: [Entry], after previous: LogPosition) -> Bool {
    var last = previous
    for entry in entries {
      guard last.index < .max, entry.index == last.index + 1, entry.term >= last.term, entry.term <= term else { return false }
      last = entry.position
    }
    return true
  }

  /// A leader's snapshot is of its term or an older one, and of a log that began with a configuration.
  private func isPlausible(_ descriptor: SnapshotDescriptor) -> Bool {
    descriptor.position.term <= term && descriptor.position.index <= Message.maximumNumber
      && (1...max(descriptor.position.index, 1)).contains(descriptor.configurationIndex)
  }

  /// Whether a leader has another entry, or a snapshot of another, where this node's is committed: then one of the two has lost something,
  /// or is of another cluster, and nobody can tell which. Every leader has what is committed (the paper, section 5.4), so to go on
  /// in silence would hide it until clients see two histories.
  func contradicts(_ position: LogPosition, of leader: NodeID, into effects: inout Effects) -> Bool {
    guard position.index > 0, position.index <= commitIndex, position.term <= term, let own = log.term(at: position.index),
      own != position.term
    else { return false }
    effects.contradiction =
      "node \(leader) leads in term \(term) with an entry \(position.index) of term \(position.term), and the one that is committed here is"
      + " of term \(own). One of the two has data of another cluster or an old copy of its data, or its disk lost what it had confirmed."
      + " Nothing was changed here. Do not start this node again before you know which: the one that differs from the other members has"
      + " to be left out"
    return true
  }

  /// Appends what the log lacks; what conflicts goes, with all that follows it. False if something would have to go that is committed, or
  /// that this very leader showed us: then the message cannot be a leader's.
  private mutating func appendEntries(_ entries: ArraySlice<Entry>, of leader: NodeID, into effects: inout Effects) -> Bool {
    guard let conflict = entries.firstIndex(where: { log.term(at: $0.index) != $0.term }) else { return true }
    let new = entries[conflict...]
    let first = entries[conflict].index
    guard !contradicts(entries[conflict].position, of: leader, into: &effects), first > verifiedIndex else { return false }
    var added: [(LogIndex, Configuration)] = []
    for entry in new where entry.kind == .configuration {
      guard let configuration = try? Configuration(decoding: entry.payload) else { return false }
      added.append((entry.index, configuration))
    }
    if first <= log.lastIndex {
      log.truncate(from: first)
      configurations.truncate(from: first)
    }
    log.append(Array(new))
    for (index, configuration) in added { configurations.append(configuration, at: index) }
    persistence.logChanged(from: first, bytes: new.reduce(0) { $0 + $1.record.count })
    return true
  }

  /// No further than what is known to be the leader's log.
  private mutating func advanceCommit(to index: LogIndex) {
    commitIndex = max(commitIndex, min(index, verifiedIndex))
  }

  /// Tells the leader how far its log is durable here, once for all that one sync brought.
  mutating func acknowledge(into effects: inout Effects) {
    let match = min(verifiedIndex, durableIndex)
    guard let leader, leader != id, match > acknowledgedIndex else { return }
    acknowledgedIndex = match
    send(.appendAccepted(match: match), to: leader, into: &effects)
  }
}
