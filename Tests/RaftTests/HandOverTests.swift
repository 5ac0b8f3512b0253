import Testing

@testable import Raft

/// A leader that gives way without being asked, members that move, and what somebody who left may not do any more.
@Suite struct HandOverTests {
  /// A leader of term 2 whose whole log both peers have.
  private static func leader() throws -> Bench {
    var bench = try Bench()
    bench.becomeLeader()
    bench.acceptAll()
    return bench
  }

  private static func wasToldToStand(_ bench: Bench, _ peer: NodeID) -> Bool { bench.sent(to: peer).contains(.timeoutNow) }

  /// Answers of both peers, so that they are heard of; nothing of the leader's own disk.
  private static func pass(_ bench: inout Bench, _ time: Nanoseconds) {
    let end = bench.now + time
    while bench.now < end {
      bench.now = bench.now + bench.raft.settings.heartbeatInterval
      bench.step(.tick)
      bench.acceptAll()
    }
  }

  // MARK: A disk that stalls

  @Test func aLeaderWhoseDiskStallsHandsOver() throws {
    var bench = try Self.leader()
    bench.syncsAtOnce = false
    bench.step(.propose([[1]]))
    let stalled = bench.now
    var toldAt: Instant?
    for _ in 0..<100 where toldAt == nil {
      bench.now = bench.now + bench.raft.settings.heartbeatInterval
      bench.step(.tick)
      if Self.wasToldToStand(bench, Bench.b) || Self.wasToldToStand(bench, Bench.c) { toldAt = bench.now }
      bench.acceptAll()
      if Self.wasToldToStand(bench, Bench.b) || Self.wasToldToStand(bench, Bench.c) { toldAt = bench.now }
    }
    let waited = try #require(toldAt) - stalled
    #expect(waited > bench.raft.settings.diskStallTimeout)
    #expect(waited <= bench.raft.settings.diskStallTimeout + 3 * bench.raft.settings.heartbeatInterval)
    // Nobody took over: it goes on taking proposals, and does not try without end.
    Self.pass(&bench, 2 * bench.raft.settings.electionTimeout)
    #expect(bench.raft.role == .leader && bench.raft.hasRoom(forBytes: 1))
  }

  @Test func whoseDiskStallsDoesNotStandBeforeItAnswers() throws {
    var bench = try Bench()
    bench.syncsAtOnce = false
    bench.follow()
    let entry = Entry(index: 2, term: 1, kind: .command, payload: [1])
    bench.receive(.append(previous: LogPosition(index: 1, term: 1), entries: [entry], commit: 1))
    bench.now = bench.now + bench.raft.settings.diskStallTimeout + .microseconds(1)
    bench.step(.tick)
    #expect(bench.raft.role == .follower && bench.sent.isEmpty)
    bench.receive(.timeoutNow)
    #expect(bench.raft.role == .follower)
    bench.step(.written(through: bench.lastWrite))
    bench.expire()
    #expect(bench.raft.role == .preCandidate)
  }

  // MARK: A preference

  @Test func aPreferenceIsHeededOnceThePeerHasWhatIsCommitted() throws {
    var bench = try Self.leader()
    bench.step(.propose([[1]]))
    bench.accept(from: Bench.c)
    bench.step(.handOver(to: Bench.b))
    #expect(bench.raft.hasRoom(forBytes: 1), "the one that lags is not waited for")
    bench.accept(from: Bench.b)
    bench.step(.handOver(to: Bench.b))
    #expect(Self.wasToldToStand(bench, Bench.b))
  }

  @Test func aPreferenceThatFailsIsNotTriedWithoutEnd() throws {
    var bench = try Self.leader()
    var told = 0
    var blocked = 0
    for _ in 0..<80 {
      bench.now = bench.now + bench.raft.settings.heartbeatInterval
      bench.step(.handOver(to: Bench.b), .tick)
      if Self.wasToldToStand(bench, Bench.b) { told += 1 }
      if !bench.raft.hasRoom(forBytes: 1) { blocked += 1 }
      bench.acceptAll()
    }
    #expect(bench.raft.role == .leader)
    #expect(told > 0 && blocked <= 11, "proposals are held up for one election timeout in eight: \(blocked) of 80")
  }

