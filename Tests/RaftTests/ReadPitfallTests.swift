import ByteCoding
import Testing

@testable import Raft

/// Mistakes that others made in reads and in forwarding; each test is named after one. The dissertation, sections 6.3 and 6.4.
@Suite struct ReadPitfallTests {
  func leader() throws -> Bench {
    var bench = try Bench()
    bench.becomeLeader()
    bench.receive(.appendAccepted(match: 2))
    return bench
  }

  func answer(_ round: UInt64) -> Message.Body { .heartbeatResponse(round: round, confirmed: 2, received: 2, match: 2) }

  // MARK: 17. Reads without confirmation

  @Test func aReadWaitsForARoundThatBeganAfterIt() throws {
    var bench = try leader()
    bench.receive(answer(0))
    bench.step(.read(7))
    #expect(bench.effects.readable.isEmpty)
    #expect(bench.sent(to: Bench.b) == [.heartbeat(round: 1, commit: 2, confirmed: 2)])
    bench.receive(answer(0))
    #expect(bench.effects.readable.isEmpty, "the answer to an older round")
    bench.step(.read(8))
    bench.receive(answer(1), from: Bench.c)
    #expect(bench.effects.readable.map(\.id) == [7], "8 was asked after round 1 began")
    bench.receive(answer(2), from: Bench.b)
    #expect(bench.effects.readable.map(\.id) == [8])
  }

  @Test func answersOfOneRoundFromOnePeerAreNoMajorityOfFive() throws {
    let five = Configuration(voters: (1...5 as ClosedRange<UInt64>).map { Bench.member(NodeID($0)) })
    var raft = RaftCore(bootstrapping: five, id: Bench.a, settings: Settings(), seed: 1, now: .zero)
    var effects = Effects()
    func receive(_ body: Message.Body, from peer: NodeID, term: Term = 2) {
      raft.step(.message(Message(from: peer, to: Bench.a, term: term, body: body)), now: .zero, into: &effects)
      raft.endTurn(now: .zero, into: &effects)
      raft.step(.written(through: .max), now: .zero, into: &effects)
    }
    raft.step(.tick, now: raft.deadline, into: &effects)
    for peer in [Bench.b, Bench.c] { receive(.preVoteResponse(granted: true), from: peer) }
    for peer in [Bench.b, Bench.c] { receive(.voteResponse(granted: true), from: peer) }
    #expect(raft.role == .leader)
    raft.step(.read(7), now: .zero, into: &effects)
    raft.endTurn(now: .zero, into: &effects)
    for _ in 0..<4 { receive(answer(1), from: Bench.b) }
    #expect(effects.readable.isEmpty)
    receive(answer(1), from: Bench.c)
    #expect(effects.readable.map(\.id) == [7])
  }

  @Test func anAnswerOfAnOlderTermConfirmsNothing() throws {
    var bench = try leader()
    bench.step(.read(7))
    bench.receive(answer(1), term: bench.raft.term - 1)
    #expect(bench.effects.readable.isEmpty)
    bench.receive(answer(1))
    #expect(bench.effects.readable.map(\.id) == [7])
  }

  @Test func aRoundThatWasNeverBegunConfirmsNothing() throws {
    var bench = try leader()
    bench.receive(answer(.max))
    bench.step(.read(7))
    #expect(bench.effects.readable.isEmpty)
    bench.receive(answer(99))
    #expect(bench.effects.readable.isEmpty)
  }

  @Test func nothingIsReadBeforeTheTermsNoOp() throws {
    var bench = try Bench(terms: [1, 2, 2], term: 3)
    bench.becomeLeader()
    bench.step(.read(7))
    bench.receive(.heartbeatResponse(round: 1, confirmed: 3, received: 0, match: 0))
    #expect(bench.effects.readable.map(\.index) == [4], "entries of earlier leaders may be committed without our knowing")
  }

