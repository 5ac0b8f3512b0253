import KeyValue
import Raft
import Simulation
import Testing
import WriteAheadLog

@testable import Replica

/// Addresses are data: whoever moved is the same member. And what else a node says of itself.
@Suite struct AddressTests {
  typealias Cluster = SimulatedCluster<KeyValueMachine>

  private static func cluster(seed: UInt64, names: [String] = ["a", "b", "c"]) throws -> Cluster {
    let cluster = Cluster(names: names, seed: seed)
    try cluster.startAll()
    #expect(cluster.run(within: .milliseconds(10_000)) { cluster.leader != nil })
    cluster.run(for: .milliseconds(1000))
    return cluster
  }

  private static func put(_ key: UInt8) -> [UInt8] { Request.put(PutRequest(key: [key], value: [key])).encoded() }

  private static func isDone(_ cluster: Cluster, _ request: RequestID) -> Bool {
    if case .applied(.success) = cluster.outcome(of: request) { true } else { false }
  }

  private static func restart(_ cluster: Cluster, _ names: [String]) throws {
    for name in names { cluster.crash(name) }
    for name in names { try cluster.start(name) }
  }

  /// Where everybody thinks that this node is.
  private static func addresses(_ cluster: Cluster, of name: String) -> [String?] {
    let id = cluster.identity(of: name)
    return cluster.names.map { other in cluster.status(of: other)?.members.first { $0.id == id }?.peerAddress }
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>) func whoMovedSaysSoAndIsBelieved(seed: UInt64) throws {
    let cluster = try Self.cluster(seed: seed)
    for (number, name) in ["a", "b", "c", "a"].enumerated() {
      let id = cluster.identity(of: name)
      cluster.move(name, to: "elsewhere\(number)")
      try Self.restart(cluster, [name])
      let known = cluster.run(within: .milliseconds(10_000)) {
        Self.addresses(cluster, of: name).allSatisfy { $0 == "elsewhere\(number)" }
      }
      #expect(known)
      #expect(cluster.identity(of: name) == id)
      let write = cluster.propose(Self.put(UInt8(number)), on: name)
      #expect(cluster.run(within: .milliseconds(5000)) { Self.isDone(cluster, write) })
    }
    #expect(cluster.violations.isEmpty)
  }

  /// Pitfall 24.
  @Test(arguments: 1...6 as ClosedRange<UInt64>) func allMoveAndOneIsTold(seed: UInt64) throws {
    let names = seed % 2 == 0 ? ["a", "b", "c"] : ["a", "b", "c", "d", "e"]
    let cluster = try Self.cluster(seed: seed, names: names)
    let told = names[Int(seed) % names.count]
    for name in names { cluster.crash(name) }
    for name in names { cluster.move(name, to: "\(name)-new") }
    cluster.move(told, to: "\(told)-new", knowing: names.filter { $0 != told })
    for name in names { try cluster.start(name) }
    #expect(cluster.run(within: .milliseconds(10_000)) { cluster.leader != nil })
    let write = cluster.propose(Self.put(1), on: names[0])
    #expect(cluster.run(within: .milliseconds(5000)) { Self.isDone(cluster, write) })
    for name in names {
      #expect(cluster.run(within: .milliseconds(10_000)) { Self.addresses(cluster, of: name).allSatisfy { $0 == "\(name)-new" } })
    }
    // It stands in the log: nobody needs to be told again.
    for name in names { cluster.move(name, to: "\(name)-new") }
    try Self.restart(cluster, names)
    #expect(cluster.run(within: .milliseconds(10_000)) { cluster.leader != nil })
    #expect(cluster.violations.isEmpty)
  }

