import Testing

@testable import Raft

/// Mistakes that others made in elections; each test is named after one. The paper, sections 5.2 and 5.4.1.
@Suite struct ElectionPitfallTests {
  // MARK: A leader whose process ended

  @Test func aLeaderWhoseConnectionsEndedIsNotWaitedFor() throws {
    var bench = try Bench()
    bench.receive(.heartbeat(round: 0, commit: 0, confirmed: 0), from: Bench.b, term: 2)
    bench.step(.leaderConnectionLost)
    #expect(bench.raft.leader == nil && bench.raft.role == .follower && bench.raft.term == 2)
    let quarter = bench.raft.settings.electionTimeout / 4
    #expect(bench.raft.deadline <= bench.now + quarter)
    bench.receive(.preVoteRequest(last: bench.raft.log.last), from: Bench.c, term: 3)
    #expect(bench.sent(to: Bench.c) == [.preVoteResponse(granted: true)], "nor is who stands kept waiting")
    // It lives after all.
    bench.receive(.heartbeat(round: 1, commit: 0, confirmed: 0), from: Bench.b, term: 2)
    #expect(bench.raft.leader == Bench.b)
    #expect(bench.raft.deadline >= bench.now + bench.raft.settings.electionTimeout)
  }

  @Test func oneThatLeadsOrStandsHasNoLeaderToLose() throws {
    var bench = try Bench()
    bench.becomeLeader()
    bench.step(.leaderConnectionLost)
    #expect(bench.raft.role == .leader && bench.raft.leader == Bench.a)

    var candidate = try Bench()
    candidate.becomeCandidate()
    let deadline = candidate.raft.deadline
    candidate.step(.leaderConnectionLost)
    #expect(candidate.raft.role == .candidate && candidate.raft.deadline == deadline)
  }

  @Test func aLeaderIsLostOnce() throws {
    var bench = try Bench()
    bench.follow()
    bench.step(.leaderConnectionLost)
    let deadline = bench.raft.deadline
    for _ in 0..<20 { bench.step(.leaderConnectionLost) }
    #expect(bench.raft.deadline == deadline, "to lose it again and again draws no shorter wait")
  }

  @Test(arguments: [false, true]) func aCandidateFollowsALeaderOfItsTermOrALaterOne(isLater: Bool) throws {
    var bench = try Bench()
    bench.becomeCandidate()
    let term = bench.raft.term + (isLater ? 1 : 0)
    bench.receive(.heartbeat(round: 0, commit: 0, confirmed: 0), from: Bench.c, term: term)
    #expect(bench.raft.role == .follower && bench.raft.leader == Bench.c && bench.raft.term == term)
    #expect(bench.raft.hardState.vote == (isLater ? nil : Bench.a))
  }

  static let last = LogPosition(index: 1, term: 1)

  // MARK: 1. A vote is granted twice in a term

  @Test func aVoteIsGrantedOnceInATerm() throws {
    var bench = try Bench()
    bench.receive(.voteRequest(last: Self.last), from: Bench.b, term: 5)
    #expect(bench.sent(to: Bench.b) == [.voteResponse(granted: true)])
    bench.receive(.voteRequest(last: Self.last), from: Bench.c, term: 5)
    #expect(bench.sent(to: Bench.c) == [.voteResponse(granted: false)])
    bench.receive(.voteRequest(last: Self.last), from: Bench.b, term: 5)
    #expect(bench.sent(to: Bench.b) == [.voteResponse(granted: true)], "the answer was lost: the same again")
  }

  @Test func aRestartKeepsTheVote() throws {
    var bench = try Bench(term: 5, vote: Bench.b)
    bench.receive(.voteRequest(last: Self.last), from: Bench.c, term: 5)
    #expect(bench.sent(to: Bench.c) == [.voteResponse(granted: false)])
  }

