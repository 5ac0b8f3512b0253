import ByteCoding
import Testing

@testable import Raft

/// Mistakes that others made in replication; each test is named after one. The paper, sections 5.3, 5.4.2 and 7.
@Suite struct ReplicationPitfallTests {
  static func append(_ terms: [Term], after previous: LogIndex, commit: LogIndex = 0, upTo last: LogIndex? = nil) -> Message.Body {
    let entries = Bench.entries(terms)
    let position = previous == 0 ? LogPosition.zero : entries[Int(previous) - 1].position
    return .append(previous: position, entries: Array(entries[Int(previous)..<Int(last ?? LogIndex(terms.count))]), commit: commit)
  }

  // MARK: 7. An acknowledgement names the last index

  @Test func anAcknowledgementNamesWhatTheMessageHeld() throws {
    var bench = try Bench(terms: [1, 2, 2, 2, 2], term: 3)
    bench.receive(Self.append([1, 2, 2], after: 1), term: 4)
    #expect(bench.sent(to: Bench.b) == [.appendAccepted(match: 3)], "4 and 5 may differ from the leader's")
    bench.follow()
    #expect(bench.sent(to: Bench.b) == [.heartbeatResponse(round: 0, confirmed: 0, received: 3, match: 3)])
  }

  @Test func anAcknowledgementWaitsForTheDisk() throws {
    var bench = try Bench()
    bench.syncsAtOnce = false
    bench.receive(Self.append([1, 2, 2], after: 1), term: 2)
    #expect(bench.sent == [Message(from: Bench.a, to: Bench.b, term: 2, body: .appendAccepted(match: 1))])
    bench.follow()
    #expect(bench.sent(to: Bench.b) == [.heartbeatResponse(round: 0, confirmed: 0, received: 3, match: 1)])
    bench.step(.written(through: 1))
    #expect(bench.sent(to: Bench.b) == [.appendAccepted(match: 3)])
  }

  @Test func aRepeatedAppendIsAcknowledgedAgain() throws {
    var bench = try Bench()
    for _ in 0..<3 {
      bench.receive(Self.append([1, 2, 2], after: 1), term: 2)
      #expect(bench.sent(to: Bench.b).last == .appendAccepted(match: 3), "the answer may have been lost")
    }
    #expect(bench.effects.writes.isEmpty, "nothing is written twice")
  }

  @Test func anOldAppendDoesNotShortenTheLog() throws {
    var bench = try Bench()
    bench.receive(Self.append([1, 2, 2, 2], after: 1), term: 2)
    bench.receive(Self.append([1, 2], after: 1), term: 2)
    #expect(bench.raft.lastIndex == 4)
  }

  // MARK: 8. The commit index or match index moves backwards

  @Test func aFollowersCommitIndexOnlyGrows() throws {
    var bench = try Bench()
    bench.receive(Self.append([1, 2, 2, 2], after: 1, commit: 3), term: 2)
    #expect(bench.raft.commitIndex == 3)
    bench.receive(.commit(2))
    bench.follow()
    bench.receive(Self.append([1, 2], after: 1, commit: 1))
    #expect(bench.raft.commitIndex == 3)
  }

  @Test func aFollowerCommitsNoFurtherThanItWasShown() throws {
    var bench = try Bench(terms: [1, 2, 2, 2, 2], term: 3)
    bench.receive(.heartbeat(round: 1, commit: 5, confirmed: 5), term: 4)
    bench.receive(.commit(5))
    #expect(bench.raft.commitIndex == 1, "2 to 5 may differ from the leader's")
    bench.receive(Self.append([1, 2, 2], after: 1, commit: 5))
    #expect(bench.raft.commitIndex == 3)
    // What one leader showed says nothing of the next one's log.
    bench.receive(.commit(5), from: Bench.c, term: 5)
    #expect(bench.raft.commitIndex == 3)
  }

  @Test func whatIsCommittedIsNeverTruncated() throws {
    var bench = try Bench()
    bench.receive(Self.append([1, 2, 2], after: 1, commit: 3), term: 2)
    bench.receive(Self.append([1, 3, 3], after: 1), from: Bench.c, term: 3)
    #expect(bench.raft.lastIndex == 3)
    #expect(bench.raft.term(at: 2) == 2)
    #expect(bench.sent.isEmpty)
  }

