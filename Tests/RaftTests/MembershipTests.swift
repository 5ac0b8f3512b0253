import Testing

@testable import Raft

/// Changes of the members: the paper, section 6; the dissertation, chapter 4.
@Suite struct MembershipTests {
  static let d = NodeID(4)
  static let e = NodeID(5)

  /// A leader of term 2 whose no-op is committed.
  static func leader() throws -> Bench {
    var bench = try Bench()
    bench.becomeLeader()
    bench.accept(from: Bench.b, Bench.c)
    return bench
  }

  static func errors(_ bench: Bench) -> [OperatorError?] { bench.effects.operated.map(\.error) }

  static func add(_ id: NodeID, _ promotion: Learner.Promotion = .onRequest) -> Event {
    .operate(1, .add(Learner(Bench.member(id), promotion)))
  }

  static func ids(_ members: [Member]) -> [NodeID] { members.map(\.id) }

  // MARK: Learners

  @Test func aLearnerGetsTheLogAndDoesNotCount() throws {
    var bench = try Self.leader()
    bench.step(Self.add(Self.d))
    #expect(bench.sent(to: Self.d).contains { if case .append = $0 { true } else { false } })
    let change = bench.raft.lastIndex
    bench.accept(from: Self.d)
    #expect(bench.raft.commitIndex < change, "a learner's copy does not count")
    #expect(Self.errors(bench).isEmpty)
    bench.accept(from: Bench.b)
    #expect(bench.raft.commitIndex == change)
    #expect(Self.errors(bench) == [nil])
    bench.step(.read(1))
    let round = bench.raft.leadership.round
    bench.receive(.heartbeatResponse(round: round, confirmed: change, received: change, match: change), from: Self.d)
    #expect(bench.effects.readable.isEmpty, "nor does it confirm that the leader leads")
    bench.receive(.voteResponse(granted: true), from: Self.d)
    // Check-quorum: only the learner is heard of.
    bench.now = bench.now + bench.raft.settings.electionTimeout + .microseconds(1)
    bench.receive(.heartbeatResponse(round: round, confirmed: change, received: change, match: change), from: Self.d)
    bench.step(.tick)
    #expect(bench.raft.role == .follower)
  }

  @Test func aLearnersVoteDoesNotCount() throws {
    var bench = try Bench()
    let learner = Configuration(
      voters: [Bench.a, Bench.b, Bench.c].map(Bench.member), learners: [Learner(Bench.member(Self.d), .onRequest)])
    let change = Entry(index: 2, term: 2, kind: .configuration, payload: learner.encoded()[...])
    bench.receive(.append(previous: LogPosition(index: 1, term: 1), entries: [change], commit: 1), term: 2)
    bench.expire()
    #expect(bench.sent(to: Self.d).isEmpty)
    bench.receive(.preVoteResponse(granted: true), from: Self.d, term: 3)
    #expect(bench.raft.role == .preCandidate)
    bench.receive(.preVoteResponse(granted: true), from: Bench.b, term: 3)
    bench.receive(.voteResponse(granted: true), from: Self.d)
    #expect(bench.raft.role == .candidate)
  }

  @Test func whoeverIsNoVoterNeverStands() throws {
    var joining = try Bench.joining(Self.d)
    joining.expire()
    joining.expire()
    #expect(joining.raft.role == .follower && joining.sent.isEmpty)
    joining.receive(.timeoutNow, term: 2)
    #expect(joining.raft.role == .follower)
  }

  /// Pitfall 16: it may be a voter by now, for whoever asks.
  @Test func aLearnerThatDoesNotKnowOfItsPromotionVotes() throws {
    var joining = try Bench.joining(Self.d)
    joining.receive(.voteRequest(last: LogPosition(index: 9, term: 2)), from: Bench.b, term: 3)
    #expect(joining.sent(to: Bench.b) == [.voteResponse(granted: true)])
  }

  @Test func aNodeThatLagsBehindAChangeIsCaughtUpByALeaderItDoesNotKnow() throws {
    var joining = try Bench.joining(Self.d)
    let entries = Bench.entries([1, 2])
    joining.receive(.append(previous: LogPosition(index: 2, term: 2), entries: [], commit: 2), term: 2)
    #expect(joining.sent(to: Bench.b) == [.appendRejected(previous: 2, hint: .zero)])
    joining.receive(.append(previous: .zero, entries: entries, commit: 2), term: 2)
    #expect(joining.sent(to: Bench.b) == [.appendAccepted(match: 2)])
    #expect(joining.raft.configuration == Bench.configuration)
    #expect(joining.raft.commitIndex == 2)
  }