  @Test func steppingDownInTheSameTermDoesNotFreeTheVote() throws {
    var bench = try Bench()
    bench.becomeLeader()
    let term = bench.raft.term
    bench.now = bench.now + .milliseconds(600)
    bench.step(.tick)
    #expect(bench.raft.role == .follower)
    #expect(bench.raft.hardState == HardState(term: term, vote: Bench.a))
    bench.receive(.voteRequest(last: LogPosition(index: 9, term: 9)), from: Bench.c)
    #expect(bench.sent(to: Bench.c) == [.voteResponse(granted: false)])
  }

  @Test func aCandidateThatFindsALeaderKeepsItsVote() throws {
    var bench = try Bench()
    bench.becomeCandidate()
    let term = bench.raft.term
    bench.follow(Bench.c)
    #expect(bench.raft.role == .follower)
    #expect(bench.raft.hardState == HardState(term: term, vote: Bench.a))
  }

  // MARK: All wait equally long, and split the votes again and again

  @Test func howLongToWaitForALeaderIsDrawnByEachAndEachTime() throws {
    let timeout = Settings().electionTimeout
    let state = DurableState(hardState: HardState(term: 1), entries: Bench.entries([1]), commit: 1)
    var waits: [Nanoseconds] = []
    for seed in 1...8 as ClosedRange<UInt64> {
      let raft = try RaftCore(restarting: state, snapshot: nil, id: Bench.a, settings: Settings(), seed: seed, now: .zero)
      waits.append(raft.deadline - .zero)
    }
    #expect(Set(waits).count > 4)
    var bench = try Bench()
    for _ in 0..<8 {
      bench.follow()
      waits.append(bench.raft.deadline - bench.now)
    }
    #expect(Set(waits.suffix(8)).count > 4)
    for _ in 0..<8 {
      bench.expire()
      waits.append(bench.raft.deadline - bench.now)
    }
    #expect(bench.raft.role == .preCandidate)
    #expect(Set(waits.suffix(8)).count > 4, "and by who stands in vain")
    #expect(waits.allSatisfy { (timeout..<2 * timeout).contains($0) })
  }

  // MARK: 2. Term and vote are two writes, or come after the reply

  @Test func termAndVoteAreOneWriteBeforeTheReply() throws {
    var bench = try Bench()
    bench.syncsAtOnce = false
    bench.receive(.voteRequest(last: Self.last), from: Bench.b, term: 5)
    #expect(bench.effects.writes.map(\.hardState) == [HardState(term: 5, vote: Bench.b)])
    #expect(bench.effects.messages.map(\.after) == [bench.effects.writes[0].sequence])
  }

  @Test func nothingOfANewTermLeavesBeforeItIsDurable() throws {
    var bench = try Bench()
    bench.syncsAtOnce = false
    bench.becomeCandidate()
    #expect(bench.sent.count == 2)
    #expect(bench.effects.writes.map(\.hardState) == [HardState(term: 2, vote: Bench.a)])
    #expect(bench.effects.messages.allSatisfy { $0.after == bench.effects.writes[0].sequence })
    bench.receive(.append(previous: .zero, entries: [], commit: 0), from: Bench.c, term: 7)
    let sequence = try #require(bench.effects.writes.last?.sequence)
    #expect(bench.effects.messages.allSatisfy { $0.after == sequence })
  }

  // MARK: 3. A stale or duplicate vote reply is counted, or one of a stranger

  @Test func aDuplicateVoteCountsOnce() throws {
    let five = Configuration(voters: (1...5 as ClosedRange<UInt64>).map { Bench.member(NodeID($0)) })
    var raft = RaftCore(bootstrapping: five, id: Bench.a, settings: Settings(), seed: 1, now: .zero)
    var effects = Effects()
    raft.step(.tick, now: raft.deadline, into: &effects)
    for peer in [Bench.b, Bench.c] {
      raft.step(.message(Message(from: peer, to: Bench.a, term: 2, body: .preVoteResponse(granted: true))), now: .zero, into: &effects)
    }
    raft.endTurn(now: .zero, into: &effects)
    raft.step(.written(through: 9), now: .zero, into: &effects)
    for _ in 0..<5 {
      raft.step(.message(Message(from: Bench.b, to: Bench.a, term: 2, body: .voteResponse(granted: true))), now: .zero, into: &effects)
    }
    #expect(raft.role == .candidate)
    raft.step(.message(Message(from: Bench.c, to: Bench.a, term: 2, body: .voteResponse(granted: true))), now: .zero, into: &effects)
    #expect(raft.role == .leader)
  }