  @Test func nobodyIsPreferredWhoIsNotHeardOfOrDoesNotVote() throws {
    var bench = try Self.leader()
    bench.step(.handOver(to: NodeID(9)))
    #expect(bench.raft.hasRoom(forBytes: 1))
    bench.now = bench.now + bench.raft.settings.electionTimeout
    bench.receive(.appendAccepted(match: bench.raft.lastIndex), from: Bench.c)
    bench.step(.handOver(to: Bench.b))
    #expect(bench.raft.hasRoom(forBytes: 1))
  }

  // MARK: Addresses

  @Test func aMemberThatMovedIsBelieved() throws {
    var bench = try Self.leader()
    let before = bench.raft.configuration
    bench.step(.moved(Bench.b, peerAddress: "new", clientAddress: "new-client"))
    #expect(bench.raft.configuration.electorate == before.electorate)
    #expect(bench.raft.configuration.member(Bench.b)?.peerAddress == "new")
    #expect(bench.raft.configuration.member(Bench.b)?.name == Bench.member(Bench.b).name)
    let last = bench.raft.lastIndex
    // One change at a time, and none that changes nothing.
    bench.step(.moved(Bench.c, peerAddress: "newer", clientAddress: ""))
    #expect(bench.raft.lastIndex == last)
    bench.acceptAll()
    bench.step(.moved(Bench.b, peerAddress: "new", clientAddress: "new-client"))
    #expect(bench.raft.lastIndex == last)
    bench.step(.operate(1, .update(Bench.c, peerAddress: "newer", clientAddress: "")))
    bench.acceptAll()
    #expect(bench.raft.configuration.member(Bench.c)?.peerAddress == "newer")
  }

  @Test func aStrangersAddressIsNoChange() throws {
    var bench = try Self.leader()
    let last = bench.raft.lastIndex
    bench.step(.moved(NodeID(9), peerAddress: "x", clientAddress: "x"))
    bench.step(.moved(Bench.b, peerAddress: String(repeating: "x", count: Member.maximumTextSize + 1), clientAddress: "x"))
    #expect(bench.raft.lastIndex == last)
    bench.step(.operate(1, .update(NodeID(9), peerAddress: "x", clientAddress: "x")))
    #expect(bench.effects.operated.map(\.error) == [.unknownMember(NodeID(9))])
  }

  // MARK: Who is left

  /// Three voters, one of which is silent: to remove the other would leave a leader that can decide nothing.
  @Test func nobodyIsRemovedWhomADecisionNeeds() throws {
    var bench = try Self.leader()
    bench.now = bench.now + bench.raft.settings.electionTimeout
    bench.receive(.appendAccepted(match: bench.raft.lastIndex))
    bench.step(.operate(1, .remove(Bench.b)))
    #expect(bench.effects.operated.map(\.error) == [.quorumNotHeard])
    bench.step(.operate(2, .remove(Bench.c)))
    #expect(bench.effects.operated.isEmpty)
    #expect(bench.raft.configuration.voters.map(\.id) == [Bench.a, Bench.b])
  }

  @Test func whoKnowsThatItLeftVotesForNobody() throws {
    for isCommitted in [false, true] {
      var bench = try Bench()
      let next = Configuration(voters: [Bench.b, Bench.c].map(Bench.member), removed: [Bench.a])
      let entry = Entry(index: 2, term: 1, kind: .configuration, payload: next.encoded()[...])
      bench.receive(.append(previous: LogPosition(index: 1, term: 1), entries: [entry], commit: isCommitted ? 2 : 1))
      #expect(bench.raft.isRemoved == isCommitted)
      bench.now = bench.now + 3 * bench.raft.settings.electionTimeout
      let last = LogPosition(index: 2, term: 1)
      bench.receive(.preVoteRequest(last: last), from: Bench.c, term: 2)
      #expect(bench.sent(to: Bench.c) == [.preVoteResponse(granted: !isCommitted)])
      bench.receive(.voteRequest(last: last), from: Bench.c, term: 2)
      #expect(bench.sent(to: Bench.c) == [.voteResponse(granted: !isCommitted)])
    }
  }
}