  @Test func whatALeaderShowedItCannotTakeBack() throws {
    var bench = try Bench()
    bench.receive(Self.append([1, 3, 3], after: 1), term: 4)
    bench.receive(Self.append([1, 2], after: 1), term: 4)
    bench.receive(.commit(3))
    #expect(bench.raft.lastIndex == 3)
    #expect(bench.raft.commitIndex == 3)
  }

  // MARK: 9. A stale rejection rewinds; an oversize entry is skipped

  @Test func aStaleRejectionDoesNotRewind() throws {
    var bench = try Bench()
    bench.becomeLeader()
    bench.receive(.appendAccepted(match: 2))
    bench.receive(.appendRejected(previous: 1, hint: .zero))
    #expect(bench.sent.isEmpty)
  }

  @Test func anOversizeEntryGoesAloneAndInItsPlace() throws {
    var settings = Settings()
    settings.maximumAppendBytes = 200
    var bench = try Bench(settings: settings)
    bench.becomeLeader()
    bench.receive(.appendAccepted(match: 2))
    bench.step(.propose([10, 10, 500, 10].map { [UInt8](repeating: 0, count: $0)[...] }))
    let sent = bench.sent(to: Bench.b).compactMap { body -> [LogIndex]? in
      if case .append(_, let entries, _) = body { entries.map(\.index) } else { nil }
    }
    #expect(sent == [[3, 4], [5], [6]])
  }

  // MARK: 10. The term of what came before is not checked

  @Test func theEntryBeforeMustBeTheSame() throws {
    var bench = try Bench(terms: [1, 2, 2], term: 3)
    bench.receive(.append(previous: LogPosition(index: 3, term: 3), entries: [], commit: 3))
    #expect(bench.sent(to: Bench.b) == [.appendRejected(previous: 3, hint: LogPosition(index: 2, term: 2))])
    bench.receive(.append(previous: LogPosition(index: 0, term: 3), entries: [], commit: 3))
    #expect(bench.sent(to: Bench.b) == [.appendRejected(previous: 0, hint: .zero)])
    #expect(bench.raft.commitIndex == 1)
  }

  @Test func aMessageOfAnOlderTermIsRefused() throws {
    var bench = try Bench(term: 5)
    bench.receive(Self.append([1, 4], after: 1, commit: 2), term: 4)
    #expect(bench.sent == [Message(from: Bench.a, to: Bench.b, term: 5, body: .outdated)])
    #expect(bench.raft.lastIndex == 1)
    #expect(bench.raft.leader == nil)
  }

  // MARK: 11. The quorum; figure 8

  @Test func anOlderTermsEntryIsNotCommittedByCounting() throws {
    var bench = try Bench(terms: [1, 2, 2], term: 3)
    bench.becomeLeader()
    bench.receive(.appendAccepted(match: 3))
    #expect(bench.raft.commitIndex == 1)
    bench.receive(.appendAccepted(match: 4))
    #expect(bench.raft.commitIndex == 4)
  }

  @Test func theLeaderCountsItselfOnlyWhenItIsDurable() throws {
    var bench = try Bench()
    bench.becomeLeader()
    bench.syncsAtOnce = false
    bench.step(.propose([[1]]))
    bench.receive(.appendAccepted(match: 3))
    #expect(bench.raft.commitIndex == 2)
    bench.step(.written(through: .max))
    #expect(bench.raft.commitIndex == 3)
  }

  @Test func anAcknowledgementOfAnOlderTermOrStrangerOrTheFutureDoesNotCount() throws {
    var bench = try Bench()
    bench.becomeLeader()
    bench.receive(.appendAccepted(match: 2), term: bench.raft.term - 1)
    bench.receive(.appendAccepted(match: 2), from: NodeID(77))
    bench.receive(.appendAccepted(match: 3))
    bench.receive(.appendAccepted(match: .max))
    #expect(bench.raft.commitIndex == 1)
  }

  // MARK: 13. An older snapshot over newer state; the snapshot's term is lost

