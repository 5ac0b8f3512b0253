/// What an operator asks of the leader.
public enum OperatorRequest: Sendable, Hashable {
  /// Hand leadership over to this voter; `nil`: to the one whose log is nearest to the leader's.
  case transfer(to: NodeID?)
  /// Add a learner. It becomes a voter when its `promotion` says so.
  case add(Learner)
  /// Make a voter of a learner that has caught up; of one that is to replace a voter, in its place.
  case promote(NodeID)
  /// Remove a voter or a learner, for good: its identity is never a member again.
  case remove(NodeID)
  /// A member is reached elsewhere. It need not be said of one that runs: that says so itself.
  case update(NodeID, peerAddress: String, clientAddress: String)

  /// Replace a voter by a new member, as one operation: a learner, which takes the voter's place as soon as it has caught up, whoever leads
  /// by then. It is done when the learner is a member; `remove` the learner to call it off.
  public static func replace(_ old: NodeID, by new: Member) -> OperatorRequest { .add(Learner(new, .replacing(old))) }
}

/// Why a request of an operator was not carried out, and what to do instead.
public enum OperatorError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The node does not lead, and knows who does, or does not know it.
  case notLeader(leader: NodeID?)
  /// Leadership is being handed over.
  case transferUnderWay
  /// No member has this identity.
  case unknownMember(NodeID)
  /// The member does not vote, so it cannot lead.
  case notAVoter(NodeID)
  /// The leader has not heard from the member for an election timeout.
  case unreachable(NodeID)
  /// There is no other voter that the leader hears from.
  case nobodyToLead
  /// The member did not take over within an election timeout.
  case transferTimedOut(NodeID)
  /// Another member leads now than the one that was to.
  case anotherLeads(NodeID)

  /// Another change of the members is under way.
  case changeUnderWay
  /// The leader does not know yet what earlier leaders committed.
  case notReady
  /// The leader would not hear from enough of the voters that remain.
  case quorumNotHeard
  /// Without this voter there would be none.
  case lastVoter(NodeID)
  /// The identity is that of a member, or of a voter already.
  case alreadyMember(NodeID)
  /// The identity was a member, and left.
  case formerMember(NodeID)
  /// Another member has this name.
  case nameTaken(String)
  /// A name or an address has more bytes than so many.
  case textTooLong(Int)
  /// There would be more members than so many.
  case tooManyMembers(Int)
  /// The learner has not caught up with the leader's log.
  case lags(NodeID)
  /// Another node leads by now. The change may be completed by it, or not have happened.
  case leadershipLost

  /// Whether what was asked may have been done all the same, or may still be.
  public var isOutcomeUnknown: Bool {
    switch self {
    case .transferTimedOut, .leadershipLost: true
    case .notLeader, .transferUnderWay, .unknownMember, .notAVoter, .unreachable, .nobodyToLead, .anotherLeads, .changeUnderWay, .notReady,
      .lastVoter, .alreadyMember, .formerMember, .nameTaken, .textTooLong,
      .tooManyMembers, .lags, .quorumNotHeard:
      false
    }
  }

  public var description: String {
    switch self {
    case .notLeader(let leader?): "this node does not lead: ask node \(leader), the leader"
    case .notLeader(nil): "this node does not lead, and knows of no leader: wait for an election, then ask the leader"
    case .transferUnderWay: "leadership is being handed over: ask again in a moment"
    case .unknownMember(let node): "no member has the identity \(node): look at the list of members"
    case .notAVoter(let node): "member \(node) does not vote, so it cannot lead: name a voter"
    case .unreachable(let node): "the leader has not heard from member \(node) for an election timeout: start it, or name another"
    case .nobodyToLead: "there is no other voter that the leader hears from: start one"
    case .transferTimedOut(let node): "member \(node) did not take over within an election timeout: look who leads, and ask again"
    case .anotherLeads(let node): "member \(node) leads now: ask it to hand over, if it should not"
    case .changeUnderWay: "another change of the members is under way: wait until it is done, then ask again"
    case .notReady: "the leader has just been elected: ask again in a moment"
    case .quorumNotHeard: "the leader would not hear from a majority of the voters then: start one of them first, or add another"
    case .lastVoter(let node): "member \(node) is the last voter: add another one before you remove it"
    case .alreadyMember(let node): "node \(node) is a member already: look at the list of members"
    case .formerMember(let node):
      "node \(node) was a member and left: start it with an empty data directory, and add it under its new identity"
    case .nameTaken(let name): "another member is called \(name): give the new one a name of its own"
    case .textTooLong(let most): "a name or an address has at most \(most) bytes: choose a shorter one"
    case .tooManyMembers(let most): "a cluster has at most \(most) members: remove one first"
    case .lags(let node): "learner \(node) has not caught up yet: wait, and ask again"
    case .leadershipLost: "another node leads by now: look at the list of members before you ask again"
    }
  }
}