  @Test func aLearnerIsPromotedOnlyOnceItHasCaughtUp() throws {
    var bench = try Self.leader()
    bench.step(Self.add(Self.d, .whenCaughtUp))
    bench.accept(from: Bench.b, Bench.c)
    #expect(bench.raft.configuration.learners.count == 1)
    // A round that took too long does not count.
    bench.now = bench.now + bench.raft.settings.electionTimeout + .microseconds(1)
    bench.step(.propose([[1]]))
    bench.receive(.appendAccepted(match: bench.raft.lastIndex - 1), from: Self.d)
    #expect(bench.raft.configuration.learners.count == 1)
    bench.accept(from: Bench.b, Bench.c)
    bench.accept(from: Self.d)
    #expect(Self.ids(bench.raft.configuration.voters) == [Bench.a, Bench.b, Bench.c, Self.d])
    #expect(!bench.raft.configuration.isJoint, "one voter more takes one step")
  }

  @Test func aLearnerThatLagsIsNotPromotedOnRequest() throws {
    var bench = try Self.leader()
    bench.step(Self.add(Self.d))
    bench.accept(from: Bench.b, Bench.c)
    bench.step(.operate(2, .promote(Self.d)))
    #expect(Self.errors(bench) == [.lags(Self.d)])
    bench.accept(from: Self.d)
    // It has caught up, and then goes away.
    var silent = bench
    silent.now = silent.now + bench.raft.settings.electionTimeout
    silent.accept(from: Bench.b, Bench.c)
    silent.step(.operate(2, .promote(Self.d)))
    #expect(Self.errors(silent) == [.lags(Self.d)])
    bench.step(.operate(2, .promote(Self.d)))
    #expect(bench.raft.configuration.voters.count == 4)
  }

  /// Pitfall 23.
  @Test func growingFromOneToTwoStopsNoWriteWhileTheNewOneIsEmpty() throws {
    let alone = Configuration(voters: [Bench.member(Bench.a)])
    var bench = try Bench()
    bench.raft = RaftCore(bootstrapping: alone, id: Bench.a, settings: Settings(), seed: 1, now: .zero)
    bench.step(.tick)
    #expect(bench.raft.role == .leader)
    bench.step(Self.add(Bench.b, .whenCaughtUp))
    bench.step(.propose([[1]]))
    #expect(bench.raft.commitIndex == bench.raft.lastIndex)
    bench.accept(from: Bench.b)
    #expect(bench.raft.configuration.voters.count == 2)
    #expect(bench.raft.commitIndex == bench.raft.lastIndex - 1, "from here on it counts")
    bench.accept(from: Bench.b)
    #expect(bench.raft.commitIndex == bench.raft.lastIndex)
  }

  // MARK: Joint configurations

  /// A leader whose configuration is joint: d takes the place of c.
  private static func joint() throws -> Bench {
    var bench = try leader()
    bench.step(add(d, .replacing(Bench.c)))
    bench.accept(from: Bench.b, Bench.c)
    bench.accept(from: d)
    #expect(bench.raft.configuration.isJoint)
    #expect(ids(bench.raft.configuration.voters) == [Bench.a, Bench.b, d])
    #expect(ids(bench.raft.configuration.outgoing) == [Bench.a, Bench.b, Bench.c])
    return bench
  }

  @Test func nothingElseIsChangedUntilTheJointConfigurationIsLeft() throws {
    var bench = try Self.joint()
    let requests: [OperatorRequest] = [
      .add(Learner(Bench.member(Self.e), .onRequest)), .promote(Self.d), .remove(Bench.b),
      .update(Bench.b, peerAddress: "elsewhere", clientAddress: ""),
    ]
    func refuseAll() {
      for request in requests {
        let last = bench.raft.lastIndex
        bench.step(.operate(9, request))
        #expect(Self.errors(bench) == [.changeUnderWay] && bench.raft.lastIndex == last, "\(request)")
      }
    }
    refuseAll()
    bench.accept(from: Bench.b, Self.d)
    #expect(!bench.raft.configuration.isJoint, "the entry that leaves it is appended, and not committed")
    refuseAll()
    bench.accept(from: Bench.b, Self.d)
    bench.step(.operate(9, requests[0]))
    #expect(bench.raft.configuration.learners.map(\.member.id) == [Self.e])
  }

