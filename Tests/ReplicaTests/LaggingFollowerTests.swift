import ByteCoding
import KeyValue
import Raft
import Replica
import Simulation
import Testing
import WriteAheadLog

/// Whoever lags catches up: while writes go on, and when what it needs cannot be read.
@Suite struct LaggingFollowerTests {
  @Test func aLeaderKnowsHowItsFollowersFare() throws {
    var bench = try ReplicaBench()
    #expect(bench.replica.followers.isEmpty)
    bench.becomeLeader()
    let command = Request.put(PutRequest(key: [1], value: [2])).encoded()
    bench.step(.propose(1, command: command[...], deadline: bench.now + .seconds(60)))
    let last = bench.replica.status.lastIndex
    for _ in 0..<40 {
      bench.receive(.appendAccepted(match: last), from: 2)
      bench.tick(after: .milliseconds(50))
    }
    let (well, away) = (try #require(bench.replica.followers.first), try #require(bench.replica.followers.last))
    #expect(well.node == NodeID(2) && well.lagEntries == 0 && well.lag == .zero && well.timeSinceContact <= .milliseconds(150))
    #expect(away.node == NodeID(3) && away.lagEntries == last && away.lag >= .milliseconds(1500))
    #expect(away.timeSinceContact >= .milliseconds(1500) && !away.receivesSnapshot)
    bench.receive(.heartbeat(round: 0, commit: 1, confirmed: 0), from: 3, term: bench.replica.status.term + 1)
    bench.tick(after: .milliseconds(1))
    #expect(bench.replica.followers.isEmpty, "it leads no more")
  }

  typealias Cluster = SimulatedCluster<KeyValueMachine>

  /// Writes go on at a rate at which more than four times `snapshotAfterBytes` come in while a snapshot is on its way.
  @Test func aFollowerCatchesUpWhileWritesGoOn() throws {
    let (cluster, lagging, leader) = try SnapshotTransferTests.lagging(seed: 1)
    cluster.setSyncLatency(.milliseconds(20) ... .milliseconds(30), of: lagging)
    // As connections do: a block that is overtaken is asked for again, which takes half a second.
    cluster.network.keepsOrder = true
    cluster.network.heal()
    let value = String(repeating: "w", count: 5000)
    for i in 0..<1500 {
      _ = cluster.propose(ClusterTests.put("m\(i % 100)", value), on: leader)
      cluster.run(for: .milliseconds(1))
    }
    let last = cluster.status(of: leader)?.commitIndex ?? 0
    let mine = cluster.status(of: lagging)?.appliedIndex ?? 0
    #expect(SnapshotTransferTests.installs(lagging, in: cluster) == 1)
    #expect(last - mine < 200, "it stays \(last - mine) entries behind")
    #expect(cluster.run(within: .milliseconds(10_000)) { SnapshotTransferTests.hasCaughtUp(lagging, in: cluster) })
    #expect(cluster.violations.isEmpty)
  }

  /// The leader's snapshot file cannot be read (a damaged sector): it takes another, and sends that.
  @Test func aSnapshotThatCannotBeReadIsReplaced() throws {
    let (cluster, lagging, leader) = try SnapshotTransferTests.lagging(seed: 1)
    let disk = cluster.disk(of: leader)
    let name = try #require(try disk.list().first { $0.hasPrefix("snapshot-") && !$0.hasSuffix(".part") })
    let file = try disk.open(name, create: false)
    try disk.write(file, offset: try disk.size(file) / 2, [0x55, 0xaa, 0x55])
    let diagnostics = cluster.diagnostics.count
    cluster.network.heal()
    cluster.run(for: .milliseconds(10_000))
    let failures = cluster.diagnostics[diagnostics...].count { if case .snapshotFailed = $0.diagnostic { true } else { false } }
    #expect(SnapshotTransferTests.hasCaughtUp(lagging, in: cluster))
    #expect((1..<5).contains(failures), "\(failures) failures in 10 s")
    #expect(cluster.violations.isEmpty)
  }

  /// A follower that is there but slow: the leader takes fewer commands, says so, and the follower needs no snapshot.
  @Test func admissionSlowsDownForAFollowerThatWouldFallBehind() throws {
    var settings = SnapshotTransferTests.settings
    settings.snapshotAfterBytes = 1_000_000
    settings.logMemoryBytes = 50_000
    settings.raft.maximumInflightBytes = 250_000
    let cluster = try ClusterTests.started(seed: 3, settings: settings)
    let leader = try #require(cluster.leader)
    let lagging = try #require(ClusterTests.names.first { $0 != leader })
    // A quarter of a megabyte for each of its syncs: about 2.5 MB/s, while clients want 5.
    cluster.setSyncLatency(.milliseconds(90) ... .milliseconds(100), of: lagging)
    let value = String(repeating: "w", count: 5000)
    var requests: [RequestID] = []
    for i in 0..<1800 {
      requests.append(cluster.propose(ClusterTests.put("m\(i % 50)", value), on: leader, timeout: .milliseconds(60_000)))
      cluster.run(for: .milliseconds(1))
    }
    #expect(cluster.run(within: .milliseconds(30_000)) { requests.allSatisfy { ClusterTests.isDone(cluster.outcome(of: $0)) } })
    let slowed = cluster.diagnostics.contains { if case .slowsDown = $0.diagnostic { true } else { false } }
    #expect(slowed)
    #expect(SnapshotTransferTests.installs(lagging, in: cluster) == 0)
    #expect(
      cluster.run(within: .milliseconds(30_000)) {
        cluster.status(of: leader)?.slowedFor == nil && cluster.view(of: lagging)?.revision == cluster.view(of: leader)?.revision
      })
    #expect(cluster.view(of: lagging)?.digest == cluster.view(of: leader)?.digest)
    #expect(cluster.violations.isEmpty)
  }

