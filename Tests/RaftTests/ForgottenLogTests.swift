import ByteCoding
import Testing

@testable import Raft

/// Entries that are applied are forgotten: peers that lack them get them from the disk.
@Suite struct ForgottenLogTests {
  /// A leader with ten committed entries of 100 B, which has forgotten those up to 8. Node 3 has heard nothing yet.
  static func leader() throws -> Bench {
    var bench = try Bench()
    bench.becomeLeader()
    for _ in 1...8 { bench.step(.propose([Bytes(repeating: 7, count: 100)])) }
    bench.receive(.appendAccepted(match: bench.raft.lastIndex))
    bench.step(.forget(through: 8))
    return bench
  }

  static func piece(_ range: ClosedRange<LogIndex>) -> [Entry] {
    range.map { Entry(index: $0, term: 2, kind: .command, payload: Bytes(repeating: 7, count: 100)) }
  }

  static func appends(_ bench: Bench) -> [(LogPosition, [LogIndex])] {
    bench.sent(to: Bench.c).compactMap {
      if case .append(let previous, let entries, _) = $0 { (previous, entries.map(\.index)) } else { nil }
    }
  }

  @Test func whatIsForgottenIsOnlyWhatIsCommittedAndDurable() throws {
    var bench = try Bench()
    bench.becomeLeader()
    bench.step(.propose([[1], [2], [3]]))
    bench.receive(.appendAccepted(match: 3))
    bench.step(.forget(through: 5))
    #expect(bench.raft.logStart.index == 3 && bench.raft.commitIndex == 3)
    bench.syncsAtOnce = false
    bench.step(.propose([[4]]))
    bench.acceptAll()
    #expect(bench.raft.commitIndex == 6)
    bench.step(.forget(through: 6))
    #expect(bench.raft.logStart.index == 5, "6 is not durable here")
    #expect(bench.raft.keptIndex == 0)
  }

  @Test func aPeerThatLacksThemGetsThemFromTheDisk() throws {
    var bench = try Self.leader()
    bench.receive(.appendRejected(previous: 1, hint: .zero), from: Bench.c)
    let request = try #require(bench.effects.entriesNeeded.first)
    #expect(request == EntriesRequest(peer: Bench.c, after: 0, through: 10, limit: 16 << 10), "a probe carries little")
    #expect(bench.effects.snapshotNeeded.isEmpty && Self.appends(bench).isEmpty)
    // Nothing else is asked for meanwhile, whatever the peer says.
    bench.receive(.heartbeatResponse(round: 0, confirmed: 0, received: 0, match: 0), from: Bench.c)
    #expect(bench.effects.entriesNeeded.isEmpty)
    bench.step(.entriesRead(request, previous: .zero, Self.piece(1...4)))
    #expect(Self.appends(bench).map(\.1) == [[1, 2, 3, 4]])
    // The next piece is asked for when the peer has answered; then pieces follow each other until memory has the rest.
    bench.receive(.appendAccepted(match: 4), from: Bench.c)
    let next = try #require(bench.effects.entriesNeeded.first)
    #expect(next.after == 4)
    bench.step(.entriesRead(next, previous: LogPosition(index: 4, term: 2), Self.piece(5...9)))
    #expect(Self.appends(bench).map(\.1) == [[5, 6, 7, 8, 9], [10]])
  }

  @Test func aPieceThatIsNotWantedAnyMoreIsDropped() throws {
    var bench = try Self.leader()
    bench.receive(.appendRejected(previous: 1, hint: .zero), from: Bench.c)
    let request = try #require(bench.effects.entriesNeeded.first)
    // Meanwhile the peer says that it has everything.
    bench.receive(.appendAccepted(match: 9), from: Bench.c)
    bench.step(.entriesRead(request, previous: .zero, Self.piece(1...4)))
    #expect(Self.appends(bench).isEmpty)
    bench.step(.entriesUnavailable(request))
    #expect(bench.effects.snapshotNeeded.isEmpty)
  }