  static func descriptor(_ index: LogIndex, _ term: Term) -> SnapshotDescriptor {
    SnapshotDescriptor(position: LogPosition(index: index, term: term), configuration: Bench.configuration, configurationIndex: 1)
  }

  @Test func anOlderSnapshotChangesNothing() throws {
    var bench = try Bench(terms: [1, 2, 2, 2], commit: 4)
    bench.follow(term: 2)
    bench.step(.snapshotInstalled(Self.descriptor(3, 2)))
    #expect(bench.raft.logStart == .zero)
    #expect(bench.raft.commitIndex == 4)
    bench.receive(.snapshotBlock(Self.descriptor(3, 2), number: 0, block: [], last: true))
    #expect(bench.effects.snapshotBlocks.isEmpty)
    #expect(bench.sent(to: Bench.b) == [.appendAccepted(match: 4)])
  }

  @Test func theLogGoesOnFromTheSnapshotsTerm() throws {
    var bench = try Bench()
    bench.follow(term: 9)
    bench.step(.snapshotInstalled(Self.descriptor(20, 7)))
    #expect(bench.raft.term(at: 20) == 7)
    #expect(bench.sent(to: Bench.b).contains(.appendAccepted(match: 20)))
    bench.receive(.preVoteRequest(last: LogPosition(index: 30, term: 6)), from: Bench.c, term: 10)
    #expect(bench.sent(to: Bench.c) == [.preVoteResponse(granted: false)])
    bench.receive(.append(previous: LogPosition(index: 20, term: 7), entries: [Entry(index: 21, term: 9, kind: .noop)], commit: 21))
    #expect(bench.raft.commitIndex == 21)
  }

  @Test func onlyWhatIsCommittedIsForgotten() throws {
    var bench = try Bench(terms: [1, 2, 2, 2], commit: 2)
    bench.step(.compact(through: 4))
    #expect(bench.raft.logStart == LogPosition(index: 2, term: 2))
    bench.step(.compact(through: .max))
    #expect(bench.raft.lastIndex == 4)
  }

  // MARK: 14. A conflicting suffix survives the snapshot

  @Test func aConflictingSuffixGoesAndAnAgreeingOneStays() throws {
    var bench = try Bench(terms: [1, 2, 2, 2, 2], term: 5)
    bench.follow()
    bench.step(.snapshotInstalled(Self.descriptor(3, 4)))
    #expect(bench.raft.lastIndex == 3)
    #expect(bench.effects.writes.first?.reset == LogPosition(index: 3, term: 4))
    bench = try Bench(terms: [1, 2, 2, 2, 2], term: 5)
    bench.follow()
    bench.step(.snapshotInstalled(Self.descriptor(3, 2)))
    #expect(bench.raft.lastIndex == 5)
    #expect(bench.raft.logStart == LogPosition(index: 3, term: 2))
  }

  @Test func entriesThatCameWithTheSnapshotInOneTurnReachTheDisk() throws {
    var bench = try Bench()
    bench.syncsAtOnce = false
    let append = Message(from: Bench.b, to: Bench.a, term: 2, body: Self.append([1, 2, 2, 2, 2, 2], after: 1))
    bench.step(.message(append), .snapshotInstalled(Self.descriptor(4, 2)))
    #expect(bench.raft.lastIndex == 6)
    // The disk's log ends at 1: it can go on behind the snapshot only if it is told so.
    #expect(bench.effects.writes.map(\.reset) == [LogPosition(index: 4, term: 2)])
    #expect(bench.effects.writes.flatMap(\.entries).map(\.index) == [5, 6])
  }

  @Test func aSnapshotOfEverythingThatCameInOneTurnLeavesNothingToWrite() throws {
    var bench = try Bench()
    bench.syncsAtOnce = false
    let append = Message(from: Bench.b, to: Bench.a, term: 2, body: Self.append([1, 2, 2], after: 1))
    bench.step(.message(append), .snapshotInstalled(Self.descriptor(3, 2)))
    #expect(bench.effects.writes.map(\.reset) == [LogPosition(index: 3, term: 2)])
    #expect(bench.effects.writes.flatMap(\.entries).isEmpty)
    bench.step(.written(through: .max))
    #expect(bench.raft.durableIndex == 3)
  }

