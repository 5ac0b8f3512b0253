import KeyValue
import Raft
import Replica
import Simulation
import Testing

/// A node that was away for so long that it needs a snapshot, over a network and through crashes that get in its way.
@Suite struct SnapshotTransferTests {
  typealias Cluster = SimulatedCluster<KeyValueMachine>

  static var settings: ReplicaSettings {
    var settings = ReplicaSettings()
    settings.snapshotAfterBytes = 200_000
    settings.logKeptBytes = 1000
    return settings
  }

  /// One follower is cut off while the others write so much that their logs are cut. Its state takes several blocks.
  static func lagging(seed: UInt64) throws -> (cluster: Cluster, lagging: String, leader: String) {
    let cluster = try ClusterTests.started(seed: seed, settings: settings)
    let leader = try #require(cluster.leader)
    let lagging = try #require(ClusterTests.names.first { $0 != leader })
    cluster.network.isolate(lagging, from: ClusterTests.names)
    let value = String(repeating: "v", count: 5000)
    for i in 0..<120 {
      let request = cluster.propose(ClusterTests.put("k\(i)", value), on: leader)
      #expect(cluster.run(within: .milliseconds(5000)) { ClusterTests.isDone(cluster.outcome(of: request)) })
    }
    // Nobody keeps the log for a follower that is not heard of for so long.
    cluster.run(for: .milliseconds(6000))
    #expect(cluster.status(of: leader)?.snapshotIndex ?? 0 > 30)
    return (cluster, lagging, leader)
  }

  static func hasCaughtUp(_ name: String, in cluster: Cluster) -> Bool {
    guard let leader = cluster.leader, let mine = cluster.view(of: name)?.digest else { return false }
    return cluster.view(of: leader)?.digest == mine && ClusterTests.value("k119", on: name, in: cluster) != nil
  }

  static func installs(_ name: String, in cluster: Cluster) -> Int {
    cluster.diagnostics.filter { $0.name == name && { if case .snapshotInstalled = $0 { true } else { false } }($0.diagnostic) }.count
  }

  @Test func aSnapshotBringsALaggingFollowerBack() throws {
    let (cluster, lagging, _) = try Self.lagging(seed: 1)
    cluster.network.heal()
    #expect(cluster.run(within: .milliseconds(3000)) { Self.hasCaughtUp(lagging, in: cluster) })
    #expect(Self.installs(lagging, in: cluster) == 1)
    #expect(cluster.violations.isEmpty)
  }

  /// However long the leader would have waited for its next try.
  @Test(arguments: [1, 700, 1900, 4000, 7700, 15_100])
  func aPeerThatComesBackIsNotKeptWaiting(away: Int64) throws {
    let (cluster, lagging, _) = try Self.lagging(seed: 2)
    cluster.run(for: .milliseconds(away))
    cluster.network.heal()
    #expect(cluster.run(within: .milliseconds(1200)) { Self.hasCaughtUp(lagging, in: cluster) })
    #expect(Self.installs(lagging, in: cluster) == 1)
  }

  @Test(arguments: 1...5 as ClosedRange<UInt64>) func throughLossAndDuplication(seed: UInt64) throws {
    let (cluster, lagging, _) = try Self.lagging(seed: seed)
    cluster.network.heal()
    cluster.network.lossPerMille = 100
    cluster.network.duplicatesPerMille = 200
    #expect(cluster.run(within: .milliseconds(30_000)) { Self.hasCaughtUp(lagging, in: cluster) })
    #expect(Self.installs(lagging, in: cluster) >= 1)
    #expect(cluster.violations.isEmpty)
  }

  /// The receiver loses power at every stage of the transfer, and again.
  @Test(arguments: 1...6 as ClosedRange<UInt64>) func throughRestartsOfTheReceiver(seed: UInt64) throws {
    let (cluster, lagging, _) = try Self.lagging(seed: seed)
    cluster.network.heal()
    for _ in 0..<3 {
      cluster.run(for: .milliseconds(Int64(10 * seed)))
      cluster.losePower(lagging)
      try cluster.start(lagging)
    }
    #expect(cluster.run(within: .milliseconds(10_000)) { Self.hasCaughtUp(lagging, in: cluster) })
    #expect(cluster.violations.isEmpty)
  }