  /// Who moved away and back, while nobody could write it down, is looked for elsewhere, and shows itself.
  @Test func whoCameBackIsFound() throws {
    let cluster = try Self.cluster(seed: 3, names: ["a", "b", "c", "d", "e"])
    for name in ["c", "d", "e"] { cluster.crash(name) }
    cluster.move("b", to: "away")
    try Self.restart(cluster, ["b"])
    cluster.run(for: .milliseconds(50))
    cluster.move("b", to: "b")
    try Self.restart(cluster, ["b"])
    cluster.run(for: .milliseconds(5000))
    #expect(cluster.leader == nil)
    try cluster.start("c")
    let write = cluster.propose(Self.put(1), on: "b")
    #expect(cluster.run(within: .milliseconds(5000)) { Self.isDone(cluster, write) })
    for name in ["d", "e"] { try cluster.start(name) }
    cluster.run(for: .milliseconds(3000))
    #expect(Self.addresses(cluster, of: "b") == Array(repeating: "b", count: 5))
    #expect(cluster.violations.isEmpty)
  }

  @Test func anIntroductionOfAnotherClusterOrOfAStrangerIsNotBelieved() throws {
    var bench = try ReplicaBench()
    for (cluster, from) in [(ClusterID(1), NodeID(2)), (ReplicaBench.configuration.digest, NodeID(77))] {
      let address = Introduction.Address(node: from, peerAddress: "x", clientAddress: "y")
      let introduction = Introduction(own: address, priority: 9, wantsAnswer: true, configurationIndex: 1, others: [])
      let frame = Frame(cluster: cluster, from: from, to: nil, body: .introduction(introduction))
      bench.step(.frame(frame.encoded()[...], connection: 1))
      #expect(bench.replica.control.acquaintances.isEmpty)
      #expect(!bench.effects.frames.contains { $0.to == .address("x") })
    }
  }

  /// A node that lags may have moved, and not know the leader: that finds it by its address alone.
  @Test func whoLagsAnswersAMemberThatItDoesNotKnow() throws {
    let former = NodeID(8)
    let configuration = Configuration(voters: ReplicaBench.configuration.voters, removed: [former])
    var bench = try ReplicaBench(configuration: configuration)
    for (node, isAnswered) in [(NodeID(77), true), (former, false)] {
      let address = Introduction.Address(node: node, peerAddress: "x", clientAddress: "y")
      let introduction = Introduction(own: address, priority: 0, wantsAnswer: true, configurationIndex: 9, others: [])
      let frame = Frame(cluster: configuration.digest, from: node, to: nil, body: .introduction(introduction))
      bench.step(.frame(frame.encoded()[...], connection: 5))
      #expect(bench.effects.frames.contains { $0.to == .connection(5) } == isAnswered)
    }
  }

  // MARK: Connections that end

  @Test func aLeaderIsMissedWhenAllItsConnectionsEnded() throws {
    var bench = try ReplicaBench()
    let heartbeat = Message(from: NodeID(2), to: NodeID(1), term: 2, body: .heartbeat(round: 0, commit: 1, confirmed: 1))
    let frame = Frame(cluster: ReplicaBench.cluster, from: NodeID(2), to: NodeID(1), body: .message(heartbeat)).encoded()
    for connection in [5, 6, 5, 6] as [UInt64] { bench.step(.frame(frame[...], connection: connection)) }
    for other in [7, 5, 5] as [UInt64] { bench.step(.disconnected(connection: other)) }
    #expect(bench.replica.status.leader == NodeID(2), "one lane may end alone")
    bench.step(.disconnected(connection: 6))
    #expect(bench.replica.status.leader == nil)
  }

  @Test(arguments: 1...6 as ClosedRange<UInt64>) func aProcessThatEndsIsReplacedSooner(seed: UInt64) throws {
    let cluster = try Self.cluster(seed: seed)
    let leader = try #require(cluster.leader)
    cluster.crash(leader)
    #expect(cluster.run(within: cluster.settings.raft.electionTimeout / 2) { cluster.leader != nil && cluster.leader != leader })
    #expect(cluster.violations.isEmpty)
  }