  @Test func aVoteOfAnOlderTermOrOfAStrangerIsNotCounted() throws {
    var bench = try Bench()
    bench.becomeCandidate()
    bench.receive(.voteResponse(granted: true), term: bench.raft.term - 1)
    bench.receive(.voteResponse(granted: true), from: NodeID(77))
    bench.receive(.voteResponse(granted: true), from: Bench.a)
    #expect(bench.raft.role == .candidate)
  }

  @Test func aPreVoteGrantIsNoVote() throws {
    var bench = try Bench()
    bench.becomeCandidate()
    bench.receive(.preVoteResponse(granted: true), from: Bench.b)
    bench.receive(.preVoteResponse(granted: true), from: Bench.c, term: bench.raft.term + 1)
    #expect(bench.raft.role == .candidate)
  }

  // MARK: 4. Up-to-date is checked by index only

  @Test(arguments: [
    (LogPosition(index: 9, term: 2), false), (LogPosition(index: 2, term: 3), false), (LogPosition(index: 3, term: 3), true),
    (LogPosition(index: 4, term: 3), true), (LogPosition(index: 1, term: 4), true),
  ])
  func upToDateIsTheNewerTermAndThenTheLongerLog(last: LogPosition, granted: Bool) throws {
    var bench = try Bench(terms: [1, 2, 3])
    bench.receive(.voteRequest(last: last), term: 8)
    #expect(bench.sent(to: Bench.b) == [.voteResponse(granted: granted)])
    bench = try Bench(terms: [1, 2, 3])
    bench.receive(.preVoteRequest(last: last), term: 8)
    #expect(bench.sent(to: Bench.b) == [.preVoteResponse(granted: granted)])
  }

  // MARK: 5. A pre-vote changes something; a refusal hides a higher term; a refused vote resets the timer

  @Test func aPreVoteChangesNothingAtWhoIsAsked() throws {
    var bench = try Bench()
    let (state, deadline) = (bench.raft.hardState, bench.raft.deadline)
    bench.now = bench.now + .milliseconds(100)
    bench.receive(.preVoteRequest(last: Self.last), term: 9)
    #expect(bench.sent == [Message(from: Bench.a, to: Bench.b, term: 9, body: .preVoteResponse(granted: true))])
    bench.receive(.preVoteRequest(last: .zero), term: 9)
    #expect(bench.sent(to: Bench.b) == [.preVoteResponse(granted: false)])
    #expect(bench.raft.hardState == state)
    #expect(bench.raft.deadline == deadline)
    #expect(bench.effects.writes.isEmpty)
  }

  @Test func aRefusedPreVoteTellsOfAHigherTerm() throws {
    var bench = try Bench(term: 9)
    bench.receive(.preVoteRequest(last: Self.last), term: 3)
    #expect(bench.sent == [Message(from: Bench.a, to: Bench.b, term: 9, body: .preVoteResponse(granted: false))])
    bench = try Bench()
    bench.expire()
    bench.receive(.preVoteResponse(granted: false), term: 9)
    #expect(bench.raft.term == 9, "or it would ask in a term that nobody grants, for ever")
  }

  @Test func aGrantOfAnotherTermIsNotCounted() throws {
    var bench = try Bench()
    bench.expire()
    bench.receive(.preVoteResponse(granted: true), term: bench.raft.term + 2)
    bench.receive(.preVoteResponse(granted: true), term: bench.raft.term)
    #expect(bench.raft.role == .preCandidate)
    #expect(bench.raft.term == 1)
  }