  /// The leader goes in the middle of the transfer; the next one begins anew.
  @Test(arguments: 1...6 as ClosedRange<UInt64>) func throughAChangeOfLeader(seed: UInt64) throws {
    let (cluster, lagging, leader) = try Self.lagging(seed: seed)
    cluster.network.heal()
    cluster.run(for: .milliseconds(Int64(60 + 8 * seed)))
    cluster.losePower(leader)
    #expect(cluster.run(within: .milliseconds(20_000)) { cluster.leader != nil && Self.hasCaughtUp(lagging, in: cluster) })
    try cluster.start(leader)
    #expect(cluster.run(within: .milliseconds(10_000)) { Self.hasCaughtUp(leader, in: cluster) })
    #expect(cluster.violations.isEmpty)
  }

  /// New snapshots replace the one that is being sent: the transfer still comes to an end.
  @Test(arguments: 1...4 as ClosedRange<UInt64>) func whileTheClusterGoesOnWriting(seed: UInt64) throws {
    let (cluster, lagging, leader) = try Self.lagging(seed: seed)
    cluster.network.heal()
    let value = String(repeating: "w", count: 5000)
    for i in 0..<200 {
      _ = cluster.propose(ClusterTests.put("m\(i % 50)", value), on: leader)
      cluster.run(for: .milliseconds(10))
    }
    #expect(cluster.run(within: .milliseconds(5000)) { Self.hasCaughtUp(lagging, in: cluster) })
    #expect(Self.installs(lagging, in: cluster) <= 5, "snapshots must not follow each other without end")
    #expect(cluster.violations.isEmpty)
  }

  /// Blocks of two snapshots make neither: what does not go on with the one that is being stored begins anew.
  @Test func blocksOfTwoSnapshotsAreNotPutTogether() throws {
    func descriptor(at index: LogIndex) -> SnapshotDescriptor {
      SnapshotDescriptor(position: LogPosition(index: index, term: 2), configuration: ReplicaBench.configuration, configurationIndex: 1)
    }
    func stored(_ bench: ReplicaBench) -> [(SnapshotDescriptor, Int)] {
      bench.effects.snapshots.compactMap { if case .store(let descriptor, let number, _, _) = $0 { (descriptor, number) } else { nil } }
    }
    let (first, second) = (descriptor(at: 10), descriptor(at: 20))
    var bench = try ReplicaBench()
    bench.follow()
    bench.receive(.snapshotBlock(first, number: 0, block: [1], last: false))
    #expect(stored(bench).map(\.0) == [first])
    bench.step(.snapshotStored(first, number: 0, last: false))
    bench.receive(.snapshotBlock(second, number: 1, block: [2], last: true))
    #expect(stored(bench).isEmpty)
    #expect(bench.sent(to: "b").contains(.snapshotProgress(second.position, next: 0)))
    bench.receive(.snapshotBlock(second, number: 0, block: [2], last: false))
    #expect(stored(bench).map(\.0) == [second])
  }

  /// The receiver's disk is slow, and others write so much meanwhile that the leader takes snapshots: its log keeps what follows the one
  /// that is on its way, so that no second one is needed.
  @Test func whatFollowsASnapshotOnItsWayIsKept() throws {
    let (cluster, lagging, leader) = try Self.lagging(seed: 1)
    cluster.stallDisk(of: lagging, for: .milliseconds(3000))
    cluster.network.heal()
    #expect(cluster.run(within: .milliseconds(1000)) { cluster.framesSent[Int(FrameKind.snapshotBlock.rawValue)] > 0 })
    let sent = try #require(cluster.status(of: leader)?.snapshotIndex)
    let value = String(repeating: "w", count: 5000)
    for i in 0..<60 {
      let request = cluster.propose(ClusterTests.put("m\(i)", value), on: leader)
      #expect(cluster.run(within: .milliseconds(1000)) { ClusterTests.isDone(cluster.outcome(of: request)) })
    }
    #expect(cluster.run(within: .milliseconds(500)) { cluster.status(of: leader)?.snapshotIndex ?? 0 > sent })
    #expect(Self.installs(lagging, in: cluster) == 0)
    #expect(cluster.run(within: .milliseconds(5000)) { Self.hasCaughtUp(lagging, in: cluster) })
    #expect(Self.installs(lagging, in: cluster) == 1)
    #expect(cluster.violations.isEmpty)
  }
}