  // MARK: 15. A configuration takes effect at commit; a truncation or a restart forgets it

  @Test func aConfigurationCountsFromItsAppendAndGoesWithItsEntry() throws {
    let two = Configuration(voters: [Bench.a, Bench.b].map(Bench.member))
    let change = Entry(index: 2, term: 2, kind: .configuration, payload: two.encoded()[...])
    var bench = try Bench()
    bench.receive(.append(previous: LogPosition(index: 1, term: 1), entries: [change], commit: 1), term: 2)
    #expect(bench.raft.configuration == two)
    #expect(bench.raft.descriptor(at: 2)?.configurationIndex == 2)
    let state = DurableState(hardState: bench.raft.hardState, entries: Bench.entries([1]) + [change], commit: 1)
    let restarted = try RaftCore(restarting: state, snapshot: nil, id: Bench.a, settings: Settings(), seed: 1, now: .zero)
    #expect(restarted.configuration == two)
    bench.receive(Self.append([1, 3], after: 1), term: 3)
    #expect(bench.raft.configuration == Bench.configuration)
  }

  // MARK: 20. A single-node group acknowledges before it is durable

  @Test func aloneIsNotDurable() {
    let alone = Configuration(voters: [Bench.member(Bench.a)])
    var raft = RaftCore(bootstrapping: alone, id: Bench.a, settings: Settings(), seed: 1, now: .zero)
    var effects = Effects()
    func turn(_ event: Event) {
      raft.step(event, now: .zero, into: &effects)
      raft.endTurn(now: .zero, into: &effects)
    }
    turn(.tick)
    #expect(raft.role == .candidate, "its own vote is not durable")
    turn(.written(through: 1))
    #expect(raft.role == .leader)
    turn(.written(through: 2))
    #expect(raft.commitIndex == 2)
    turn(.propose([[1]]))
    #expect(raft.commitIndex == 2)
    turn(.written(through: 3))
    #expect(raft.commitIndex == 3)
  }

  // MARK: 22. After a follower stalls, pipelining wedges

  /// A route may carry heartbeats, and no large packet.
  @Test(arguments: [false, true]) func aLeaderWhoseEntriesReachNobodyGivesUp(getThrough: Bool) throws {
    var bench = try Bench()
    bench.becomeLeader()
    bench.acceptAll()
    for _ in 0..<1500 {
      bench.step(.propose([[1]]))
      bench.now = bench.now + .milliseconds(50)
      bench.step(.tick)
      for peer in [Bench.b, Bench.c] {
        let match = getThrough ? bench.raft.lastIndex : 2
        bench.receive(.heartbeatResponse(round: 0, confirmed: match, received: match, match: match), from: peer)
        if getThrough { bench.receive(.appendAccepted(match: match), from: peer) }
      }
    }
    #expect((bench.raft.role == .leader) == getThrough)
  }

  @Test func aPeerThatLostEverythingUnderWayIsServedAgain() throws {
    var settings = Settings()
    settings.maximumInflightMessages = 4
    var bench = try Bench(settings: settings)
    bench.becomeLeader()
    bench.receive(.appendAccepted(match: 2))
    for _ in 0..<10 { bench.step(.propose([[1]])) }
    #expect(bench.sent(to: Bench.b).isEmpty, "the window is full")
    bench.expire()
    let position = try #require(bench.raft.log.term(at: 6).map { LogPosition(index: 6, term: $0) })
    let question = Message.Body.append(previous: position, entries: [], commit: bench.raft.commitIndex)
    #expect(bench.sent(to: Bench.b).contains(question), "did that come?")
    bench.receive(.heartbeatResponse(round: 0, confirmed: 2, received: 2, match: 2))
    #expect(bench.sent(to: Bench.b).isEmpty, "a heartbeat may overtake them")
    bench.receive(.appendRejected(previous: 6, hint: LogPosition(index: 2, term: 2)))
    guard case .append(let previous, let entries, _) = bench.sent(to: Bench.b).first else { return #expect(Bool(false), "nothing is sent") }
    #expect(previous.index == 2)
    #expect(entries.map(\.index) == Array(3...12))
  }
}