  /// What a member says of itself holds until the configuration says something else of it.
  @Test func theConfigurationGoesBeforeWhatWasSaidEarlier() throws {
    var bench = try ReplicaBench()
    bench.follow()
    let said = Introduction.Address(node: NodeID(3), peerAddress: "said", clientAddress: "c")
    let introduction = Introduction(own: said, priority: 0, wantsAnswer: false, configurationIndex: 1, others: [])
    let frame = Frame(cluster: ReplicaBench.cluster, from: NodeID(3), to: nil, body: .introduction(introduction))
    bench.step(.frame(frame.encoded()[...], connection: 3))
    bench.receive(.readRequest(1), from: 3, term: 1)
    #expect(bench.effects.frames.contains { $0.to == .address("said") }, "an outdated message is answered")

    let written = Member(id: NodeID(3), name: "c", peerAddress: "written", clientAddress: "c")
    let moved = Configuration(voters: ReplicaBench.configuration.voters.dropLast() + [written])
    let entry = Entry(index: 2, term: 2, kind: .configuration, payload: moved.encoded()[...])
    bench.receive(.append(previous: LogPosition(index: 1, term: 1), entries: [entry], commit: 1), from: 2, term: 2)
    bench.receive(.readRequest(2), from: 3, term: 1)
    #expect(bench.effects.frames.map(\.to) == [.address("written")])
  }

  /// It was told where the others were, and before it heard from anybody, all moved.
  @Test func aNewcomerIsFoundThoughAllMoved() throws {
    let text = """
      coracle story 1
      seed 267079703
      place lan
      nodes a c g
      keys 1
      values 0
      bounds usual
      log usual
      snapshots 8000
      starts 0s
      joining g
      end 1197ms
      core a c g
      1134ms replace node a to g for 1ms
      1189ms join node a for 1ms
      1197ms moveAll node g for 1ms
      """
    #expect(Run<KeyValueWorkload>(try Story(parsing: text)).run().violations.isEmpty)
  }

  /// The one that was told where all are lags behind the configuration.
  @Test func whoIsToldIsBelievedThoughItLags() throws {
    let text = """
      coracle story 1
      seed 515332
      place lan
      nodes a b c d e
      keys 1
      values 0
      bounds usual
      log usual
      snapshots 8000
      starts 0s
      joining d e
      end 927ms
      core a b c d e
      728ms replace node c for 1ms
      728ms join node d for 1ms
      910ms remove node a for 1ms
      916ms join node c for 1ms
      916ms minority node d for 10ms
      927ms moveAll node d for 1ms
      """
    #expect(Run<KeyValueWorkload>(try Story(parsing: text)).run().violations.isEmpty)
  }

  // MARK: A newcomer

  /// Whoever once had something of the log and has nothing now has lost it, and may have voted.
  @Test func aMemberWhoseLogIsEmptyIsNoNewcomer() throws {
    let configuration = ReplicaBench.configuration
    let empty = DurableState(hardState: HardState(term: 0))
    for (phase, starts) in [(IdentityRecord.Phase.joined(configuration), true), (.formed(configuration), false)] {
      let replica = try? ReplicaCore(
        identity: IdentityRecord(node: NodeID(9), name: "x", phase: phase),
        peerInfo: PeerInfo(name: "x", peerAddress: "x", clientAddress: "x"), recovered: empty, snapshot: nil,
        machine: KeyValueMachine(), settings: ReplicaSettings(), seed: 1, now: .zero)
      #expect((replica != nil) == starts)
    }
  }

  // MARK: Quorum lost for good