  /// The peer says meanwhile that it has some of it: the piece is of no use, but the next one is asked for.
  @Test func aPeerThatMovesOnWhileThePieceIsReadIsNotForgotten() throws {
    var bench = try Self.leader()
    bench.receive(.appendRejected(previous: 1, hint: .zero), from: Bench.c)
    let first = try #require(bench.effects.entriesNeeded.first)
    bench.step(.entriesRead(first, previous: .zero, Self.piece(1...4)))
    bench.receive(.appendAccepted(match: 4), from: Bench.c)
    let second = try #require(bench.effects.entriesNeeded.first)
    #expect(second.after == 4)
    bench.receive(.appendAccepted(match: 6), from: Bench.c)
    bench.step(.entriesRead(second, previous: LogPosition(index: 4, term: 2), Self.piece(5...6)))
    let third = try #require(bench.effects.entriesNeeded.first)
    #expect(third.after == 6)
  }

  @Test func whatTheDiskCannotReadIsInASnapshot() throws {
    var bench = try Self.leader()
    bench.receive(.appendRejected(previous: 1, hint: .zero), from: Bench.c)
    bench.step(.entriesUnavailable(try #require(bench.effects.entriesNeeded.first)))
    #expect(bench.effects.snapshotNeeded == [Bench.c])
    #expect(bench.raft.snapshotIndex(neededBy: Bench.c) == 8, "memory has what follows")
  }

  @Test func whatIsCompactedIsNotAskedOfTheDisk() throws {
    var bench = try Self.leader()
    bench.step(.compact(through: 5))
    #expect(bench.raft.keptIndex == 5 && bench.raft.logStart.index == 8)
    bench.receive(.appendRejected(previous: 1, hint: .zero), from: Bench.c)
    #expect(bench.effects.snapshotNeeded == [Bench.c] && bench.effects.entriesNeeded.isEmpty)
    #expect(bench.raft.snapshotIndex(neededBy: Bench.c) == 5)
  }

  // MARK: Bytes

  @Test func bytesAreCountedWhereEntriesAreForgotten() {
    let entries = (1...100 as ClosedRange<LogIndex>).map {
      Entry(index: $0, term: 1, kind: .command, payload: Bytes(repeating: 0, count: 75))
    }
    let size = entries[0].record.count
    var log = MemoryLog(start: .zero, entries: entries)
    for index in [20, 40, 60, 80] as [LogIndex] { log.forget(through: index) }
    #expect(log.bytes == 20 * size && log.keptBytes == 100 * size && log.kept == 0)
    #expect(log.forgottenBytes(after: 80) == 0 && log.forgottenBytes(after: 90) == 0)
    #expect(log.forgottenBytes(after: 60) == 20 * size)
    #expect(log.forgottenBytes(after: 59) == 40 * size, "up to a mark more")
    #expect(log.indexLeaving(bytes: 10 * size, before: 100) == 90)
    #expect(log.indexLeaving(bytes: 20 * size, before: 100) == 80)
    #expect(log.indexLeaving(bytes: 21 * size, before: 100) == 60)
    #expect(log.indexLeaving(bytes: 40 * size, before: 80) == 40)
    #expect(log.indexLeaving(bytes: 20 * size, before: 70) == 40, "at least so many, and up to a mark more")
    #expect(log.indexLeaving(bytes: 500 * size, before: 100) == 0)
    log.compact(through: 50)
    #expect(log.kept == 50 && log.start.index == 80 && log.keptBytes == 60 * size)
    #expect(log.indexLeaving(bytes: 500 * size, before: 100) == 50)
    log.compact(through: 90)
    #expect(log.kept == 90 && log.start.index == 90 && log.keptBytes == 10 * size && log.bytes == 10 * size)
    log.reset(to: LogPosition(index: 200, term: 3))
    #expect(log.kept == 200 && log.keptBytes == 0 && log.forgottenBytes(after: 90) == 0)
  }
}
