import KeyValue
import Raft
import Replica
import Simulation
import Testing

/// Whole clusters whose members come and go, on real logs and snapshots, under load and faults.
@Suite struct MembershipTests {
  typealias Cluster = SimulatedCluster<KeyValueMachine>

  /// A cluster that begins with some of its nodes; the others are there, and start to join.
  private static func cluster(_ first: [String], others: [String], seed: UInt64, settings: ReplicaSettings = ReplicaSettings()) throws
    -> Cluster
  {
    var lists: [String: [String]] = [:]
    for name in first { lists[name] = first }
    let cluster = Cluster(names: first + others, seed: seed, settings: settings, lists: lists)
    for name in others { cluster.setJoin(first, of: name) }
    for name in first { try cluster.start(name) }
    #expect(cluster.run(within: .milliseconds(10_000)) { cluster.leader != nil })
    cluster.run(for: .milliseconds(500))
    return cluster
  }

  private static func put(_ key: UInt8) -> [UInt8] { Request.put(PutRequest(key: [key], value: [key])).encoded() }

  /// Asks whoever leads, again and again, until the configuration is what it should be.
  private static func change(
    _ cluster: Cluster, within limit: Nanoseconds = .milliseconds(20_000), _ request: () -> OperatorRequest?,
    until isDone: (Configuration) -> Bool
  ) -> Bool {
    let end = cluster.now + limit
    while cluster.now < end {
      if let leader = cluster.leader, let status = cluster.status(of: leader), let configuration = status.configuration {
        if isDone(configuration), !configuration.isJoint { return true }
        if let request = request() { _ = cluster.operate(request, on: leader, timeout: .milliseconds(2000)) }
      }
      cluster.run(for: .milliseconds(250))
    }
    return false
  }

  private static func names(_ configuration: Configuration) -> [String] { configuration.voters.map(\.name) }

