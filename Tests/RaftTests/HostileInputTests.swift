import ByteCoding
import Testing

@testable import Raft

/// What a broken or malicious peer may send: nothing traps, nothing that is chosen changes.
@Suite struct HostileInputTests {
  enum Role: CaseIterable { case follower, lonelyFollower, preCandidate, candidate, leader }

  static func bench(_ role: Role) throws -> Bench {
    var bench = try Bench(terms: [1, 1, 2, 2, 3], commit: 3)
    switch role {
    case .lonelyFollower: break
    case .follower: bench.follow(term: 4)
    case .preCandidate: bench.expire()
    case .candidate: bench.becomeCandidate()
    case .leader: bench.becomeLeader()
    }
    return bench
  }

  static let numbers: [UInt64] = [0, 1, 2, 3, 4, 5, 6, 7, 64, 1 << 31, 1 << 32, Message.maximumNumber, 1 << 63, .max - 1, .max]

  /// Every kind of message, filled from `number`.
  static func bodies(_ number: () -> UInt64) -> [Message.Body] {
    func position() -> LogPosition { LogPosition(index: number(), term: number()) }
    func descriptor() -> SnapshotDescriptor {
      SnapshotDescriptor(position: position(), configuration: Bench.configuration, configurationIndex: number())
    }
    func entries() -> [Entry] {
      let (first, count) = (number(), number() % 4)
      return (0..<count).map { offset in
        let kind: Entry.Kind = number() % 5 == 0 ? .configuration : .command
        let payload: Bytes = number() % 2 == 0 ? Bench.configuration.encoded()[...] : [1, 2, 3]
        return Entry(index: first &+ offset, term: number(), kind: kind, payload: payload)
      }
    }
    return [
      .preVoteRequest(last: position()), .preVoteResponse(granted: true), .preVoteResponse(granted: false), .voteRequest(last: position()),
      .voteResponse(granted: true), .voteResponse(granted: false), .append(previous: position(), entries: entries(), commit: number()),
      .appendAccepted(match: number()), .appendRejected(previous: number(), hint: position()),
      .heartbeat(round: number(), commit: number(), confirmed: number()),
      .heartbeatResponse(round: number(), confirmed: number(), received: number(), match: number()), .commit(number()),
      .snapshotBlock(descriptor(), number: Int(truncatingIfNeeded: number()), block: [1], last: number() % 2 == 0),
      .snapshotProgress(position(), next: Int(truncatingIfNeeded: number())), .readRequest(number()),
      .readResponse(number(), index: number()),
      .proposals(stream: number(), sequence: number(), [[1], []]), .proposalsRefused(stream: number(), sequence: number()), .outdated,
      .timeoutNow, .removed, .transferVoteRequest(last: position()),
    ]
  }