  @Test func aSurvivorBeginsANewGenerationAndTheOldOneIsRefused() throws {
    let cluster = try Self.cluster(seed: 9)
    let leader = try #require(cluster.leader)
    let writes = (0..<20 as Range<UInt8>).map { cluster.propose(Self.put($0), on: leader) }
    #expect(cluster.run(within: .milliseconds(5000)) { writes.allSatisfy { Self.isDone(cluster, $0) } })
    cluster.run(for: .milliseconds(500))
    let revision = cluster.view(of: "a")?.revision
    for name in cluster.names { cluster.stop(name) }
    let storage = try NodeStorage<KeyValueMachine, SimulatedDisk>(
      opening: cluster.disk(of: "a"), name: "a", newborn: NodeID(1), options: cluster.logOptions)
    let fresh = SimulatedDisk()
    let info = PeerInfo(name: "a", peerAddress: "a", clientAddress: "a-client")
    let result = try storage.beginNewGeneration(into: fresh, info: info, newborn: NodeID(4711))
    #expect(result.former != result.cluster && result.lastIndex == storage.recovered?.last.index)
    fresh.crash()
    // It serves alone, at once, with all that the survivor had.
    let opened = try NodeStorage<KeyValueMachine, SimulatedDisk>(opening: fresh, name: "a", newborn: NodeID(2))
    #expect(opened.identity.node == NodeID(4711) && opened.identity.cluster == result.cluster)
    #expect(opened.machine.view.revision == revision)
    var replica = try ReplicaCore(
      identity: opened.identity, peerInfo: info, recovered: opened.recovered, snapshot: opened.snapshot, machine: opened.machine,
      settings: ReplicaSettings(), seed: 1, now: .zero)
    var effects = ReplicaEffects<KeyValueMachine>()
    replica.step(.tick, now: .zero, into: &effects)
    replica.endTurn(now: .zero, into: &effects)
    for write in effects.writes { replica.step(.written(through: write.sequence), now: .zero, into: &effects) }
    replica.endTurn(now: .zero, into: &effects)
    #expect(replica.status.role == .leader)
    #expect(replica.status.term > storage.recovered?.hardState.term ?? 0)
    // Members of the old generation are told that they belong to another cluster, and are none any more.
    let old = try #require(cluster.identity(of: "b"))
    #expect(replica.status.configuration?.removed.contains(old) == true)
    let message = Message(from: old, to: NodeID(4711), term: 99, body: .heartbeat(round: 1, commit: 1, confirmed: 1))
    effects.removeAll()
    replica.step(
      .frame(Frame(cluster: result.former, from: old, to: NodeID(4711), body: .message(message)).encoded()[...], connection: 5), now: .zero,
      into: &effects)
    #expect(replica.status.term < 99 && replica.status.role == .leader)
    #expect(effects.frames.contains { $0.to == .connection(5) })
    // Nothing is written over.
    #expect(throws: StorageError.self) { try storage.beginNewGeneration(into: fresh, info: info, newborn: NodeID(5)) }
  }

  // MARK: Who should lead

  @Test(arguments: 1...4 as ClosedRange<UInt64>) func whoShouldLeadDoesAndOthersDoWithoutIt(seed: UInt64) throws {
    let cluster = try Self.cluster(seed: seed)
    let preferred = try #require(cluster.names.first { $0 != cluster.leader })
    cluster.settings.priority = 5
    try Self.restart(cluster, [preferred])
    cluster.settings.priority = 0
    #expect(cluster.run(within: .milliseconds(15_000)) { cluster.leader == preferred })
    cluster.crash(preferred)
    #expect(cluster.run(within: .milliseconds(3000)) { cluster.leader != nil && cluster.leader != preferred })
    #expect(cluster.violations.isEmpty)
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>) func aLeaderWhoseDiskStallsHandsOver(seed: UInt64) throws {
    let cluster = try Self.cluster(seed: seed)
    let leader = try #require(cluster.leader)
    cluster.stallDisk(of: leader, for: .milliseconds(20_000))
    _ = cluster.propose(Self.put(1), on: leader)
    #expect(cluster.run(within: .milliseconds(4000)) { cluster.leader != leader && cluster.leader != nil })
    cluster.run(for: .milliseconds(10_000))
    #expect(cluster.leader != leader)
    #expect(cluster.violations.isEmpty)
  }
}
