import Testing

@testable import Raft

/// Handing over leadership: the dissertation, section 3.10.
@Suite struct LeadershipTransferTests {
  /// A leader of term 2 whose whole log both peers have.
  private static func leader() throws -> Bench {
    var bench = try Bench()
    bench.becomeLeader()
    bench.acceptAll()
    return bench
  }

  private static func errors(_ bench: Bench) -> [OperatorError?] { bench.effects.operated.map(\.error) }

  @Test func aTargetThatHasTheLogIsToldAtOnce() throws {
    var bench = try Self.leader()
    bench.step(.operate(7, .transfer(to: Bench.b)))
    #expect(bench.sent(to: Bench.b) == [.timeoutNow])
    #expect(bench.sent(to: Bench.c).isEmpty)
    #expect(bench.effects.operated.isEmpty, "it is not over")
  }

  @Test func aTargetThatLagsIsCaughtUpFirst() throws {
    var bench = try Self.leader()
    bench.step(.propose([[1]]))
    let last = bench.raft.lastIndex
    bench.step(.operate(7, .transfer(to: Bench.b)))
    #expect(!bench.sent.contains { $0.body == .timeoutNow })
    bench.receive(.appendAccepted(match: last - 1))
    #expect(!bench.sent.contains { $0.body == .timeoutNow })
    bench.receive(.appendAccepted(match: last))
    #expect(bench.sent(to: Bench.b).contains(.timeoutNow))
  }

  @Test func noProposalIsTakenMeanwhileAndAgainAfterwards() throws {
    var bench = try Self.leader()
    bench.step(.operate(7, .transfer(to: Bench.b)))
    let last = bench.raft.lastIndex
    bench.step(.propose([[1]]))
    #expect(bench.raft.lastIndex == last)
    #expect(!bench.raft.hasRoom(forBytes: 1))
    bench.receive(.proposals(stream: 1, sequence: 1, [[1]]), from: Bench.c)
    #expect(bench.sent(to: Bench.c) == [.proposalsRefused(stream: 1, sequence: 1)])
    #expect(bench.raft.lastIndex == last)
    // The target never answers: within an election timeout it is over.
    let end = bench.now + bench.raft.settings.electionTimeout
    while bench.effects.operated.isEmpty {
      #expect(bench.now <= end)
      bench.now = bench.raft.deadline
      bench.step(.tick, .message(Message(from: Bench.c, to: Bench.a, term: 2, body: .appendAccepted(match: last))))
    }
    #expect(bench.now == end)
    #expect(Self.errors(bench) == [.transferTimedOut(Bench.b)])
    #expect(bench.raft.role == .leader)
    bench.step(.propose([[1]]))
    #expect(bench.raft.lastIndex == last + 1)
  }

  @Test func theMessageIsRepeatedWithEachHeartbeatOnly() throws {
    var bench = try Self.leader()
    bench.step(.operate(7, .transfer(to: Bench.b)))
    bench.receive(.appendAccepted(match: bench.raft.lastIndex))
    #expect(!bench.sent.contains { $0.body == .timeoutNow })
    bench.now = bench.now + bench.raft.settings.heartbeatInterval
    bench.step(.tick)
    #expect(bench.sent(to: Bench.b).contains(.timeoutNow))
  }

  @Test func theTransferIsDoneWhenTheTargetLeads() throws {
    var bench = try Self.leader()
    bench.step(.operate(7, .transfer(to: Bench.b)))
    bench.receive(.transferVoteRequest(last: LogPosition(index: bench.raft.lastIndex, term: 2)), term: 3)
    #expect(bench.raft.role == .follower)
    #expect(bench.sent(to: Bench.b) == [.voteResponse(granted: true)])
    #expect(bench.effects.operated.isEmpty)
    bench.receive(.heartbeat(round: 0, commit: 1, confirmed: 1), term: 3)
    #expect(Self.errors(bench) == [nil])
    #expect(bench.effects.operated.map(\.id) == [7])
  }

  @Test func anotherLeaderEndsItWithAReason() throws {
    var bench = try Self.leader()
    bench.step(.operate(7, .transfer(to: Bench.b)))
    bench.receive(.heartbeat(round: 0, commit: 1, confirmed: 1), from: Bench.c, term: 3)
    #expect(Self.errors(bench) == [.anotherLeads(Bench.c)])
  }

  @Test func aDeposedLeaderSaysSoWhenNobodyLeadsInTime() throws {
    var bench = try Self.leader()
    bench.step(.operate(7, .transfer(to: Bench.b)))
    bench.receive(.transferVoteRequest(last: LogPosition(index: bench.raft.lastIndex, term: 2)), term: 3)
    bench.now = bench.raft.deadline
    bench.step(.tick)
    #expect(Self.errors(bench) == [.transferTimedOut(Bench.b)])
  }