  /// What holds whatever comes in. `before`: the same core a moment ago.
  static func expectSound(_ raft: RaftCore, since before: RaftCore, _ comment: Comment) {
    #expect(raft.term >= before.term, comment)
    #expect(raft.term > before.term || before.hardState.vote == nil || raft.hardState.vote == before.hardState.vote, comment)
    #expect(raft.commitIndex >= before.commitIndex, comment)
    #expect(raft.commitIndex <= raft.lastIndex, comment)
    #expect(raft.verifiedIndex <= raft.lastIndex, comment)
    #expect(raft.durableIndex <= raft.lastIndex, comment)
    #expect(raft.logStart.index <= raft.commitIndex, comment)
    #expect(raft.role != .leader || raft.leadership.uncommittedBytes >= 0, comment)
    for index in stride(from: max(raft.logStart.index, before.logStart.index), through: before.commitIndex, by: 1) {
      #expect(raft.term(at: index) == before.term(at: index), comment)
    }
    for progress in raft.leadership.peers { #expect(progress.next > progress.match && progress.next <= raft.lastIndex + 1, comment) }
  }

  @Test(arguments: Role.allCases) func oneNumberInEveryPlace(role: Role) throws {
    let fresh = try Self.bench(role)
    for number in Self.numbers {
      for term in Self.numbers {
        for body in Self.bodies({ number }) {
          var bench = fresh
          bench.receive(body, term: term)
          Self.expectSound(bench.raft, since: fresh.raft, "\(role) \(term) \(body)")
          let before = bench.raft
          bench.expire()
          bench.expire()
          Self.expectSound(bench.raft, since: before, "\(role) \(term) \(body), and then its timer")
        }
      }
    }
  }

  /// Random messages with plausible numbers, and sometimes impossible ones, for as long as it takes to go through many terms.
  @Test(arguments: Role.allCases, 1...12 as ClosedRange<UInt64>) func randomMessages(role: Role, seed: UInt64) throws {
    var random = PseudoRandom(seed: seed &* 31 &+ UInt64(Role.allCases.firstIndex(of: role) ?? 0))
    var bench = try Self.bench(role)
    for _ in 0..<600 {
      let before = bench.raft
      bench.now = bench.now + .milliseconds(Int64(random.below(60)))
      bench.syncsAtOnce = random.below(3) > 0
      let close = max(bench.raft.term, 2) - 1
      let last = bench.raft.lastIndex
      let bodies = Self.bodies {
        switch random.below(40) {
        case 0: Self.numbers[Int(random.below(UInt64(Self.numbers.count)))]
        case 1...20: close + random.below(3)
        default: last >= 2 ? last - 2 + random.below(5) : random.below(5)
        }
      }
      let body = bodies[Int(random.below(UInt64(bodies.count)))]
      switch random.below(12) {
      case 0: bench.expire()
      case 1: bench.step(.propose([[1], [2]]), .read(random.next()))
      case 2: bench.step(.written(through: random.below(50)))
      case 3: bench.step(.compact(through: random.below(last + 3)))
      default: bench.receive(body, from: random.below(2) == 0 ? Bench.b : Bench.c, term: close + random.below(4))
      }
      Self.expectSound(bench.raft, since: before, "seed \(seed): \(body)")
      guard bench.raft.term < Message.maximumNumber / 2 else { return }
    }
  }

  @Test func aTermThatCannotBeIsRefused() throws {
    var bench = try Bench()
    for body in Self.bodies({ 1 }) {
      bench.receive(body, term: .max)
      #expect(bench.raft.term == 1)
      #expect(bench.sent.isEmpty)
    }
    bench.expire()
    #expect(bench.raft.role == .preCandidate)
  }

  @Test func aSnapshotThatCannotBeIsRefused() throws {
    for (index, term, configurationIndex) in [(9, 9, 1), (9, 3, 0), (9, 3, 10), (.max, 3, 1)] as [(LogIndex, Term, LogIndex)] {
      var bench = try Bench()
      let descriptor = SnapshotDescriptor(
        position: LogPosition(index: index, term: term), configuration: Bench.configuration, configurationIndex: configurationIndex)
      bench.receive(.snapshotBlock(descriptor, number: 0, block: [], last: true), term: 4)
      #expect(bench.effects.snapshotBlocks.isEmpty)
    }
  }

  /// Leaders and candidates are heard, since this node may lag behind the configuration; answers and requests of clients are not.
  @Test func whoIsNoMemberIsHeardOnlyAsLeaderOrCandidate() throws {
    for role in Role.allCases {
      let fresh = try Self.bench(role)
      for body in Self.bodies({ 5 }) {
        switch body {
        case .append, .heartbeat, .commit, .snapshotBlock, .timeoutNow, .preVoteRequest, .voteRequest, .transferVoteRequest: continue
        default: break
        }
        var bench = fresh
        bench.receive(body, from: NodeID(77), term: 9)
        #expect(bench.effects.messages.isEmpty && bench.effects.writes.isEmpty)
        #expect(bench.raft.term == fresh.raft.term)
      }
    }
  }
}