  @Test func aRefusedVoteDoesNotResetTheTimer() throws {
    var bench = try Bench(terms: [1, 2])
    let deadline = bench.raft.deadline
    bench.now = bench.now + .milliseconds(400)
    bench.receive(.voteRequest(last: Self.last), term: 5)
    #expect(bench.sent(to: Bench.b) == [.voteResponse(granted: false)])
    #expect(bench.raft.deadline == deadline)
    bench.receive(.voteRequest(last: LogPosition(index: 2, term: 2)), term: 6)
    #expect(bench.raft.deadline > deadline, "a vote that is granted gives the candidate its time")
  }

  // MARK: 6. Without check-quorum a half-deaf leader stays for ever

  @Test func aLeaderThatHearsNothingStepsDown() throws {
    var bench = try Bench()
    bench.becomeLeader()
    for _ in 0..<10 {
      bench.expire()
      bench.receive(.heartbeatResponse(round: 0, confirmed: 1, received: 1, match: 1))
    }
    #expect(bench.raft.role == .leader, "one answer is a majority of three")
    for _ in 0..<20 where bench.raft.role == .leader { bench.expire() }
    #expect(bench.raft.role == .follower)
    #expect(bench.raft.leader == nil)
  }

  @Test func aLeaderThatHearsOneOfFourStepsDown() throws {
    let five = Configuration(voters: (1...5 as ClosedRange<UInt64>).map { Bench.member(NodeID($0)) })
    var raft = RaftCore(bootstrapping: five, id: Bench.a, settings: Settings(), seed: 1, now: .zero)
    var now = raft.deadline
    var effects = Effects()
    func step(_ event: Event) {
      raft.step(event, now: now, into: &effects)
      raft.endTurn(now: now, into: &effects)
      raft.step(.written(through: .max), now: now, into: &effects)
    }
    func receive(_ body: Message.Body, from peer: NodeID) { step(.message(Message(from: peer, to: Bench.a, term: 2, body: body))) }
    step(.tick)
    for peer in [Bench.b, Bench.c] { receive(.preVoteResponse(granted: true), from: peer) }
    for peer in [Bench.b, Bench.c] { receive(.voteResponse(granted: true), from: peer) }
    #expect(raft.role == .leader)
    for _ in 0..<20 where raft.role == .leader {
      now = raft.deadline
      step(.tick)
      receive(.heartbeatResponse(round: 0, confirmed: 2, received: 2, match: 2), from: Bench.b)
    }
    #expect(raft.role == .follower)
  }

  // MARK: 21. A member that was cut off disturbs

  @Test func votesAreRefusedWhileALeaderLives() throws {
    var bench = try Bench()
    bench.follow(Bench.b, term: 3)
    bench.now = bench.now + .milliseconds(300)
    bench.receive(.preVoteRequest(last: Self.last), from: Bench.c, term: 9)
    #expect(bench.sent(to: Bench.c) == [.preVoteResponse(granted: false)])
    bench.receive(.voteRequest(last: Self.last), from: Bench.c, term: 9)
    #expect(bench.sent.isEmpty)
    #expect(bench.raft.term == 3)
    bench.now = bench.now + .milliseconds(300)
    bench.receive(.preVoteRequest(last: Self.last), from: Bench.c, term: 9)
    #expect(bench.sent(to: Bench.c) == [.preVoteResponse(granted: true)])
  }

  @Test func aLeaderDoesNotListenToCandidates() throws {
    var bench = try Bench()
    bench.becomeLeader()
    let term = bench.raft.term
    bench.receive(.voteRequest(last: LogPosition(index: 99, term: term)), term: term + 1)
    bench.receive(.preVoteRequest(last: LogPosition(index: 99, term: term)), term: term + 1)
    #expect(bench.raft.role == .leader)
    #expect(bench.raft.term == term)
  }

  @Test func aLeaderOfAnOlderTermLearnsOfTheNewer() throws {
    var bench = try Bench(term: 9)
    bench.receive(.heartbeat(round: 1, commit: 0, confirmed: 0), term: 4)
    #expect(bench.sent == [Message(from: Bench.a, to: Bench.b, term: 9, body: .outdated)])
    bench = try Bench()
    bench.becomeLeader()
    bench.receive(.outdated, term: 9)
    #expect(bench.raft.role == .follower)
    #expect(bench.raft.term == 9)
  }
}
