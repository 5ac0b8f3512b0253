import Testing

@testable import Raft

/// What is durable, and what only was: the answers of the disk come late and in order.
@Suite struct PersistenceTests {
  func log(_ last: LogIndex, term: Term = 1) -> MemoryLog {
    MemoryLog(start: .zero, entries: Bench.entries([Term](repeating: term, count: Int(last))))
  }

  @discardableResult
  func write(_ persistence: inout Persistence, _ log: MemoryLog, term: Term = 1) -> LogWrite? {
    persistence.takeWrite(hardState: HardState(term: term), log: log, commit: 0, now: .zero)
  }

  @Test func nothingNewIsNoWrite() {
    var persistence = Persistence(durableIndex: 3)
    #expect(write(&persistence, log(3)) == nil)
  }

  @Test func aTurnIsOneWrite() throws {
    var persistence = Persistence(durableIndex: 0)
    persistence.hardStateChanged()
    persistence.logChanged(from: 2)
    persistence.logChanged(from: 1)
    persistence.logChanged(from: 3)
    let made = try #require(write(&persistence, log(4)))
    #expect(made.sequence == 1)
    #expect(made.hardState == HardState(term: 1))
    #expect(made.entries.map(\.index) == [1, 2, 3, 4])
    #expect(write(&persistence, log(4)) == nil)
  }

  @Test func theHardStateIsDurableWithItsOwnWrite() {
    var persistence = Persistence(durableIndex: 0)
    persistence.logChanged(from: 1)
    write(&persistence, log(1))
    persistence.hardStateChanged()
    #expect(!persistence.hardStateIsDurable)
    persistence.written(through: 99)
    #expect(!persistence.hardStateIsDurable, "it has not even been handed out")
    write(&persistence, log(1))
    persistence.written(through: 1)
    #expect(!persistence.hardStateIsDurable)
    persistence.written(through: 2)
    #expect(persistence.hardStateIsDurable)
  }

  @Test func durableFollowsTheDisk() {
    var persistence = Persistence(durableIndex: 2)
    persistence.logChanged(from: 3)
    write(&persistence, log(5))
    persistence.logChanged(from: 6)
    write(&persistence, log(8))
    #expect(persistence.durableIndex == 2)
    persistence.written(through: 1)
    #expect(persistence.durableIndex == 5)
    persistence.written(through: 1)
    persistence.written(through: 0)
    #expect(persistence.durableIndex == 5)
    persistence.written(through: 2)
    #expect(persistence.durableIndex == 8)
  }

  @Test func truncationTakesDurabilityBack() {
    var persistence = Persistence(durableIndex: 8)
    persistence.logChanged(from: 5)
    #expect(persistence.durableIndex == 4)
    write(&persistence, log(6, term: 2))
    persistence.written(through: 1)
    #expect(persistence.durableIndex == 6)
  }

  @Test func aLateCompletionOfOverwrittenEntriesDoesNotCount() {
    var persistence = Persistence(durableIndex: 2)
    persistence.logChanged(from: 3)
    write(&persistence, log(9))
    persistence.logChanged(from: 5)
    write(&persistence, log(7, term: 2))
    persistence.written(through: 1)
    #expect(persistence.durableIndex == 4, "5 to 9 of the first write are void")
    persistence.written(through: 2)
    #expect(persistence.durableIndex == 7)
  }

  @Test func aResetVoidsEverythingUnderWay() throws {
    var persistence = Persistence(durableIndex: 2)
    persistence.logChanged(from: 3)
    write(&persistence, log(9))
    let position = LogPosition(index: 20, term: 3)
    persistence.logReset(to: position)
    #expect(persistence.durableIndex == 0)
    let made = try #require(write(&persistence, MemoryLog(start: position, entries: [])))
    #expect(made.reset == position)
    #expect(made.entries.isEmpty)
    persistence.written(through: 1)
    #expect(persistence.durableIndex == 0)
    persistence.written(through: 2)
    #expect(persistence.durableIndex == 20)
  }
}
