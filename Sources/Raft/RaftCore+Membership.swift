/// Changes of the members: the paper, section 6; the dissertation, chapter 4.
///
/// A configuration is in force as soon as it is appended. So there is one change at a time, and none before the leader's no-op is
/// committed: then neighbouring configurations are all that can be in force at once, and their quorums meet.
extension RaftCore {
  /// Whether the node knows that it is no member any more.
  public var isRemoved: Bool { wasToldToLeave || hasLeft(id) }

  /// A node that its newest configuration leaves out is still needed until that is committed, since others may not have it yet
  /// (dissertation, section 4.2.2). Its own vote does not count then.
  var mayStand: Bool { isVoter || !configurationIsCommitted && configuration.removed.contains(id) }

  private var configurationIsCommitted: Bool { configurations.newest.index <= commitIndex }

  /// The configuration that the leader may change now.
  private func changeable() throws(OperatorError) -> Configuration {
    guard commitIndex >= leadership.termStart else { throw .notReady }
    guard configurationIsCommitted, !configuration.isJoint, change == nil else { throw .changeUnderWay }
    return configuration
  }

  mutating func beginChange(_ request: OperatorRequest, for number: UInt64, now: Instant) throws(OperatorError) {
    let current = try changeable()
    let next: Configuration
    switch request {
    case .transfer: return
    case .add(let learner): next = try current.adding(learner)
    case .remove(let node): next = try current.removing(node)
    case .promote(let node):
      next = try current.promoting(node)
      guard hasCaughtUp(node, now: now) else { throw .lags(node) }
    case .update(let node, let peerAddress, let clientAddress):
      next = try current.updating(node, peerAddress: peerAddress, clientAddress: clientAddress)
    }
    guard next.isQuorum(next.allVoterIDs.filter { $0 == id || isHeardOf($0, now: now) }) else { throw .quorumNotHeard }
    guard next.members.count <= Configuration.maximumMembers else { throw .tooManyMembers(Configuration.maximumMembers) }
    append(next, now: now)
    change = Change(request: number, term: term)
  }

  /// What a member says of itself is believed: its identity is what counts.
  mutating func moved(_ node: NodeID, peerAddress: String, clientAddress: String, now: Instant) {
    guard role == .leader, transfer == nil, let current = try? changeable(), current.isVoter(id),
      let next = try? current.updating(node, peerAddress: peerAddress, clientAddress: clientAddress), next != current
    else { return }
    append(next, now: now)
  }

  private mutating func append(_ configuration: Configuration, now: Instant) {
    append([configuration.encoded()[...]], kind: .configuration)
    configurations.append(configuration, at: log.lastIndex)
    meetPeers(now: now)
  }

  /// The leader follows everybody whom the configuration in force names, and nobody else.
  mutating func meetPeers(now: Instant) {
    let configuration = configuration
    leadership.peers.removeAll { !configuration.isMember($0.peer) }
    for member in configuration.members where member.id != id && !leadership.peers.contains(where: { $0.peer == member.id }) {
      leadership.peers.append(Progress(peer: member.id, next: log.lastIndex + 1, now: now))
    }
    leadership.catchUps = configuration.learners.map { learner in
      leadership.catchUps.first { $0.peer == learner.member.id } ?? CatchUp(peer: learner.member.id, through: log.lastIndex, since: now)
    }
    leadership.isSettled = !configuration.isJoint && configuration.learners.isEmpty && configuration.isVoter(id)
  }

  private func hasCaughtUp(_ peer: NodeID, now: Instant) -> Bool {
    isHeardOf(peer, now: now) && leadership.catchUps.contains { $0.peer == peer && $0.isDone }
  }

  /// What follows from the configuration in force, without being asked: a joint one is left, a learner that caught up is promoted.
  mutating func advanceMembership(now: Instant) {
    guard !leadership.isSettled else { return }
    for place in leadership.catchUps.indices {
      let peer = leadership.catchUps[place].peer
      let match = leadership.peers.first { $0.peer == peer }?.match ?? 0
      leadership.catchUps[place].reached(match, last: log.lastIndex, now: now, within: settings.electionTimeout)
    }
    guard commitIndex >= leadership.termStart, configurationIsCommitted, transfer == nil else { return }
    if configuration.isJoint { return append(configuration.afterJoint, now: now) }
    guard change == nil, configuration.isVoter(id) else { return }
    for learner in configuration.learners where learner.promotion != .onRequest && hasCaughtUp(learner.member.id, now: now) {
      guard let next = try? configuration.promoting(learner.member.id) else { continue }
      return append(next, now: now)
    }
  }

  /// A leader that is no voter any more leads until that is committed: then it hands over, and leads no longer.
  mutating func stepDownIfRemoved(now: Instant, into effects: inout Effects) {
    guard !leadership.isSettled, configurationIsCommitted, !configuration.isVoter(id) else { return }
    if let successor = bestSuccessor(now: now) { send(.timeoutNow, to: successor, into: &effects) }
    becomeFollower(of: nil, now: now)
  }

  /// Says what came of a change: it is done when the configuration that it leads to is committed.
  mutating func endChangeIfOver(into effects: inout Effects) {
    guard let change else { return }
    if role != .leader || term != change.term {
      effects.operated.append((change.request, .leadershipLost))
    } else if configurationIsCommitted, !configuration.isJoint {
      effects.operated.append((change.request, nil))
    } else {
      return
    }
    self.change = nil
  }

  // MARK: Who is heard

  /// Whether this node knows that another was a member and is none any more, for good.
  package func hasLeft(_ node: NodeID) -> Bool { configuration.removed.contains(node) && configurationIsCommitted }

  /// A node may lag behind the configuration: so it hears leaders and candidates that it does not know. Whoever left is not heard, once
  /// that is committed, but for what it still says as the leader of this term; if it stands, it is told.
  mutating func hears(_ message: Message, into effects: inout Effects) -> Bool {
    let sender = message.from
    if configuration.isMember(sender) || sender == leader && message.term == term { return true }
    let isCandidate: Bool
    switch message.body {
    case .append, .heartbeat, .commit, .snapshotBlock, .timeoutNow: isCandidate = false
    case .preVoteRequest, .voteRequest, .transferVoteRequest: isCandidate = true
    default: return false
    }
    guard hasLeft(sender) else { return true }
    if isCandidate { send(.removed, to: sender, into: &effects) }
    return false
  }
}

/// A change of the members that an operator asked for and this leader began.
struct Change: Sendable {
  let request: UInt64
  let term: Term
}

/// How a learner comes nearer to the leader's log: in rounds, each up to where the log ended when it began. It has caught up when a round
/// took no longer than an election timeout (dissertation, section 4.2.1).
struct CatchUp: Sendable {
  let peer: NodeID
  private(set) var through: LogIndex
  private(set) var since: Instant
  private(set) var isDone = false

  init(peer: NodeID, through: LogIndex, since: Instant) {
    self.peer = peer
    self.through = through
    self.since = since
  }

  mutating func reached(_ match: LogIndex, last: LogIndex, now: Instant, within limit: Nanoseconds) {
    let isFast = now - since <= limit
    guard match >= through else { return isDone = isDone && isFast }
    isDone = isFast
    through = last
    since = now
  }
}
