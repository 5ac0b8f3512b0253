import KeyValue
import Raft
import Testing
import WriteAheadLog

@testable import Replica

/// Nodes that form a cluster, message by message: `FormingNode` keeps what is durable apart from what is not.
@Suite struct FormationTests {
  struct FormingNode {
    var identity: IdentityRecord
    let peerInfo: PeerInfo
    var formation: Formation
    var saving: Configuration?
    var formed: Configuration?
    var refusals: [String] = []
    var doubts: [String] = []

    init(id: UInt64, name: String, names: [String], address: String? = nil) {
      peerInfo = PeerInfo(
        name: name, peerAddress: address ?? name, clientAddress: "",
        initialCluster: names.map { PeerInfo.InitialMember(name: $0, peerAddress: $0) })
      identity = IdentityRecord(node: NodeID(id), name: name, phase: .undecided)
      formation = Formation(identity: identity, peerInfo: peerInfo)
    }

    mutating func take(_ step: Formation.Step) {
      switch step {
      case .wait: break
      case .castVote(let configuration):
        if let saving { Issue.record("a second vote, \(configuration), while \(saving) is on its way") }
        if case .voted(let first) = identity.phase { Issue.record("a second vote after \(first)") }
        saving = configuration
      case .form(let configuration): formed = formed ?? configuration
      case .refused(let text): refusals.append(text)
      case .doubt(let text): doubts.append(text)
      }
    }

    mutating func save() {
      guard let configuration = saving else { return }
      identity = IdentityRecord(node: identity.node, name: identity.name, phase: .voted(configuration))
      saving = nil
      take(formation.voted(configuration))
    }

    mutating func restart() {
      saving = nil
      formation = Formation(identity: identity, peerInfo: peerInfo)
    }

    mutating func wipe(newID: UInt64) {
      identity = IdentityRecord(node: NodeID(newID), name: identity.name, phase: .undecided)
      formed = nil
      restart()
    }

    mutating func hear(_ other: FormingNode) {
      guard formed == nil else { return }
      var bootstrap = other.formation.bootstrap
      if let formed = other.formed {
        bootstrap = BootstrapMessage(
          name: bootstrap.name, peerAddress: bootstrap.peerAddress, clientAddress: bootstrap.clientAddress,
          names: bootstrap.names, phase: .formed(formed))
      }
      take(formation.receive(bootstrap, from: other.identity.node))
    }
  }

  static let names = ["a", "b", "c"]
  static func nodes() -> [FormingNode] { names.enumerated().map { FormingNode(id: UInt64($0) + 1, name: $1, names: names) } }

  /// Everybody hears everybody, and saves, until nothing changes any more.
  static func settle(_ nodes: inout [FormingNode]) {
    for _ in 0..<10 {
      for receiver in nodes.indices {
        for sender in nodes.indices where sender != receiver { nodes[receiver].hear(nodes[sender]) }
        nodes[receiver].save()
        if nodes[receiver].formed == nil { nodes[receiver].take(nodes[receiver].formation.next()) }
      }
    }
  }

  @Test(arguments: 1...300 as ClosedRange<UInt64>) func formsOnceInAnyOrderThroughCrashesAtEveryStep(seed: UInt64) {
    var random = PseudoRandom(seed: seed)
    var nodes = Self.nodes()
    for _ in 0..<random.below(40) {
      let one = Int(random.below(3))
      switch random.below(8) {
      case 0: nodes[one].restart()
      case 1: nodes[one].save()
      default: nodes[one].hear(nodes[(one + 1 + Int(random.below(2))) % 3])
      }
    }
    Self.settle(&nodes)
    #expect(nodes.compactMap { $0.formed?.digest }.count == 3)
    #expect(Set(nodes.compactMap { $0.formed?.digest }).count == 1)
    #expect(nodes.allSatisfy { $0.refusals.isEmpty })
  }