  @Test func aJointConfigurationNeedsAQuorumOfEachPart() throws {
    var bench = try Self.joint()
    let change = bench.raft.lastIndex
    // The leader and d are a majority of the new part, and none of the old one.
    bench.accept(from: Self.d)
    #expect(bench.raft.commitIndex < change)
    var other = try Self.joint()
    other.accept(from: Bench.c)
    #expect(other.raft.commitIndex < change)
    other.accept(from: Self.d)
    #expect(other.raft.commitIndex >= change)
    bench.accept(from: Bench.b)
    #expect(bench.raft.commitIndex >= change)
  }

  @Test func aJointConfigurationIsLeftByItselfAndTheOldOneIsGone() throws {
    var bench = try Self.joint()
    bench.accept(from: Bench.b)
    #expect(!bench.raft.configuration.isJoint)
    #expect(bench.raft.configuration.removed == [Bench.c])
    #expect(bench.raft.commitIndex == bench.raft.lastIndex - 1)
    // Acknowledgements of whoever left do not count.
    bench.accept(from: Bench.c)
    #expect(bench.raft.commitIndex == bench.raft.lastIndex - 1)
    bench.accept(from: Self.d)
    #expect(bench.raft.commitIndex == bench.raft.lastIndex)
  }

  @Test func votesAndReadsAndCheckQuorumNeedBothParts() {
    let configuration = Configuration(
      voters: [Bench.a, Self.d, Self.e].map(Bench.member), outgoing: [Bench.a, Bench.b, Bench.c].map(Bench.member))
    #expect(!configuration.isQuorum([Bench.a, Self.d, Self.e]))
    #expect(!configuration.isQuorum([Bench.a, Bench.b, Bench.c]))
    #expect(configuration.isQuorum([Bench.b, Bench.c, Self.d, Self.e]))
    #expect(configuration.isQuorum([Bench.a, Bench.b, Self.d]))
    #expect(configuration.reached { $0 == Bench.a ? 9 : $0 == Self.d ? 7 : $0 == Bench.b ? 3 : 0 } == 3)
    var tally = VoteTally()
    for voter in [Bench.a, Self.d] { tally.record(voter, granted: true) }
    #expect(!tally.isWon(in: configuration))
    tally.record(Bench.c, granted: true)
    #expect(tally.isWon(in: configuration))
  }

  @Test func aNewLeaderFinishesWhatItFinds() throws {
    let joint = Configuration(
      voters: [Bench.a, Bench.b, Self.d].map(Bench.member), outgoing: [Bench.a, Bench.b, Bench.c].map(Bench.member))
    let change = Entry(index: 2, term: 2, kind: .configuration, payload: joint.encoded()[...])
    let state = DurableState(hardState: HardState(term: 2), entries: Bench.entries([1]) + [change], commit: 1)
    var bench = try Bench()
    bench.raft = try RaftCore(restarting: state, snapshot: nil, id: Bench.a, settings: Settings(), seed: 1, now: .zero)
    bench.becomeLeader()
    #expect(bench.raft.configuration.isJoint, "not before its no-op is committed")
    bench.accept(from: Bench.b)
    #expect(bench.raft.configuration.removed == [Bench.c])
  }

  // MARK: One change at a time

  @Test func aSecondChangeIsRefused() throws {
    var bench = try Self.leader()
    bench.step(Self.add(Self.d))
    bench.step(Self.add(Self.e))
    #expect(Self.errors(bench) == [.changeUnderWay])
    bench.accept(from: Bench.b)
    bench.step(Self.add(Self.e))
    #expect(Self.errors(bench).isEmpty)
    bench.accept(from: Bench.b)
    #expect(Self.errors(bench) == [nil])
  }

  @Test func noChangeBeforeTheNoOpIsCommitted() throws {
    var bench = try Bench()
    bench.becomeLeader()
    bench.step(Self.add(Self.d))
    #expect(Self.errors(bench) == [.notReady])
    #expect(bench.raft.configuration == Bench.configuration)
  }

