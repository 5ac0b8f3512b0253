import ByteCoding
import KeyValue
import Raft
import Testing

@testable import Replica

/// Bounds, deadlines, and what an error promises.
@Suite struct RequestTests {
  static func command(_ size: Int) -> Bytes { [UInt8](repeating: 0, count: size)[...] }
  static let soon = Instant.zero + .milliseconds(10_000)

  // MARK: Bounds

  @Test func aCommandMayHaveTheBoundsSizeAndNoMore() throws {
    var settings = ReplicaSettings()
    settings.maximumCommandSize = 100
    var bench = try ReplicaBench(settings: settings)
    bench.step(.propose(1, command: Self.command(100), deadline: Self.soon), .propose(2, command: Self.command(101), deadline: Self.soon))
    #expect(bench.failures == [2: RequestError(.tooLarge(size: 101, limit: 100), outcome: .notDone)])
  }

  @Test func asManyMayWaitAsTheBoundSays() throws {
    var settings = ReplicaSettings()
    settings.maximumPendingRequests = 3
    var bench = try ReplicaBench(settings: settings)
    for id in 1...3 as ClosedRange<RequestID> {
      bench.step(.propose(id, command: Self.command(1), deadline: Self.soon))
      #expect(bench.failures.isEmpty)
    }
    bench.step(.propose(4, command: Self.command(1), deadline: Self.soon), .read(5, .linearizable, deadline: Self.soon))
    #expect(bench.failures == [4: RequestError(.busy, outcome: .notDone), 5: RequestError(.busy, outcome: .notDone)])
    bench.step(.read(6, .serializable, deadline: Self.soon))
    #expect(bench.views == [6], "it waits for nobody")
  }

  @Test func bytesThatWaitAreBounded() throws {
    var settings = ReplicaSettings()
    settings.maximumPendingBytes = 1000
    var bench = try ReplicaBench(settings: settings)
    bench.step(.propose(1, command: Self.command(900), deadline: Self.soon), .propose(2, command: Self.command(101), deadline: Self.soon))
    #expect(bench.failures == [2: RequestError(.busy, outcome: .notDone)])
    #expect(bench.replica.status.pendingBytes <= 1000)
    // Once it is answered there is room again.
    bench.tick(after: .milliseconds(20_000))
    #expect(bench.replica.status.pendingBytes == 0)
  }

  // MARK: Deadlines

  @Test func whatNeverLeftWasNotDone() throws {
    var bench = try ReplicaBench()
    bench.step(.propose(1, command: Self.command(1), deadline: .zero + .milliseconds(100)))
    // The node says who it is first.
    bench.tick(after: .zero)
    #expect(bench.replica.deadline == .zero + .milliseconds(100))
    bench.tick(after: .milliseconds(99))
    #expect(bench.failures.isEmpty)
    bench.tick(after: .milliseconds(1))
    #expect(bench.failures == [1: RequestError(.noLeader, outcome: .notDone)])
    // The leader that comes too late gets nothing of it.
    bench.follow()
    #expect(!bench.sent(to: "b").contains { if case .proposals = $0 { true } else { false } })
  }

  @Test func whatWasForwardedIsUnknown() throws {
    var bench = try ReplicaBench()
    bench.follow()
    bench.step(.propose(1, command: Self.command(1), deadline: .zero + .milliseconds(100)))
    #expect(bench.sent(to: "b").contains { if case .proposals = $0 { true } else { false } })
    bench.tick(after: .milliseconds(100))
    #expect(bench.failures == [1: RequestError(.deadlineExceeded, outcome: .unknown)])
  }

  @Test func whatALeaderAppendedIsUnknown() throws {
    var bench = try ReplicaBench()
    bench.becomeLeader()
    #expect(bench.replica.status.role == .leader)
    bench.step(.propose(1, command: Self.command(1), deadline: bench.now + .milliseconds(100)))
    bench.tick(after: .milliseconds(100))
    #expect(bench.failures == [1: RequestError(.deadlineExceeded, outcome: .unknown)])
  }

  @Test func stoppingAnswersEverybodyOnce() throws {
    var bench = try ReplicaBench()
    bench.step(.propose(1, command: Self.command(1), deadline: Self.soon), .read(2, .linearizable, deadline: Self.soon))
    bench.step(.stop)
    #expect(bench.failures == [1: RequestError(.stopped, outcome: .notDone), 2: RequestError(.stopped, outcome: .notDone)])
    bench.step(.stop, .propose(3, command: Self.command(1), deadline: Self.soon))
    #expect(bench.failures == [3: RequestError(.stopped, outcome: .notDone)])
    bench.tick(after: .milliseconds(60_000))
    #expect(bench.effects.replies.isEmpty)
  }

  @Test func aFailedDiskLeavesWhatWasSentOpen() throws {
    var bench = try ReplicaBench()
    bench.becomeLeader()
    bench.step(.propose(1, command: Self.command(1), deadline: Self.soon))
    bench.step(.storageFailed("gone"))
    #expect(bench.failures == [1: RequestError(.storage("gone"), outcome: .unknown)])
    #expect(bench.replica.status.role == .stopped)
    bench.receive(.heartbeat(round: 0, commit: 1, confirmed: 1), term: 9)
    #expect(bench.effects.frames.isEmpty && bench.effects.writes.isEmpty)
  }

