import ByteCoding
import Testing

@testable import Raft

/// Which configuration is in force, when snapshots, compaction, truncation and restarts meet one that is not committed yet.
@Suite struct ConfigurationTests {
  private static let two = Configuration(voters: [Bench.a, Bench.b].map(Bench.member))
  private static let command = Entry(index: 2, term: 2, kind: .command, payload: [1])
  private static let change = Entry(index: 3, term: 2, kind: .configuration, payload: two.encoded()[...])

  /// A follower of term 2 whose log is: the first configuration, a command, another configuration. The command is committed.
  private static func follower() throws -> Bench {
    var bench = try Bench()
    bench.receive(.append(previous: LogPosition(index: 1, term: 1), entries: [command, change], commit: 2), term: 2)
    #expect(bench.raft.commitIndex == 2)
    #expect(bench.raft.configuration == two)
    return bench
  }

  @Test func aSnapshotHoldsTheConfigurationInForceAtItsEndAndWhereItStands() throws {
    let bench = try Self.follower()
    let descriptor = try #require(bench.raft.descriptor(at: 2))
    #expect(descriptor.configuration == Bench.configuration)
    #expect(descriptor.configurationIndex == 1)
    #expect(bench.raft.descriptor(at: 3)?.configuration == Self.two)
  }

  @Test func compactionKeepsTheConfigurationThatATruncationBringsBack() throws {
    var bench = try Self.follower()
    bench.step(.compact(through: 2))
    #expect(bench.raft.logStart.index == 2)
    let other = Entry(index: 3, term: 3, kind: .noop)
    bench.receive(.append(previous: LogPosition(index: 2, term: 2), entries: [other], commit: 2), term: 3)
    #expect(bench.raft.configuration == Bench.configuration)
  }

  @Test func aRestartFindsTheConfigurationBehindTheSnapshot() throws {
    let snapshot = SnapshotDescriptor(position: Self.command.position, configuration: Bench.configuration, configurationIndex: 1)
    let state = DurableState(hardState: HardState(term: 2), start: snapshot.position, entries: [Self.change], commit: 2)
    let raft = try RaftCore(restarting: state, snapshot: snapshot, id: Bench.a, settings: Settings(), seed: 1, now: .zero)
    #expect(raft.configuration == Self.two)
    #expect(raft.descriptor(at: 2)?.configuration == Bench.configuration)
  }
}