  @Test func badChangesAreRefusedWithAReason() throws {
    var bench = try Self.leader()
    func refusal(_ request: OperatorRequest) -> OperatorError? {
      bench.step(.operate(1, request))
      return bench.effects.operated.first?.error
    }
    #expect(refusal(.add(Learner(Bench.member(Bench.b), .onRequest))) == .alreadyMember(Bench.b))
    #expect(refusal(.remove(Self.d)) == .unknownMember(Self.d))
    #expect(refusal(.promote(Bench.b)) == .alreadyMember(Bench.b))
    #expect(refusal(.promote(Self.d)) == .unknownMember(Self.d))
    let namesake = Member(id: Self.d, name: "n2", peerAddress: "x", clientAddress: "x")
    #expect(refusal(.add(Learner(namesake, .onRequest))) == .nameTaken("n2"))
    let long = Member(id: Self.d, name: "n4", peerAddress: String(repeating: "x", count: 1025), clientAddress: "x")
    #expect(refusal(.add(Learner(long, .onRequest))) == .textTooLong(1024))
    #expect(refusal(.replace(Self.e, by: Bench.member(Self.d))) == .unknownMember(Self.e))
    #expect(refusal(.remove(Bench.b)) == nil)
    bench.accept(from: Bench.c)
    #expect(refusal(.add(Learner(Bench.member(Bench.b), .onRequest))) == .formerMember(Bench.b))
    #expect(throws: OperatorError.lastVoter(Bench.a)) { try Configuration(voters: [Bench.member(Bench.a)]).removing(Bench.a) }
    let full = Configuration(voters: (1...16 as ClosedRange<UInt64>).map { Bench.member(NodeID($0)) })
    #expect(throws: OperatorError.tooManyMembers(16)) { try full.adding(Learner(Bench.member(NodeID(17)), .onRequest)) }
  }

  @Test func whoLeftIsRememberedUpToTheBound() throws {
    var configuration = Configuration(voters: [Bench.member(Bench.a)])
    for number in 100..<400 as Range<UInt64> {
      configuration = try configuration.adding(Learner(Bench.member(NodeID(number)), .onRequest)).removing(NodeID(number))
    }
    #expect(configuration.removed.count == 256)
    #expect(configuration.removed.first == NodeID(144), "the first that left is forgotten")
    #expect(try Configuration(decoding: configuration.encoded()[...]) == configuration)
  }

  // MARK: Leaving

  @Test func aLeaderThatIsRemovedLeadsUntilThatIsCommittedAndHandsOver() throws {
    var bench = try Self.leader()
    bench.step(.operate(1, .remove(Bench.a)))
    #expect(bench.raft.role == .leader)
    bench.accept(from: Bench.c)
    #expect(bench.raft.role == .leader, "its own copy does not count any more")
    bench.step(.propose([[1]]))
    bench.accept(from: Bench.c)
    bench.receive(.appendAccepted(match: bench.raft.lastIndex - 1), from: Bench.b)
    #expect(bench.raft.role == .follower)
    #expect(Self.errors(bench) == [nil])
    #expect(bench.sent(to: Bench.c).last == .timeoutNow)
    bench.expire()
    bench.expire()
    #expect(bench.raft.role == .follower && bench.sent.isEmpty, "it never stands again")
  }

  @Test func whoLeftIsNotHeardOnceThatIsCommittedAndIsTold() throws {
    var bench = try Self.leader()
    bench.step(.operate(1, .remove(Bench.c)))
    bench.receive(.preVoteRequest(last: LogPosition(index: 9, term: 9)), from: Bench.c, term: 9)
    #expect(bench.sent(to: Bench.c) == [.preVoteResponse(granted: false)], "it may still come back")
    bench.accept(from: Bench.b)
    for body in [.voteRequest(last: LogPosition(index: 9, term: 9)), .transferVoteRequest(last: LogPosition(index: 9, term: 9))]
      as [Message.Body]
    {
      bench.receive(body, from: Bench.c, term: 9)
      #expect(bench.sent(to: Bench.c) == [.removed])
      #expect(bench.raft.term == 2)
    }
    bench.receive(.heartbeat(round: 1, commit: 1, confirmed: 1), from: Bench.c, term: 9)
    #expect(bench.raft.role == .leader)
  }

