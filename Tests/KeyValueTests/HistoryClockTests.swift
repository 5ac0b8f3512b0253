import Raft
import Replica
import Testing

@testable import KeyValue

@Suite struct HistoryClockTests {
  private static func settings(age: Int64 = 0, bytes: Int64 = 0) -> Request {
    .settings(StoreSettings(historyAge: age, historyBytes: bytes))
  }

  private static func compaction(_ revision: Revision) -> Request { .compaction(CompactionRequest(revision: revision)) }

  @Test func forgetsWhatIsTooOld() {
    var leader = Leader()
    leader.perform(Self.settings(age: 160))
    _ = leader.turn()
    // One change each second: revision n is that of second n - 1, and the next comes a second later.
    var compacted: [(at: Int64, revision: Revision)] = []
    for second in 1...400 as ClosedRange<Int64> {
      leader.perform(.put("k", "\(second)"))
      for request in leader.turn(after: .seconds(1)) {
        guard case .compaction(let compaction) = request else { continue }
        compacted.append((second, compaction.revision))
        #expect(leader.notices == ["compacts the history before revision \(compaction.revision): older than 160 s"])
        leader.perform(request)
      }
    }
    // The first time there is nothing to forget yet.
    #expect(compacted.map(\.at) == Array(stride(from: 170, through: 400, by: 10)))
    // The oldest that can be read is what was there 160 seconds ago, at most a step older.
    for (at, revision) in compacted { #expect(revision - 1 <= at - 160 && revision - 1 > at - 171) }
    #expect(leader.machine.historyClock.sampleCount <= 18)
  }

  @Test func nothingToForgetIsNotProposed() {
    var leader = Leader()
    leader.perform(Self.settings(age: 16), .put("a"))
    var proposed = 0
    for _ in 0..<100 {
      let requests = leader.turn(after: .seconds(1))
      proposed += requests.count
      for request in requests { leader.perform(request) }
    }
    // Of one change alone: it is that of the oldest revision.
    #expect(proposed == 0)
    leader.perform(.put("a"))
    for _ in 0..<100 {
      let requests = leader.turn(after: .seconds(1))
      proposed += requests.count
      for request in requests { leader.perform(request) }
    }
    #expect(proposed == 1)
    #expect(leader.machine.view.compactRevision == 3)
  }

  @Test func forgetsWhatIsTooMuch() throws {
    var leader = Leader()
    leader.perform(Self.settings(bytes: 40_000))
    #expect(leader.machine.leaderDeadline == .never)
    var compactions = 0
    for number in 0..<3000 {
      leader.perform(.put("key", "value \(number)"))
      for request in leader.turn(after: .milliseconds(100)) {
        let revision = leader.machine.view.revision
        #expect(leader.notices.first?.hasSuffix(": it has more than 40000 bytes") == true)
        #expect(leader.machine.view.pastSize < 45_000)
        leader.perform(request)
        #expect(leader.machine.view.pastSize <= 20_000 && leader.machine.view.pastSize > 19_500)
        #expect(leader.machine.view.compactRevision < revision)
        compactions += 1
      }
    }
    #expect(compactions > 15)
  }

  @Test func oneRevisionIsNeverSplit() {
    var leader = Leader()
    leader.perform(Self.settings(bytes: 20_000))
    _ = leader.turn()
    leader.perform(.put("first"))
    leader.perform(.transaction(then: (0..<128).map { .put("k\($0)", "v") }))
    leader.perform(.delete("k", "l"))
    // The last one alone is too large: all before goes, and then there is nothing more to be done.
    #expect(leader.turn() == [Self.compaction(4)])
    leader.perform(Self.compaction(4))
    #expect(leader.machine.view.pastSize > 20_000)
    for _ in 0..<20 { #expect(leader.turn(after: .seconds(1)) == []) }
  }

  @Test func whatIsLostIsGivenAgainAndNotAtOnce() {
    var leader = Leader()
    leader.perform(Self.settings(bytes: 1000))
    for number in 0..<100 { leader.perform(.put("k", "\(number)")) }
    let first = leader.turn()
    #expect(first.count == 1)
    #expect(leader.turn(after: .milliseconds(2999)) == [])
    #expect(leader.machine.leaderDeadline == leader.now + .milliseconds(1))
    #expect(leader.turn(after: .milliseconds(1)) == first)
    // Not in another term: it is another leader's then.
    leader.term = nil
    #expect(leader.turn(after: .seconds(10)) == [])
    leader.term = 2
    #expect(leader.turn() == first)
  }

  @Test func withoutBoundsAllIsKept() {
    var leader = Leader()
    leader.perform(Self.settings())
    for number in 0..<100 { leader.perform(.put("k", "\(number)")) }
    for _ in 0..<100 { #expect(leader.turn(after: .seconds(10_000)) == []) }
    #expect(leader.machine.leaderDeadline == .never)
  }

  /// Only the leader's own time counts, so a new one knows of nothing that it is old.
  @Test func aNewLeaderBeginsAnew() {
    var leader = Leader()
    leader.perform(Self.settings(age: 16), .put("a"), .put("a"), .put("a"))
    _ = leader.turn()
    _ = leader.turn(after: .seconds(15))
    leader.term = 2
    for _ in 0..<16 { #expect(leader.turn(after: .seconds(1)) == []) }
    #expect(leader.turn(after: .seconds(1)) == [Self.compaction(4)])
  }
}
