import ByteCoding
import Testing

@testable import Raft

/// A leader that has something else than what is committed here: it cannot be, so it is not passed over in silence.
@Suite struct ContradictionTests {
  /// A follower of 2 in term 4. Its log has entries of terms 1, 1, 2, 2, 3, committed up to 3.
  private func makeBench() throws -> Bench {
    var bench = try Bench(terms: [1, 1, 2, 2, 3], commit: 3)
    bench.follow(term: 4)
    return bench
  }

  private func append(after previous: LogPosition, _ terms: [Term]) -> Message.Body {
    let entries = terms.enumerated().map { Entry(index: previous.index + LogIndex($0) + 1, term: $1, kind: .command, payload: []) }
    return .append(previous: previous, entries: entries, commit: 0)
  }

  private func block(_ index: LogIndex, term: Term) -> Message.Body {
    let descriptor = SnapshotDescriptor(
      position: LogPosition(index: index, term: term), configuration: Bench.configuration, configurationIndex: 1)
    return .snapshotBlock(descriptor, number: 0, block: [1], last: true)
  }

  @Test func anotherCommittedEntryIsAContradiction() throws {
    let bodies = [
      append(after: LogPosition(index: 1, term: 1), [1, 3]), append(after: LogPosition(index: 3, term: 3), []),
      append(after: LogPosition(index: 3, term: 3), [3, 4]), append(after: LogPosition(index: 2, term: 2), [2]), block(3, term: 3),
      block(2, term: 2),
    ]
    for body in bodies {
      var bench = try makeBench()
      bench.receive(body)
      let text = try #require(bench.effects.contradiction, "\(body)")
      #expect(text.contains("leads in term 4"))
      #expect(bench.sent.isEmpty && bench.effects.writes.isEmpty)
      #expect((1...5).map { bench.raft.term(at: $0) } == [1, 1, 2, 2, 3] && bench.raft.lastIndex == 5)
      #expect(bench.raft.commitIndex == 3 && bench.raft.verifiedIndex == 0)
    }
  }

  @Test func whatLiesBeforeMemoryIsComparedWhereItEnds() throws {
    var bench = try makeBench()
    bench.step(.compact(through: 3))
    bench.receive(append(after: LogPosition(index: 2, term: 1), [3, 3]))
    #expect(bench.effects.contradiction != nil)
    bench.receive(append(after: LogPosition(index: 2, term: 1), [2, 2]))
    #expect(bench.effects.contradiction == nil)
  }

  /// What is not committed may be replaced; and what agrees is no news.
  @Test func anythingElseIsNot() throws {
    let bodies = [
      append(after: LogPosition(index: 3, term: 2), [4]), append(after: LogPosition(index: 5, term: 4), []),
      append(after: LogPosition(index: 1, term: 1), [1, 2, 3]), append(after: LogPosition(index: 9, term: 4), [4]), block(3, term: 2),
      block(4, term: 4), block(9, term: 4), append(after: LogPosition(index: 3, term: 9), []),
    ]
    for body in bodies {
      var bench = try makeBench()
      bench.receive(body)
      #expect(bench.effects.contradiction == nil, "\(body)")
    }
  }
}