  /// Members may lose their disks at any moment, all but one: then there is a cluster of old identities or of new ones, or none, and never
  /// two.
  @Test(arguments: 1...300 as ClosedRange<UInt64>) func neverTwoClustersWhoeverIsWiped(seed: UInt64) {
    var random = PseudoRandom(seed: seed &+ 1000)
    var nodes = Self.nodes()
    var formed: Set<ClusterID> = []
    for step in 0..<80 as Range<UInt64> {
      let one = Int(random.below(3))
      switch random.below(12) {
      case 0: nodes[one].restart()
      case 1, 2: nodes[one].save()
      case 3: if one != 0, random.below(4) == 0 { nodes[one].wipe(newID: 100 + step) }
      default: nodes[one].hear(nodes[(one + 1 + Int(random.below(2))) % 3])
      }
      formed.formUnion(nodes.compactMap { $0.formed?.digest })
    }
    Self.settle(&nodes)
    formed.formUnion(nodes.compactMap { $0.formed?.digest })
    #expect(formed.count <= 1)
    if formed.isEmpty { #expect(nodes.contains { !$0.refusals.isEmpty }, "whoever waits for ever says why") }
  }

  @Test func whoLostItsDiskIsToldSo() throws {
    var nodes = Self.nodes()
    Self.settle(&nodes)
    nodes[1].wipe(newID: 50)
    nodes[1].hear(nodes[0])
    #expect(nodes[1].formed == nil)
    #expect(try #require(nodes[1].refusals.first).contains("old data directory"))
  }

  /// What was voted for can never be formed any more, and nobody waits for it in silence.
  @Test func whoLostItsDiskWhileTheClusterFormsIsNamed() throws {
    var nodes = Self.nodes()
    for peer in 1...2 { nodes[0].hear(nodes[peer]) }
    nodes[0].save()
    #expect(nodes[0].formation.vote != nil)
    nodes[1].wipe(newID: 50)
    nodes[0].hear(nodes[1])
    #expect(try #require(nodes[0].refusals.first).contains("b lost its data directory"))
  }

  @Test func aStrangerIsToldThatItIsOne() throws {
    var nodes = Self.nodes()
    Self.settle(&nodes)
    var stranger = FormingNode(id: 9, name: "z", names: ["a", "z"])
    stranger.hear(nodes[0])
    #expect(try #require(stranger.refusals.first).contains("formed without z"))
  }

  @Test func twoOfTheSameNameNeverFormTwoClusters() throws {
    for seed in 1...200 as ClosedRange<UInt64> {
      var random = PseudoRandom(seed: seed)
      var nodes = Self.nodes() + [FormingNode(id: 4, name: "b", names: Self.names, address: "elsewhere")]
      for _ in 0..<120 {
        let (one, other) = (Int(random.below(4)), Int(random.below(4)))
        if one != other { nodes[one].hear(nodes[other]) }
        if random.below(3) == 0 { nodes[one].save() }
      }
      #expect(Set(nodes.compactMap { $0.formed?.digest }).count <= 1)
    }
    var nodes = Self.nodes()
    nodes[1].hear(FormingNode(id: 4, name: "b", names: Self.names))
    #expect(try #require(nodes[1].doubts.first).contains("calls itself b too"))
  }

  @Test func differentListsDoNotForm() throws {
    var nodes = [
      FormingNode(id: 1, name: "a", names: ["a", "b"]), FormingNode(id: 2, name: "b", names: ["a", "b", "c"]),
      FormingNode(id: 3, name: "c", names: ["a", "b", "c"]),
    ]
    Self.settle(&nodes)
    #expect(nodes.allSatisfy { $0.formed == nil })
    #expect(try #require(nodes[0].doubts.first).contains("another --initial-cluster"))
    #expect(nodes[0].formation.awaited == ["b"])
    #expect(nodes[1].formation.awaited == ["a", "c"] || nodes[1].formation.awaited == ["a"])
  }

  @Test func whoeverAsksLearnsWhoIsAwaited() throws {
    var bench = try ReplicaBench(forming: ["a", "b", "c"])
    #expect(bench.replica.status.awaited == ["b", "c"])
    bench.step(.propose(1, command: [], deadline: .zero + .milliseconds(100)))
    bench.tick(after: .milliseconds(101))
    let error = try #require(bench.failures[1])
    #expect(error == RequestError(.notFormed(awaited: ["b", "c"]), outcome: .notDone))
    #expect(error.description.contains("waits for b, c"))
    #expect(try ReplicaBench().replica.status.awaited.isEmpty)
  }

  @Test func theOrderOfTheListDoesNotMatter() {
    var nodes = [
      FormingNode(id: 1, name: "a", names: ["a", "b", "c"]), FormingNode(id: 2, name: "b", names: ["c", "b", "a"]),
      FormingNode(id: 3, name: "c", names: ["b", "a", "c"]),
    ]
    Self.settle(&nodes)
    #expect(Set(nodes.compactMap { $0.formed?.digest }).count == 1)
  }

  /// A member without a log would be a member that lost it.
  @Test func aNodeIsAMemberOnlyWhenItsLogIsThere() throws {
    var replica = try ReplicaBench(forming: ["a"]).replica
    var effects = ReplicaEffects<KeyValueMachine>()
    func turn(_ event: ReplicaEvent<KeyValueMachine>) -> IdentityRecord.Phase? {
      effects.removeAll()
      replica.step(event, now: .zero, into: &effects)
      replica.endTurn(now: .zero, into: &effects)
      return effects.identity?.phase
    }
    guard case .voted(let configuration) = turn(.tick) else {
      Issue.record("no vote was cast")
      return
    }
    #expect(turn(.identitySaved) == nil)
    let write = try #require(effects.writes.last)
    #expect(write.entries.map(\.kind) == [.configuration])
    #expect(turn(.written(through: write.sequence)) == .formed(configuration))
  }

  @Test func aloneFormsAtOnce() {
    var node = FormingNode(id: 1, name: "a", names: [])
    node.take(node.formation.next())
    #expect(node.formed == nil, "the vote is not durable")
    node.save()
    #expect(node.formed?.voters.map(\.name) == ["a"])
  }
}
