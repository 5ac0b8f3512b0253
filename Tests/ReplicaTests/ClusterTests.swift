import KeyValue
import Raft
import Replica
import Simulation
import Testing

/// Three whole nodes in one thread: real replicas, logs and recovery on a virtual clock, a simulated network and simulated disks.
@Suite struct ClusterTests {
  typealias Cluster = SimulatedCluster<KeyValueMachine>

  static let names = ["a", "b", "c"]

  static func put(_ key: String, _ value: String) -> [UInt8] {
    Request.put(PutRequest(key: Array(key.utf8), value: Array(value.utf8))).encoded()
  }

  static func started(seed: UInt64, names: [String] = names, settings: ReplicaSettings = ReplicaSettings()) throws -> Cluster {
    let cluster = Cluster(names: names, seed: seed, settings: settings)
    try cluster.startAll()
    #expect(cluster.run(within: .milliseconds(10_000)) { cluster.leader != nil })
    return cluster
  }

  /// The value of a key in a node's own state.
  static func value(_ key: String, on name: String, in cluster: Cluster) -> String? {
    cluster.view(of: name)?.get(Array(key.utf8)).map { String(decoding: $0.value, as: UTF8.self) }
  }

  static func isDone(_ outcome: Cluster.Outcome?) -> Bool {
    if case .applied(.success) = outcome { true } else { false }
  }