  /// It led until its removal was committed, and hands over after that; in no later term has it anything to say.
  @Test func aLeaderThatLeftIsHeardInItsTermAlone() throws {
    var bench = try Bench()
    bench.follow()
    let without = Configuration(voters: [Bench.a, Bench.c].map(Bench.member), removed: [Bench.b])
    let change = Entry(index: 2, term: 1, kind: .configuration, payload: without.encoded()[...])
    bench.receive(.append(previous: LogPosition(index: 1, term: 1), entries: [change], commit: 1))
    bench.receive(.commit(2))
    #expect(bench.raft.commitIndex == 2 && bench.raft.leader == Bench.b)
    for body in [.heartbeat(round: 1, commit: 2, confirmed: 2), .outdated, .voteResponse(granted: true), .timeoutNow] as [Message.Body] {
      bench.receive(body, from: Bench.b, term: 1 << 62)
      #expect(bench.raft.term == 1 && bench.raft.leader == Bench.b)
    }
    bench.receive(.timeoutNow)
    #expect(bench.raft.role == .candidate && bench.raft.term == 2)
  }

  @Test func whoIsToldStandsNoMoreUntilALeaderIsHeard() throws {
    var bench = try Bench()
    bench.receive(.removed)
    #expect(bench.raft.isRemoved)
    bench.expire()
    bench.expire()
    #expect(bench.raft.role == .follower && bench.sent.isEmpty)
    bench.follow(term: 2)
    bench.expire()
    #expect(bench.raft.role == .preCandidate)
  }

  @Test func aChangeWhoseLeaderIsDeposedIsOfUnknownOutcome() throws {
    var bench = try Self.leader()
    bench.step(Self.add(Self.d))
    bench.receive(.heartbeat(round: 0, commit: 1, confirmed: 1), term: 3)
    #expect(Self.errors(bench) == [.leadershipLost])
    #expect(OperatorError.leadershipLost.isOutcomeUnknown)
  }

  /// Pitfall 25: a process that stops is a member all the same; only an operator removes one.
  @Test func aMemberThatStopsIsAMemberAllTheSame() throws {
    var bench = try Self.leader()
    bench.now = bench.now + 100 * bench.raft.settings.electionTimeout
    bench.accept(from: Bench.b)
    bench.step(.tick)
    #expect(bench.raft.configuration == Bench.configuration)
  }

  @Test func aRequestToHandOverGoesToVotersOnly() throws {
    var bench = try Self.leader()
    bench.step(Self.add(Self.d))
    bench.accept(from: Bench.b, Bench.c, Self.d)
    bench.step(.operate(2, .transfer(to: Self.d)))
    #expect(Self.errors(bench) == [.notAVoter(Self.d)])
  }

  // MARK: Who is needed, and who is heard of

  /// Dissertation, section 4.2.2: others may not have the change by which a leader leaves, and then nobody else could be elected.
  @Test func aLeaderThatLeavesStandsUntilThatIsCommitted() throws {
    var bench = try Self.leader()
    bench.step(.operate(1, .remove(Bench.a)))
    bench.now = bench.now + 2 * bench.raft.settings.electionTimeout
    bench.step(.tick)
    #expect(bench.raft.role == .follower && !bench.raft.isVoter && !bench.raft.isRemoved)
    bench.expire()
    bench.receive(.preVoteResponse(granted: true), from: Bench.b, term: 3)
    #expect(bench.raft.role == .preCandidate, "its own vote does not count")
    bench.receive(.preVoteResponse(granted: true), from: Bench.c, term: 3)
    #expect(bench.raft.role == .candidate)
  }

  @Test func whoHasNotAnsweredInThisTermIsNotHeardOf() throws {
    var bench = try Bench()
    bench.becomeLeader()
    bench.accept(from: Bench.b)
    bench.step(.operate(1, .remove(Bench.b)))
    #expect(Self.errors(bench) == [.quorumNotHeard], "c may be dead")
    bench.accept(from: Bench.c)
    bench.step(.operate(2, .remove(Bench.b)))
    #expect(Self.errors(bench).isEmpty)
  }
}