  @Test func badRequestsAreRefusedWithAReason() throws {
    var bench = try Self.leader()
    bench.step(.operate(1, .transfer(to: NodeID(9))))
    #expect(Self.errors(bench) == [.unknownMember(NodeID(9))])
    bench.step(.operate(2, .transfer(to: Bench.a)))
    #expect(Self.errors(bench) == [nil], "it leads already")
    bench.step(.operate(3, .transfer(to: Bench.b)), .operate(4, .transfer(to: Bench.c)))
    #expect(Self.errors(bench) == [.transferUnderWay])
    var silent = try Self.leader()
    silent.now = silent.now + silent.raft.settings.electionTimeout
    silent.receive(.appendAccepted(match: 2), from: Bench.c)
    silent.step(.operate(5, .transfer(to: Bench.b)))
    #expect(Self.errors(silent) == [.unreachable(Bench.b)])
    silent.step(.operate(6, .transfer(to: nil)))
    #expect(silent.raft.transfer?.target == Bench.c, "the best is one that is heard of")
    var follower = try Bench()
    follower.follow()
    follower.step(.operate(7, .transfer(to: nil)))
    #expect(Self.errors(follower) == [.notLeader(leader: Bench.b)])
  }

  @Test func theBestIsTheOneWithMostOfTheLog() throws {
    var bench = try Self.leader()
    bench.step(.propose([[1]]))
    bench.receive(.appendAccepted(match: bench.raft.lastIndex), from: Bench.c)
    bench.step(.operate(1, .transfer(to: nil)))
    #expect(bench.raft.transfer?.target == Bench.c)
  }

  // MARK: The target

  @Test func whoIsToldStandsAtOnceAndSaysWhy() throws {
    var bench = try Bench()
    bench.follow(term: 2)
    bench.receive(.timeoutNow, term: 2)
    #expect(bench.raft.role == .candidate)
    #expect(bench.raft.term == 3)
    #expect(bench.sent(to: Bench.c) == [.transferVoteRequest(last: LogPosition(index: 1, term: 1))])
    bench.receive(.voteResponse(granted: true), from: Bench.c)
    #expect(bench.raft.role == .leader)
  }

  @Test func onlyTheLeaderOfTheTermTellsAnybodyToStand() throws {
    var bench = try Bench()
    bench.follow(term: 2)
    bench.receive(.timeoutNow, from: Bench.c, term: 2)
    bench.receive(.timeoutNow, term: 1)
    #expect(bench.raft.role == .follower)
    #expect(bench.raft.term == 2)
    var leader = try Self.leader()
    leader.receive(.timeoutNow)
    #expect(leader.raft.role == .leader)
  }

  @Test func aVoterThatHearsTheLeaderVotesForWhoWasToldAndForNobodyElse() throws {
    var bench = try Bench()
    bench.follow(term: 2)
    bench.receive(.voteRequest(last: LogPosition(index: 9, term: 2)), from: Bench.c, term: 3)
    #expect(bench.raft.term == 2)
    bench.receive(.transferVoteRequest(last: LogPosition(index: 9, term: 2)), from: Bench.c, term: 3)
    #expect(bench.sent(to: Bench.c) == [.voteResponse(granted: true)])
    #expect(bench.raft.term == 3)
  }

  @Test func whoWasToldAndLacksEntriesIsNotElected() throws {
    var bench = try Bench(terms: [1, 2])
    bench.follow(term: 2)
    bench.receive(.transferVoteRequest(last: LogPosition(index: 1, term: 1)), from: Bench.c, term: 3)
    #expect(bench.sent(to: Bench.c) == [.voteResponse(granted: false)])
  }

  // MARK: Reads

  @Test func noReadIsAnsweredFromAnOldRoundMeanwhile() throws {
    var bench = try Self.leader()
    bench.step(.read(1))
    let old = bench.raft.leadership.round
    bench.step(.operate(7, .transfer(to: Bench.b)), .read(2))
    bench.receive(.heartbeatResponse(round: old, confirmed: 2, received: 2, match: 2), from: Bench.c)
    #expect(bench.effects.readable.map(\.id) == [1])
    // Deposed before the second round is answered: nobody answers it.
    bench.receive(.transferVoteRequest(last: LogPosition(index: bench.raft.lastIndex, term: 2)), term: 3)
    bench.receive(.heartbeatResponse(round: old + 1, confirmed: 2, received: 2, match: 2), from: Bench.c, term: 2)
    #expect(bench.effects.readable.isEmpty)
  }
}