  /// Its log is on the disk alone, by far: no snapshot is needed.
  @Test func whatIsOnlyOnTheDiskIsSentFromThere() throws {
    var settings = ReplicaSettings()
    settings.logMemoryBytes = 20_000
    let cluster = try ClusterTests.started(seed: 2, settings: settings)
    let leader = try #require(cluster.leader)
    let lagging = try #require(ClusterTests.names.first { $0 != leader })
    cluster.network.isolate(lagging, from: ClusterTests.names)
    for i in 0..<200 {
      let request = cluster.propose(ClusterTests.put("k\(i)", String(repeating: "v", count: 5000)), on: leader)
      #expect(cluster.run(within: .milliseconds(5000)) { ClusterTests.isDone(cluster.outcome(of: request)) })
    }
    cluster.network.heal()
    #expect(cluster.run(within: .milliseconds(5000)) { SnapshotTransferTests.hasCaughtUp(lagging, in: cluster) })
    #expect(SnapshotTransferTests.installs(lagging, in: cluster) == 0)
    #expect(cluster.violations.isEmpty)
  }

  /// What a peer lacks cannot be read from the log, and no snapshot reaches as far: one is taken for it, however little was applied.
  @Test func aSnapshotIsTakenForAPeerWhoseEntriesCannotBeRead() throws {
    var settings = ReplicaSettings()
    settings.logMemoryBytes = 500
    var bench = try ReplicaBench(settings: settings)
    bench.becomeLeader()
    for request in 1...20 as ClosedRange<RequestID> {
      bench.step(.propose(request, command: [UInt8](repeating: 7, count: 50)[...], deadline: .never))
      bench.receive(.appendAccepted(match: bench.replica.status.lastIndex))
    }
    bench.passTimeWithoutC()
    bench.receive(.appendRejected(previous: 1, hint: .zero), from: 3)
    let request = try #require(bench.effects.logReads.first)
    #expect(bench.effects.snapshots.isEmpty)
    bench.step(.logRead(request, .failure(.damaged(file: "log", offset: 0, what: "a bad sector"))))
    guard case .save(let descriptor, _)? = bench.effects.snapshots.first else {
      Issue.record("no snapshot is taken: \(bench.effects.snapshots)")
      return
    }
    bench.step(.snapshotSaved(descriptor, bytes: 100))
    #expect(TransferTests.reads(bench) == [0])
  }
}