  // MARK: Reads

  @Test func readsOfOneTurnShareARound() throws {
    var bench = try ReplicaBench()
    bench.follow()
    bench.step(.read(1, .linearizable, deadline: Self.soon), .read(2, .linearizable, deadline: Self.soon))
    let rounds = bench.sent(to: "b").compactMap { if case .readRequest(let id) = $0 { id } else { nil } }
    #expect(rounds.count == 1)
    bench.receive(.readResponse(try #require(rounds.first), index: 1))
    #expect(bench.views == [1, 2])
  }

  @Test func aReadThatNobodyAnswersIsAskedAgainUnderAnotherName() throws {
    var bench = try ReplicaBench()
    bench.follow()
    bench.step(.read(1, .linearizable, deadline: Self.soon))
    func asked() -> ReadID? { bench.sent(to: "b").compactMap { if case .readRequest(let id) = $0 { id } else { nil } }.first }
    let first = try #require(asked())
    bench.now = bench.now + .milliseconds(400)
    bench.follow()
    bench.tick(after: .milliseconds(150))
    let second = try #require(asked())
    #expect(first != second)
    bench.receive(.readResponse(first, index: 0))
    #expect(bench.views.isEmpty, "the answer to a question that nobody asks any more")
    bench.receive(.readResponse(second, index: 0))
    #expect(bench.views == [1])
  }

  @Test func aReadMovesToTheNextLeader() throws {
    var bench = try ReplicaBench()
    bench.follow()
    bench.step(.read(1, .linearizable, deadline: Self.soon))
    bench.receive(.heartbeat(round: 0, commit: 1, confirmed: 1), from: 3, term: 3)
    if bench.sent(to: "c").allSatisfy({ if case .readRequest = $0 { false } else { true } }) { bench.tick(after: Nanoseconds(1)) }
    #expect(bench.sent(to: "c").contains { if case .readRequest = $0 { true } else { false } })
  }

  @Test func aReadWaitsUntilItsIndexIsApplied() throws {
    var bench = try ReplicaBench()
    bench.follow()
    bench.step(.read(1, .linearizable, deadline: Self.soon))
    let ids = bench.sent(to: "b").compactMap { if case .readRequest(let id) = $0 { id } else { nil } }
    bench.receive(.readResponse(try #require(ids.first), index: 2))
    #expect(bench.views.isEmpty)
    let entry = Entry(index: 2, term: 2, kind: .noop)
    bench.receive(.append(previous: LogPosition(index: 1, term: 1), entries: [entry], commit: 1))
    #expect(bench.views.isEmpty)
    bench.receive(.commit(2))
    #expect(bench.views == [1])
  }

  @Test func aSerializableReadSaysHowStaleItMayBe() throws {
    var bench = try ReplicaBench()
    func staleness() -> Nanoseconds? {
      if case .view(_, _, _, let staleness) = bench.effects.replies.first { staleness } else { nil }
    }
    bench.step(.read(1, .serializable, deadline: Self.soon))
    #expect(staleness() == .max, "it never heard of a leader")
    bench.follow()
    bench.now = bench.now + .milliseconds(300)
    bench.step(.read(2, .serializable, deadline: Self.soon))
    #expect(staleness() == .milliseconds(300))
  }

  // MARK: Rest

  /// A node without anything to do says so: a deadline in the past would make its owner run in circles.
  @Test func aHeldQueueWithoutALeaderDoesNotKeepTheNodeAwake() throws {
    var bench = try ReplicaBench()
    bench.follow()
    bench.step(.propose(1, command: Self.command(1), deadline: Self.soon))
    let sent = bench.sent(to: "b").compactMap { body -> (UInt64, UInt64)? in
      if case .proposals(let stream, let sequence, _) = body { (stream, sequence) } else { nil }
    }
    let (stream, sequence) = try #require(sent.first)
    bench.receive(.proposalsRefused(stream: stream, sequence: sequence))
    // The leader is gone, and what it refused still waits.
    bench.tick(after: .milliseconds(1100))
    #expect(bench.replica.status.leader == nil)
    for _ in 0..<10 {
      #expect(bench.replica.deadline > bench.now)
      bench.tick(after: .milliseconds(1))
    }
  }

  // MARK: Cancellation

  @Test func whatIsCancelledSaysWhatIsKnown() throws {
    var bench = try ReplicaBench()
    bench.step(.propose(1, command: Self.command(1), deadline: Self.soon), .read(2, .linearizable, deadline: Self.soon))
    bench.step(.cancel(1), .cancel(2), .cancel(3))
    let nothing = RequestError(.cancelled, outcome: .notDone)
    #expect(bench.failures == [1: nothing, 2: nothing], "and nobody waits for 3")
    #expect(bench.replica.status.pendingRequests == 0 && bench.replica.status.pendingBytes == 0)

    bench.follow()
    #expect(!bench.sent(to: "b").contains { if case .proposals = $0 { true } else { false } }, "it will not be done")
    bench.step(.propose(4, command: Self.command(1), deadline: Self.soon))
    bench.step(.cancel(4))
    #expect(bench.failures[4] == RequestError(.cancelled, outcome: .unknown), "the leader may have it")
    bench.tick(after: .milliseconds(20_000))
    #expect(bench.failures.isEmpty, "each has had its answer")
  }

  @Test func whatIsCancelledDoesNotPileUp() throws {
    var settings = ReplicaSettings()
    settings.maximumPendingBytes = 100_000
    var bench = try ReplicaBench(settings: settings)
    for id in 1...1000 as ClosedRange<RequestID> {
      bench.step(.propose(id, command: Self.command(id % 10 == 0 ? 5000 : 1), deadline: Self.soon), .cancel(id))
      #expect(bench.replica.control.queue.count <= 65)
      #expect(bench.replica.control.queue.lazy.map(\.payload.count).reduce(0, +) <= settings.maximumPendingBytes / 8 + 6000)
    }
    for id in 1001...2000 as ClosedRange<RequestID> {
      bench.step(.read(id, .linearizable, deadline: Self.soon), .cancel(id))
      #expect(bench.replica.control.reads.waiting.count <= 65)
    }
  }

  // MARK: Reads whose time is up

  /// A batch that waits for its round, or for what it noted to be applied, lasts as long as its most patient read. The others leave it as
  /// soon as their time is up: else clients could fill one batch after another.
  @Test(arguments: [false, true]) func aReadLeavesItsBatchWhenItsTimeIsUp(isConfirmed: Bool) throws {
    var settings = ReplicaSettings()
    settings.maximumPendingRequests = 24
    var bench = try ReplicaBench(settings: settings)
    bench.follow()
    var asked: RequestID = 0
    for round in 1...10 {
      let brief = bench.now + .milliseconds(5)
      bench.step(.read(asked + 1, .linearizable, deadline: Self.soon), .read(asked + 2, .linearizable, deadline: brief))
      let batch = bench.sent(to: "b").compactMap { if case .readRequest(let id) = $0 { id } else { nil } }
      #expect(batch.count == 1)
      if isConfirmed { bench.receive(.readResponse(batch[0], index: 1000)) }
      for id in asked + 3...asked + 10 { bench.step(.read(id, .linearizable, deadline: brief)) }
      bench.tick(after: .milliseconds(6))
      #expect(bench.failures.count == 9)
      #expect(bench.replica.sizes(now: bench.now).waitingReads == round, "the patient one of each round")
      asked += 10
    }
    // The leader is gone: what is asked anew is what somebody waits for.
    bench.tick(after: .milliseconds(1200))
    #expect(bench.replica.sizes(now: bench.now).waitingReads == bench.replica.status.pendingRequests)
  }

  // MARK: Settings

  @Test func aSettingThatMakesNoSenseIsNamed() throws {
    func refusal(_ change: (inout ReplicaSettings) -> Void) -> String? {
      var settings = ReplicaSettings()
      change(&settings)
      do throws(InvalidSetting) { try settings.validate() } catch { return error.name }
      return nil
    }
    #expect(refusal { _ in } == nil)
    #expect(refusal { $0.raft.heartbeatInterval = .milliseconds(0) } == "raft.heartbeatInterval")
    #expect(refusal { $0.raft.electionTimeout = .milliseconds(149) } == "raft.electionTimeout")
    #expect(refusal { $0.raft.electionTimeout = .milliseconds(150) } == nil)
    #expect(refusal { $0.raft.electionTimeout = .milliseconds(3_600_001) } == "raft.electionTimeout")
    #expect(refusal { $0.raft.maximumAppendBytes = 0 } == "raft.maximumAppendBytes")
    #expect(refusal { $0.raft.maximumAppendBytes = 16 << 20 } == "raft.maximumAppendBytes")
    #expect(refusal { $0.maximumCommandSize = 8 << 20 } == "maximumCommandSize", "with its header, an entry could not hold it")
    #expect(refusal { $0.maximumCommandSize = 8 << 20 - 16 } == nil)
    #expect(refusal { $0.maximumPendingBytes = 4 << 20 } == "maximumPendingBytes", "with its header, the largest command is larger")
    #expect(refusal { $0.raft.maximumUncommittedBytes = 4 << 20 } == "raft.maximumUncommittedBytes")
    #expect(refusal { $0.snapshotWindowBytes = 0 } == "snapshotWindowBytes")
    #expect(refusal { $0.raft.electionTimeout = .seconds(.max) } == "raft.electionTimeout")
  }

  @Test func aSnapshotMayBeTakenNever() throws {
    var settings = ReplicaSettings()
    settings.snapshotAfterBytes = .max
    try settings.validate()
    #expect(try ReplicaBench(settings: settings).replica.control.catchUpBytes == .max)
  }
}