  @Test func formsElectsAndReplicates() throws {
    let cluster = try Self.started(seed: 1)
    for name in Self.names {
      let request = cluster.propose(Self.put("from-\(name)", name), on: name)
      #expect(cluster.run(within: .milliseconds(2000)) { Self.isDone(cluster.outcome(of: request)) }, "through \(name)")
    }
    cluster.run(for: .milliseconds(500))
    for name in Self.names {
      for other in Self.names { #expect(Self.value("from-\(name)", on: other, in: cluster) == name) }
    }
    #expect(Set(Self.names.map { cluster.status(of: $0)?.cluster }).count == 1)
    #expect(cluster.violations.isEmpty)
  }

  @Test func aSingleNodeServesAtOnce() throws {
    let cluster = try Self.started(seed: 2, names: ["only"])
    let request = cluster.propose(Self.put("k", "v"), on: "only")
    #expect(cluster.run(within: .milliseconds(100)) { Self.isDone(cluster.outcome(of: request)) })
    cluster.losePower("only")
    try cluster.start("only")
    #expect(cluster.run(within: .milliseconds(100)) { Self.value("k", on: "only", in: cluster) == "v" })
  }

  /// It would vote again where it voted before, and elect those who lack what it confirmed.
  @Test func whoComesBackWithAnEmptyDiskTakesNoPart() throws {
    let cluster = try Self.started(seed: 3)
    let request = cluster.propose(Self.put("k", "v"), on: "a")
    #expect(cluster.run(within: .milliseconds(2000)) { Self.isDone(cluster.outcome(of: request)) })
    cluster.crash("c")
    cluster.wipe("c")
    try cluster.start("c")
    cluster.run(for: .milliseconds(3000))
    #expect(cluster.status(of: "c")?.cluster == nil)
    #expect(cluster.violations.isEmpty)
  }

  @Test func theSameSeedGivesTheSameRun() throws {
    func run(_ seed: UInt64) throws -> UInt64 {
      let cluster = try Self.started(seed: seed)
      cluster.network.lossPerMille = 50
      for i in 0..<50 {
        _ = cluster.propose(Self.put("k\(i)", "v"), on: Self.names[i % 3])
        cluster.run(for: .milliseconds(20))
      }
      return cluster.fingerprint
    }
    #expect(try run(7) == run(7))
    #expect(try run(7) != run(8))
  }

  @Test func aMinorityCannotWriteAndTheMajorityGoesOn() throws {
    let cluster = try Self.started(seed: 3)
    let old = try #require(cluster.leader)
    cluster.network.isolate(old, from: Self.names)
    let lost = cluster.propose(Self.put("k", "lost"), on: old, timeout: .milliseconds(4000))
    let stale = cluster.read(.linearizable, on: old, timeout: .milliseconds(4000))
    #expect(cluster.run(within: .milliseconds(5000)) { cluster.leader.map { $0 != old } ?? false })
    let new = try #require(cluster.leader)
    let kept = cluster.propose(Self.put("k", "kept"), on: new)
    #expect(cluster.run(within: .milliseconds(2000)) { Self.isDone(cluster.outcome(of: kept)) })
    cluster.run(for: .milliseconds(5000))
    guard case .failed(let error) = cluster.outcome(of: lost) else { return #expect(Bool(false), "the minority's write has no error") }
    #expect(error.outcome == .unknown)
    guard case .failed(let readError) = cluster.outcome(of: stale) else { return #expect(Bool(false), "the minority's read was answered") }
    #expect(readError == RequestError(.noLeader, outcome: .notDone))
    let own = cluster.read(.serializable, on: old)
    guard case .view(_, _, let staleness) = cluster.outcome(of: own) else { return #expect(Bool(false), "it needs nobody") }
    #expect(try #require(staleness) > .milliseconds(1000))
    cluster.network.heal()
    #expect(cluster.run(within: .milliseconds(5000)) { Self.value("k", on: old, in: cluster) == "kept" })
    #expect(cluster.violations.isEmpty)
  }

  /// The leader goes while commands are on their way to it, in it, or on their way back: the next one does them, each exactly once.
  @Test(arguments: 1...10 as ClosedRange<UInt64>)
  func commandsOutliveTheirLeader(seed: UInt64) throws {
    let cluster = try Self.started(seed: seed)
    cluster.run(for: .milliseconds(200))
    let leader = try #require(cluster.leader)
    let followers = Self.names.filter { $0 != leader }
    var requests: [RequestID] = []
    for i in 0..<20 {
      requests.append(cluster.propose(Self.put("k", "\(i)"), on: followers[i % 2]))
      cluster.run(for: .milliseconds(2))
      if i == Int(seed % 20) { cluster.losePower(leader) }
    }
    #expect(cluster.run(within: .milliseconds(4000)) { requests.allSatisfy { Self.isDone(cluster.outcome(of: $0)) } })
    for name in followers { #expect(cluster.view(of: name)?.get(Array("k".utf8))?.version == 20, "on \(name)") }
    #expect(cluster.violations.isEmpty)
  }

  /// Seed 320 woke a node without end: a command that was refused, while there was no leader to ask again.
  @Test(arguments: [320, 832] as [UInt64]) func pastFailuresStayFixed(seed: UInt64) throws {
    try whatWasAcknowledgedSurvives(seed: seed)
  }

  /// Random delays and losses, crashes and losses of power, all at once: what was acknowledged is there in the end, on every node.
  @Test(arguments: 1...12 as ClosedRange<UInt64>)
  func whatWasAcknowledgedSurvives(seed: UInt64) throws {
    var settings = ReplicaSettings()
    settings.snapshotAfterBytes = 2000
    settings.logKeptBytes = 500
    let cluster = try Self.started(seed: seed, settings: settings)
    cluster.network.lossPerMille = 30
    cluster.network.duplicatesPerMille = 30
    var chaos = PseudoRandom(seed: seed &* 77)
    var requests: [(key: String, id: RequestID)] = []
    for i in 0..<200 {
      let name = Self.names[Int(chaos.below(3))]
      switch chaos.below(20) {
      case 0: cluster.losePower(name)
      case 1: cluster.crash(name)
      case 2: Self.names.forEach(cluster.losePower)
      case 3: cluster.network.cut(name, Self.names[Int(chaos.below(3))])
      case 4...6: cluster.network.heal()
      default: if cluster.isRunning(name) { requests.append(("k\(i)", cluster.propose(Self.put("k\(i)", "v"), on: name))) }
      }
      for name in Self.names where !cluster.isRunning(name) && chaos.below(3) == 0 { try cluster.start(name) }
      cluster.run(for: .milliseconds(Int64(chaos.below(100))))
    }
    cluster.network.heal()
    cluster.network.lossPerMille = 0
    cluster.network.duplicatesPerMille = 0
    for name in Self.names where !cluster.isRunning(name) { try cluster.start(name) }
    // A command that was forwarded to a leader just before it went may be lost: its outcome is unknown, and the client asks again.
    let serves = (0..<10).contains { _ in
      let last = cluster.propose(Self.put("last", "v"), on: "a", timeout: .milliseconds(2000))
      return cluster.run(within: .milliseconds(2000)) { Self.isDone(cluster.outcome(of: last)) }
    }
    #expect(serves, "the cluster serves again by itself")
    cluster.run(for: .milliseconds(3000))
    let acknowledged = requests.filter { Self.isDone(cluster.outcome(of: $0.id)) }
    #expect(acknowledged.count > 10, "a run in which nothing succeeds shows nothing")
    for (key, _) in acknowledged {
      for name in Self.names { #expect(Self.value(key, on: name, in: cluster) == "v", "\(key) on \(name)") }
    }
    #expect(Set(Self.names.map { cluster.view(of: $0)?.digest }).count == 1, "all nodes have the same state")
    #expect(cluster.violations.isEmpty)
  }
}
