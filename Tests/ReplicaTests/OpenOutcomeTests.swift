import ByteCoding
import KeyValue
import Raft
import Testing

@testable import Replica

/// Pitfall 18: commands whose outcome is open are neither done twice nor denied, whatever an earlier process, another node or a snapshot
/// has to do with them.
@Suite struct OpenOutcomeTests {
  private static let soon = Instant.zero + .milliseconds(10_000)

  /// A follower that has forwarded the command of request 5, and how.
  private static func forwarding(seed: UInt64 = 1) throws -> (bench: ReplicaBench, stream: UInt64, sequence: UInt64) {
    var bench = try ReplicaBench(seed: seed)
    bench.follow()
    bench.step(.propose(5, command: [1], deadline: soon))
    for case .proposals(let stream, let sequence, _) in bench.sent(to: "b") { return (bench, stream, sequence) }
    throw NothingSent()
  }

  private struct NothingSent: Error {}

  private static func forwards(_ bench: ReplicaBench) -> Int {
    bench.sent(to: "b").count { if case .proposals = $0 { true } else { false } }
  }

  @Test func aRefusalOfAnEarlierProcessIsNotHeard() throws {
    var (bench, stream, sequence) = try Self.forwarding()
    bench.receive(.proposalsRefused(stream: stream &+ 1, sequence: sequence))
    bench.tick(after: .milliseconds(200))
    #expect(Self.forwards(bench) == 0)
    bench.receive(.proposalsRefused(stream: stream, sequence: sequence))
    bench.tick(after: .milliseconds(200))
    #expect(Self.forwards(bench) == 1, "its own is, and then the command goes out again")
  }

  @Test func eachProcessHasNamesOfItsOwn() throws {
    func names(_ seed: UInt64) throws -> (stream: UInt64, read: ReadID?) {
      var (bench, stream, _) = try Self.forwarding(seed: seed)
      bench.step(.read(6, .linearizable, deadline: Self.soon))
      return (stream, bench.sent(to: "b").compactMap { if case .readRequest(let id) = $0 { id } else { nil } }.first)
    }
    let (first, second) = (try names(1), try names(2))
    #expect(first.stream != second.stream)
    #expect(first.read != nil && first.read != second.read)
  }

  @Test func anotherNodesCommandOfTheSameNumberIsNoAnswer() throws {
    var (bench, _, _) = try Self.forwarding()
    let entries = [NodeID(3), NodeID(1)].enumerated().map { offset, origin in
      Entry(
        index: LogIndex(offset) + 2, term: 2, kind: .command, payload: Proposal(origin: origin, request: 5, command: [1]).encoded())
    }
    bench.receive(.append(previous: LogPosition(index: 1, term: 1), entries: [entries[0]], commit: 2))
    #expect(bench.replica.status.appliedIndex == 2)
    #expect(bench.effects.replies.isEmpty)
    bench.receive(.append(previous: LogPosition(index: 2, term: 2), entries: [entries[1]], commit: 3))
    #expect(bench.effects.replies.count == 1)
  }

  @Test func whatASnapshotMayHoldIsUnknownAndNotSentAgain() throws {
    var (bench, _, _) = try Self.forwarding()
    let descriptor = SnapshotDescriptor(
      position: LogPosition(index: 50, term: 2), configuration: ReplicaBench.configuration, configurationIndex: 1)
    bench.step(.restored(descriptor, KeyValueMachine()))
    #expect(bench.replica.status.appliedIndex == 50)
    #expect(bench.failures == [5: RequestError(.superseded, outcome: .unknown)])
    bench.receive(.heartbeat(round: 0, commit: 50, confirmed: 50), from: 2, term: 3)
    bench.tick(after: .milliseconds(200))
    #expect(Self.forwards(bench) == 0)
  }
}
