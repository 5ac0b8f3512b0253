/// Elections: the paper, section 5.2 and 5.4.1; pre-vote and check-quorum: the dissertation, sections 9.6 and 6.2.
extension RaftCore {
  mutating func tick(now: Instant, into effects: inout Effects) {
    if role == .leader {
      stepDownWithoutQuorum(now: now)
      stepDownWithoutProgress(now: now)
    } else if now >= electionDeadline, mayStand, !isRemoved, !isDiskStalled(now: now) {
      startPreVote(now: now, into: &effects)
    } else if now >= electionDeadline {
      resetElectionTimer(now: now)
      if !isVoter, !isRemoved { askWhetherItIsAMember(into: &effects) }
    }
  }

  /// Who does not vote, and hears no leader, may have left without hearing of it. A voter that knows so says it to whoever would stand; any
  /// other answer counts for nothing here.
  private mutating func askWhetherItIsAMember(into effects: inout Effects) {
    leader = nil
    askForPreVotes(into: &effects)
  }

  mutating func resetElectionTimer(now: Instant) {
    electionDeadline = now + settings.electionTimeout + random.below(settings.electionTimeout)
  }

  /// A process that ends closes its connections, and then nobody has to wait for an election timeout. If the leader lives it is heard again
  /// at once, and whoever hears it grants no pre-vote meanwhile. The wait is spread, since others lost it at the same moment.
  mutating func loseLeaderConnection(now: Instant) {
    guard role == .follower, leader != nil else { return }
    leader = nil
    electionDeadline = min(electionDeadline, now + random.below(settings.electionTimeout / 4))
  }

  /// The one place where a term grows, and where a vote is forgotten.
  mutating func enter(term: Term) {
    hardState = HardState(term: term)
    persistence.hardStateChanged()
    verifiedIndex = 0
    acknowledgedIndex = 0
    forwarded = ForwardingLedger()
  }

  /// In the current term the vote stays what it is: stepping down is no reason to vote again. Nor is a newer term a reason to wait longer
  /// for an election: that takes a leader, or a vote that was granted.
  mutating func becomeFollower(of leader: NodeID?, now: Instant) {
    if role == .leader {
      leadership = Leadership()
      resetElectionTimer(now: now)
    }
    role = .follower
    self.leader = leader
  }

  mutating func startPreVote(now: Instant, into effects: inout Effects) {
    role = .preCandidate
    leader = nil
    tally = VoteTally()
    resetElectionTimer(now: now)
    askForPreVotes(into: &effects)
    tally.record(id, granted: true)
    if tally.isWon(in: configuration) { startElection(now: now, into: &effects) }
  }

  private func askForPreVotes(into effects: inout Effects) {
    for peer in otherVoters {
      let request = Message(from: id, to: peer, term: term + 1, body: .preVoteRequest(last: log.last))
      effects.messages.append(Outbound(message: request, after: persistence.hardStateSequence))
    }
  }

  /// - Parameter isTransfer: the leader told this node to stand.
  mutating func startElection(isTransfer: Bool = false, now: Instant, into effects: inout Effects) {
    enter(term: term + 1)
    hardState.vote = id
    role = .candidate
    leader = nil
    tally = VoteTally()
    resetElectionTimer(now: now)
    // Our own vote counts when it is durable, like everybody's.
    let request: Message.Body = isTransfer ? .transferVoteRequest(last: log.last) : .voteRequest(last: log.last)
    for peer in otherVoters { send(request, to: peer, into: &effects) }
  }

  mutating func countVote(of voter: NodeID, granted: Bool, now: Instant) {
    guard role == .candidate, configuration.isVoter(voter) else { return }
    tally.record(voter, granted: granted)
    if tally.isWon(in: configuration) { becomeLeader(now: now) }
  }

  private mutating func becomeLeader(now: Instant) {
    role = .leader
    leader = id
    leadership = Leadership(termStart: log.lastIndex + 1, now: now)
    meetPeers(now: now)
    append([[]], kind: .noop)
  }

  /// A leader that hears from no majority for an election timeout may have been replaced already; a frozen one too, when it wakes.
  private mutating func stepDownWithoutQuorum(now: Instant) {
    guard let contact = quorumContact(now: now), now - contact > settings.electionTimeout else { return }
    becomeFollower(of: nil, now: now)
  }

  /// Heartbeats have a lane of their own: they may get through where entries do not. Then others should try, and this node should not be
  /// the first to stand again.
  private mutating func stepDownWithoutProgress(now: Instant) {
    guard role == .leader else { return }
    if commitIndex == log.lastIndex { leadership.progressAt = now }
    guard now - leadership.progressAt > settings.replicationStallTimeout else { return }
    becomeFollower(of: nil, now: now)
    electionDeadline = now + 4 * settings.electionTimeout + random.below(settings.electionTimeout)
  }

  /// When a leader last knew a majority, itself included, to follow it.
  func quorumContact(now: Instant) -> Instant? {
    configuration.reached { $0 == id ? now : leadership.progress(of: $0)?.lastContact ?? .zero }
  }

  /// Whether a leader was heard from within the election timeout.
  func hasLiveLeader(now: Instant) -> Bool {
    if role == .leader { return true }
    guard leader != nil, let contact = lastLeaderContact else { return false }
    return now - contact < settings.electionTimeout
  }

  private func isUpToDate(_ position: LogPosition) -> Bool {
    (position.term, position.index) >= (log.last.term, log.last.index)
  }

  // MARK: Answers

  /// Changes nothing here: no term, no vote, no timer.
  mutating func receivePreVoteRequest(_ message: Message, last: LogPosition, now: Instant, into effects: inout Effects) {
    guard message.term > term, isUpToDate(last), !hasLiveLeader(now: now), !isRemoved else {
      return send(.preVoteResponse(granted: false), to: message.from, into: &effects)
    }
    let answer = Message(from: id, to: message.from, term: message.term, body: .preVoteResponse(granted: true))
    effects.messages.append(Outbound(message: answer, after: persistence.hardStateSequence))
  }

  mutating func receivePreVoteResponse(_ message: Message, granted: Bool, now: Instant, into effects: inout Effects) {
    // A grant names the term that was asked for; any other is the answer to an older question.
    guard role == .preCandidate, !granted || message.term == term + 1, configuration.isVoter(message.from) else { return }
    tally.record(message.from, granted: granted)
    if tally.isWon(in: configuration) { startElection(now: now, into: &effects) }
  }

  mutating func receiveVoteRequest(from candidate: NodeID, last: LogPosition, now: Instant, into effects: inout Effects) {
    let isFree = hardState.vote == nil || hardState.vote == candidate
    // Whoever left is not needed for any decision, and takes part in none.
    guard isFree, leader == nil, role == .follower || role == .preCandidate, isUpToDate(last), !isRemoved else {
      return send(.voteResponse(granted: false), to: candidate, into: &effects)
    }
    if hardState.vote == nil {
      hardState.vote = candidate
      persistence.hardStateChanged()
    }
    role = .follower
    resetElectionTimer(now: now)
    send(.voteResponse(granted: true), to: candidate, into: &effects)
  }

  /// A request for votes is not even looked at while a leader lives, whatever its term: so a member that was cut off cannot disturb. Unless
  /// that leader told it to stand.
  func ignoresVoteRequest(_ message: Message, now: Instant) -> Bool {
    if case .voteRequest = message.body { return message.term > term && hasLiveLeader(now: now) }
    return false
  }
}