  /// Pitfall 23: each write is done while the new node is started, empty, and catches up.
  @Test(arguments: 1...4 as ClosedRange<UInt64>) func oneBecomesTwoAndThreeUnderWrites(seed: UInt64) throws {
    let cluster = try Self.cluster(["a"], others: ["b", "c"], seed: seed)
    for (count, name) in [(2, "b"), (3, "c")] {
      try cluster.start(name)
      #expect(cluster.run(within: .milliseconds(2000)) { cluster.status(of: name)?.cluster != nil })
      let member = try #require(cluster.member(name))
      var writes: [RequestID] = []
      let isDone = Self.change(cluster) {
        writes.append(cluster.propose(Self.put(UInt8(writes.count)), on: "a", timeout: .milliseconds(1000)))
        return .add(Learner(member, .whenCaughtUp))
      } until: {
        $0.voters.count == count
      }
      #expect(isDone)
      cluster.run(for: .milliseconds(1500))
      for write in writes {
        guard case .applied(.success) = cluster.outcome(of: write) else { return #expect(Bool(false), "a write was held up") }
      }
    }
    #expect(cluster.run(within: .milliseconds(5000)) { cluster.names.allSatisfy { cluster.status(of: $0)?.members.count == 3 } })
    // The newest members carry the cluster alone.
    cluster.crash("a")
    #expect(cluster.run(within: .milliseconds(10_000)) { cluster.leader == "b" || cluster.leader == "c" })
    #expect(cluster.violations.isEmpty)
  }

  @Test func aMachineWhoseDiskIsGoneIsReplacedInOneOperation() throws {
    var settings = ReplicaSettings()
    // The log is cut, so the new one needs a snapshot.
    (settings.snapshotAfterBytes, settings.logKeptBytes, settings.logMemoryBytes) = (2000, 0, 500)
    let cluster = try Self.cluster(["a", "b", "c"], others: ["d"], seed: 5, settings: settings)
    for key in 0..<100 as Range<UInt8> { _ = cluster.propose(Self.put(key), on: "a") }
    cluster.run(for: .milliseconds(2000))
    let old = try #require(cluster.identity(of: "c"))
    cluster.crash("c")
    cluster.wipe("c")
    try cluster.start("d")
    #expect(cluster.run(within: .milliseconds(2000)) { cluster.status(of: "d")?.cluster != nil })
    let member = try #require(cluster.member("d"))
    let isDone = Self.change(cluster) {
      .replace(old, by: member)
    } until: {
      Self.names($0) == ["a", "b", "d"]
    }
    #expect(isDone)
    #expect(cluster.run(within: .milliseconds(5000)) { cluster.view(of: "d")?.revision == cluster.view(of: "a")?.revision })
    let leader = try #require(cluster.leader)
    #expect(cluster.status(of: leader)?.configuration?.removed == [old])
    #expect(cluster.status(of: leader)?.configuration?.learners.isEmpty == true)
    // Its old identity is never admitted again.
    let former = Member(id: old, name: "c", peerAddress: "c", clientAddress: "c")
    _ = cluster.operate(.add(Learner(former, .onRequest)), on: leader)
    #expect(cluster.operatorOutcomes.last?.error?.reason == .refused(.formerMember(old)))
    #expect(cluster.violations.isEmpty)
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>) func aRemovedLeaderHandsOverAtOnce(seed: UInt64) throws {
    let cluster = try Self.cluster(["a", "b", "c"], others: [], seed: seed)
    let leader = try #require(cluster.leader)
    let id = try #require(cluster.identity(of: leader))
    let request = cluster.operate(.remove(id), on: leader)
    let led = cluster.run(within: .milliseconds(300)) { cluster.leader != leader && cluster.leader != nil }
    #expect(led, "nobody waited for an election timeout")
    #expect(cluster.operatorOutcomes.contains { $0.id == request && $0.error == nil })
    cluster.run(for: .milliseconds(3000))
    #expect(cluster.status(of: leader)?.isRemoved == true)
    #expect(cluster.status(of: leader)?.role == .follower)
    #expect(cluster.diagnostics.contains { $0.name == leader && $0.diagnostic == .removed })
    #expect(cluster.violations.isEmpty)
  }

  /// Pitfall 21: whoever was removed while it was cut off asks for votes when it is back, is told, and disturbs nobody.
  @Test func whoWasRemovedWhileItWasAwayDisturbsNobody() throws {
    let cluster = try Self.cluster(["a", "b", "c"], others: [], seed: 8)
    let leader = try #require(cluster.leader)
    let away = try #require(cluster.names.first { $0 != leader })
    let id = try #require(cluster.identity(of: away))
    cluster.network.isolate(away, from: cluster.names.filter { $0 != away })
    _ = cluster.operate(.remove(id), on: leader)
    cluster.run(for: .milliseconds(3000))
    let term = try #require(cluster.status(of: leader)?.term)
    cluster.network.heal()
    cluster.run(for: .milliseconds(10_000))
    #expect(cluster.status(of: leader)?.term == term && cluster.leader == leader)
    #expect(cluster.status(of: away)?.isRemoved == true)
    #expect(cluster.violations.isEmpty)
  }

  /// The identity that left first is forgotten at last: it is nobody then whom the cluster knows. With what it has it wins nothing,
  /// disturbs nobody, and may even be added again, since its disk has all that it ever confirmed.
  @Test func whoIsForgottenComesBackAndDisturbsNobody() throws {
    let cluster = try Self.cluster(["a", "b", "c"], others: [], seed: 11)
    let leader = try #require(cluster.leader)
    let away = try #require(cluster.names.first { $0 != leader })
    let member = try #require(cluster.member(away))
    cluster.network.isolate(away, from: cluster.names)
    #expect(
      Self.change(cluster) {
        .remove(member.id)
      } until: {
        $0.voters.count == 2
      })
    // As many others come and go as are remembered.
    for number in 1...UInt64(Configuration.maximumRemoved) {
      let passing = Member(id: NodeID(number), name: "passing", peerAddress: "nowhere", clientAddress: "")
      for request in [.add(Learner(passing, .onRequest)), .remove(passing.id)] as [OperatorRequest] {
        let done = cluster.operatorOutcomes.count
        _ = cluster.operate(request, on: leader)
        #expect(cluster.run(within: .milliseconds(1000)) { cluster.operatorOutcomes.count > done })
      }
    }
    #expect(cluster.operatorOutcomes.suffix(2 * Configuration.maximumRemoved).allSatisfy { $0.error == nil })
    #expect(cluster.status(of: leader)?.configuration?.removed.contains(member.id) == false)
    let term = try #require(cluster.status(of: leader)?.term)
    cluster.network.heal()
    cluster.run(for: .milliseconds(10_000))
    #expect(cluster.status(of: leader)?.term == term && cluster.leader == leader)
    // Nor does it win when nobody leads.
    cluster.pause(leader)
    cluster.run(for: .milliseconds(5000))
    #expect(cluster.status(of: away)?.role != .leader)
    cluster.resume(leader)
    #expect(cluster.run(within: .milliseconds(10_000)) { cluster.leader != nil && cluster.leader != away })
    #expect(
      Self.change(cluster) {
        .add(Learner(member, .whenCaughtUp))
      } until: {
        $0.voters.count == 3
      })
    #expect(cluster.violations.isEmpty, "\(cluster.violations.map(\.text))")
  }

  /// Pitfall 25: a rolling restart changes nothing about who is a member.
  @Test func membersThatStopAreMembersAllTheSame() throws {
    let cluster = try Self.cluster(["a", "b", "c"], others: [], seed: 9)
    for name in cluster.names {
      cluster.stop(name)
      cluster.run(for: .milliseconds(3000))
      try cluster.start(name)
      cluster.run(for: .milliseconds(3000))
    }
    #expect(cluster.names.allSatisfy { cluster.status(of: $0)?.configuration?.voters.count == 3 })
    #expect(cluster.violations.isEmpty)
  }

  @Test func aNodeThatJoinedStartsAgainBeforeItIsAdded() throws {
    let cluster = try Self.cluster(["a"], others: ["b"], seed: 3)
    try cluster.start("b")
    #expect(cluster.run(within: .milliseconds(2000)) { cluster.status(of: "b")?.cluster != nil })
    cluster.run(for: .milliseconds(200))
    cluster.losePower("b")
    try cluster.start("b")
    let member = try #require(cluster.member("b"))
    #expect(
      Self.change(cluster) {
        .add(Learner(member, .whenCaughtUp))
      } until: {
        $0.voters.count == 2
      })
    cluster.losePower("a")
    cluster.losePower("b")
    try cluster.start("a")
    try cluster.start("b")
    #expect(cluster.run(within: .milliseconds(10_000)) { cluster.leader != nil })
    #expect(cluster.violations.isEmpty)
  }

  /// Operators add, replace, remove, promote and hand over at any moment, while processes end, power goes, and the network loses frames.
  @Test(arguments: 1...12 as ClosedRange<UInt64>) func membersComeAndGoUnderFaults(seed: UInt64) throws {
    var random = PseudoRandom(seed: seed)
    var settings = ReplicaSettings()
    (settings.snapshotAfterBytes, settings.logKeptBytes, settings.logMemoryBytes) = (2000, 0, 500)
    let cluster = try Self.cluster(["a", "b", "c"], others: ["d", "e"], seed: seed, settings: settings)
    cluster.network.lossPerMille = seed % 2 == 0 ? 30 : 0
    var acknowledged: [(key: UInt8, request: RequestID)] = []
    for name in ["d", "e"] { try cluster.start(name) }
    for step in 0..<60 as Range<UInt8> {
      let name = random.pick(cluster.names)
      switch random.below(10) {
      case 0: cluster.crash(name)
      case 1: cluster.losePower(name)
      case 2: cluster.network.isolate(name, from: cluster.names.filter { $0 != name })
      case 3, 4: cluster.network.heal()
      default: if let request = Self.request(cluster, &random) { _ = cluster.operate(request, on: cluster.leader ?? name) }
      }
      acknowledged.append((step, cluster.propose(Self.put(step), on: random.pick(cluster.names))))
      cluster.run(for: .milliseconds(Int64(random.below(800))))
      if random.chance(1, in: 2) { for name in cluster.names { try cluster.start(name) } }
    }
    #expect(cluster.operatorOutcomes.contains { $0.error == nil }, "nothing was changed")
    cluster.network.heal()
    cluster.network.lossPerMille = 0
    for name in cluster.names { try cluster.start(name) }
    #expect(cluster.run(within: .milliseconds(30_000)) { cluster.leader != nil }, "nobody leads")
    cluster.run(for: .milliseconds(10_000))
    #expect(cluster.violations.isEmpty, "\(cluster.violations.map(\.text))")
    let leader = try #require(cluster.leader)
    let last = cluster.propose(Self.put(99), on: leader)
    #expect(cluster.run(within: .milliseconds(10_000)) { cluster.outcome(of: last) != nil })
    guard case .applied(.success) = cluster.outcome(of: last) else { return #expect(Bool(false), "the cluster does not serve") }
    for (key, request) in acknowledged {
      guard case .applied(.success) = cluster.outcome(of: request) else { continue }
      let view = try #require(cluster.view(of: leader))
      #expect(view.get([key]) != nil, "what was acknowledged is gone")
    }
  }

  private static func request(_ cluster: Cluster, _ random: inout PseudoRandom) -> OperatorRequest? {
    let name = random.pick(cluster.names)
    guard let leader = cluster.leader, let configuration = cluster.status(of: leader)?.configuration, let member = cluster.member(name),
      cluster.status(of: name)?.cluster != nil
    else { return nil }
    if random.chance(1, in: 5) { return .transfer(to: member.id) }
    guard let known = configuration.member(member.id) else {
      let old = random.pick(configuration.voters).id
      return .add(Learner(member, random.pick([.onRequest, .whenCaughtUp, .whenCaughtUp, .replacing(old), .replacing(old)])))
    }
    if configuration.learners.contains(where: { $0.member.id == known.id }) { return .promote(known.id) }
    // Two of five may leave for good.
    return configuration.removed.count < 2 && configuration.voters.count > 2 ? .remove(known.id) : nil
  }
}
