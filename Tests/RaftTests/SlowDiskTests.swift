import ByteCoding
import Testing

@testable import Raft

/// A leader whose own disk stalls: its peers are durable and commit without it, but it holds everything in memory until the disk answers.
@Suite struct SlowDiskTests {
  @Test func whatWaitsForTheLeadersOwnDiskIsBounded() throws {
    var settings = Settings()
    settings.maximumUncommittedBytes = 1 << 20
    var bench = try Bench(settings: settings)
    bench.becomeLeader()
    bench.acceptAll()
    bench.syncsAtOnce = false
    let command = Bytes(repeating: 7, count: 100_000)
    let durable = bench.raft.durableIndex
    var taken = 0
    var queued = 0
    for _ in 0..<1000 {
      let last = bench.raft.lastIndex
      let hasRoom = bench.raft.hasRoom(forBytes: command.count)
      bench.step(.propose([command]))
      #expect((bench.raft.lastIndex > last) == hasRoom)
      taken += hasRoom ? 1 : 0
      queued += bench.effects.writes.reduce(0) { $0 + $1.entries.reduce(0) { $0 + $1.record.count } }
      bench.acceptAll()
    }
    #expect(bench.raft.durableIndex == durable)
    #expect(bench.raft.commitIndex == bench.raft.lastIndex)
    #expect(taken == 10 && queued <= settings.maximumUncommittedBytes)
    // When the disk answers there is room again.
    bench.step(.written(through: bench.lastWrite))
    #expect(bench.raft.waitingBytes == 0 && bench.raft.hasRoom(forBytes: command.count))
  }

  /// What a write takes back is rarely more than the last one under way: so a turn costs the same however many are.
  @Test func takingBackLowersEveryWriteThatReachedFurther() {
    var persistence = Persistence(durableIndex: 0)
    let log = MemoryLog(start: .zero, entries: Bench.entries([Term](repeating: 1, count: 9)))
    func write(through last: LogIndex) {
      persistence.logChanged(from: last, bytes: 10)
      var shorter = log
      shorter.truncate(from: last + 1)
      _ = persistence.takeWrite(hardState: HardState(term: 1), log: shorter, commit: 0, now: .zero)
    }
    for last in 1...9 as ClosedRange<LogIndex> { write(through: last) }
    #expect(persistence.underWay.map(\.through) == Array(1...9))
    #expect(persistence.undurableBytes == 90)
    persistence.logChanged(from: 4, bytes: 10)
    #expect(persistence.underWay.map(\.through) == [1, 2, 3, 3, 3, 3, 3, 3, 3])
    persistence.written(through: 9)
    #expect(persistence.durableIndex == 3)
    #expect(persistence.undurableBytes == 10)
  }

  /// A follower that is far behind, on a link with a long round trip, while clients read: heartbeats of every turn are answered.
  @Test func aProbeIsNotRepeatedForEveryHeartbeatUnderWay() throws {
    var bench = try Bench()
    bench.becomeLeader()
    bench.receive(.appendAccepted(match: bench.raft.lastIndex))
    for _ in 0..<20 {
      bench.step(.propose([Bytes(repeating: 1, count: 100_000)]))
      bench.receive(.appendAccepted(match: bench.raft.lastIndex))
    }
    // c answers the heartbeats of 50 reads ago; the answer to the probe is still on its way.
    var probes = 0
    bench.step(.read(1))
    for i in 2...200 as ClosedRange<UInt64> {
      let answer = Message.Body.heartbeatResponse(round: i > 50 ? i - 50 : 0, confirmed: 0, received: 0, match: 0)
      bench.step(.read(i), .message(Message(from: Bench.c, to: Bench.a, term: bench.raft.term, body: answer)))
      probes += bench.sent(to: Bench.c).count { if case .append = $0 { true } else { false } }
    }
    #expect(probes <= 2, "\(probes) probes, none of them answered yet")
  }
}