  @Test func readsDoNotOutliveTheLeadership() throws {
    var bench = try leader()
    bench.step(.read(7))
    bench.follow(Bench.b, term: bench.raft.term + 1)
    bench.receive(answer(1), from: Bench.c, term: bench.raft.term - 1)
    #expect(bench.effects.readable.isEmpty)
  }

  @Test func aFollowersReadIsAnsweredByItsLeaderOnly() throws {
    var bench = try Bench()
    bench.follow(Bench.b, term: 3)
    bench.step(.read(7))
    #expect(bench.sent(to: Bench.b) == [.readRequest(7)])
    bench.receive(.readResponse(7, index: 5), from: Bench.c)
    #expect(bench.effects.readable.isEmpty)
    bench.receive(.readResponse(7, index: 5), term: 2)
    #expect(bench.effects.readable.isEmpty)
    bench.receive(.readResponse(7, index: 5))
    #expect(bench.effects.readable.map(\.index) == [5])
  }

  @Test func waitingReadsAreBounded() throws {
    var bench = try leader()
    for id in 0..<5000 as Range<UInt64> { bench.step(.read(id)) }
    bench.receive(answer(5000))
    bench.receive(answer(4096))
    #expect(bench.effects.readable.count == 4096)
  }

  // MARK: 18. A retry executes twice

  @Test func whatTheNetworkDeliversTwiceIsAppendedOnce() throws {
    var bench = try leader()
    for _ in 0..<3 { bench.receive(.proposals(stream: 1, sequence: 1, [[1], [2]])) }
    #expect(bench.raft.lastIndex == 4)
    #expect(bench.effects.refusedProposals.isEmpty)
    #expect(bench.sent.isEmpty)
  }

  @Test func whatWasAppendedIsNotRefusedLater() throws {
    var bench = try leader()
    bench.receive(.proposals(stream: 1, sequence: 1, [[1]]))
    for _ in 0..<20 where bench.raft.role == .leader { bench.expire() }
    #expect(bench.raft.role == .follower, "nobody answered")
    bench.receive(.proposals(stream: 1, sequence: 1, [[1]]))
    #expect(bench.sent.isEmpty)
    bench.receive(.proposals(stream: 1, sequence: 2, [[1]]))
    #expect(bench.sent(to: Bench.b) == [.proposalsRefused(stream: 1, sequence: 2)])
  }

  @Test func whatWasRefusedIsNotAppendedLater() throws {
    var settings = Settings()
    settings.maximumUncommittedBytes = 100
    var bench = try Bench(settings: settings)
    bench.becomeLeader()
    bench.receive(.proposals(stream: 1, sequence: 1, [[UInt8](repeating: 0, count: 200)[...]]))
    #expect(bench.sent(to: Bench.b).contains(.proposalsRefused(stream: 1, sequence: 1)))
    bench.receive(.appendAccepted(match: 2))
    bench.receive(.proposals(stream: 1, sequence: 1, [[1]]))
    #expect(bench.raft.lastIndex == 2)
    // With nothing uncommitted, there is room for whatever comes: to refuse it again and again would be for ever.
    bench.receive(.proposals(stream: 1, sequence: 2, [[UInt8](repeating: 0, count: 200)[...]]))
    #expect(bench.raft.lastIndex == 3)
  }

  @Test func proposalsOfAnotherTermAreOutdated() throws {
    var bench = try leader()
    bench.receive(.proposals(stream: 1, sequence: 1, [[1]]), term: bench.raft.term - 1)
    #expect(bench.raft.lastIndex == 2)
    #expect(bench.sent(to: Bench.b) == [.outdated])
  }

  @Test func inTheTermOfItsStartANodeDoesNotSayWhatItCannotKnow() throws {
    var bench = try Bench(term: 4)
    bench.receive(.proposals(stream: 1, sequence: 1, [[1]]), term: 4)
    #expect(bench.sent.isEmpty, "before the restart it may have led, and appended them")
  }
}
