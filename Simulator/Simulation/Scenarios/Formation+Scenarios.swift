import Raft
import Replica

/// How clusters come about: once, and only between those that agree who they are.
extension Scenario {
  static let headSplit = Scenario(
    "head-split", "servers with different lists of each other never follow two masters",
    story: """
      A home-made redundancy manager asked its peers who the master is, and believed the first answer. D and E followed D. F, which knew \
      nobody, followed itself. Then G arrived, knew all three, and found two masters: whoever was asked first won, even a minority.

      Here a cluster forms between those whose lists name each other, once, for ever, and each store has an identity. Three acts. In the \
      first the lists are those of the story: D and E are one store, F a store of its own, by its operator's word; neither takes the other \
      for itself, and G, which belongs to none, is turned away by each and changes nothing. In the second F names D and E, who do not \
      name it: it waits, and never leads. In the third all three name each other, F is cut off once they are a cluster, and G arrives: F \
      alone does not lead, and G still changes nothing.
      """,
    servers: ["d", "e", "f", "g"]
  ) { stage throws(ScenarioFailure) in
    try stage.aPeerThatKnewNobody()
    try stage.aPeerThatNobodyKnew()
    try stage.aPeerCutOff()
  }

  static let contactLists = Scenario(
    "contact-lists", "four servers, every way in which each may know some of the others",
    story: """
      In the home-made tool peers with different lists "convinced" each other for a few rounds, and what came out depended on who asked \
      whom first. Here four servers start with every combination of lists, up to renaming, which makes 218 worlds; which server has which \
      part in each, and who starts first, is up to the seed. A cluster forms exactly where all that a list names have that very list; \
      everybody else waits or is turned away, and never leads. No server is in two clusters.
      """,
    servers: ["d", "e", "f", "g"]
  ) { stage throws(ScenarioFailure) in try stage.everyContactList() }

  static let powerLossWhileForming = Scenario(
    "power-loss-while-forming", "the power goes at any moment of a cluster's birth, and one cluster is born",
    story: """
      A replicated database that was started for the first time, and interrupted, was "not yet prepared", and stayed so until an operator \
      had restarted its nodes in the right order. Here the power goes, for one server or for all, at a random moment in the first tenth of \
      a second, again and again: once it stays, the same servers make one cluster, and serve.
      """
  ) { stage throws(ScenarioFailure) in try stage.powerLossWhileForming() }
}

extension Stage {
  fileprivate func aPeerThatKnewNobody() throws(ScenarioFailure) {
    try newWorld(
      [.d, .e, .f, .g],
      knowing: [(.d, [.d, .e]), (.e, [.d, .e]), (.f, [.f]), (.g, [.d, .e, .f, .g])])
    try start([.d, .e, .f])
    let master = try expectLeader([.d, .e])
    try expectLeader(.f)
    let cluster = status(.d)?.cluster
    let term = status(master)?.term
    try expect("f is another store than d and e") {
      status(.e)?.cluster == cluster && status(.f)?.cluster != cluster
    }
    try write("who", "d and e", on: master)
    try write("who", "f", on: .f)
    try start(.g)
    try expectTurnedAway(.g, because: "without g")
    try expectNoLeader(among: .g, for: .milliseconds(2000))
    try expect("\(master) still leads, in the same term") {
      status(master)?.role == .leader && status(master)?.term == term
    }
    try expectRead("who", on: [.d, .e], is: "d and e")
    try expectRead("who", on: .f, is: "f")
  }

  fileprivate func aPeerThatNobodyKnew() throws(ScenarioFailure) {
    try newWorld([.d, .e, .f], knowing: [(.d, [.d, .e]), (.e, [.d, .e])])
    try start(.f)
    try expectNoLeader(among: .f, for: .milliseconds(2000))
    try start([.d, .e])
    try expectLeader([.d, .e])
    try write("who", "d and e", on: .d)
    try expectTurnedAway(.f, because: "without f")
    try expectNoLeader(among: .f, for: .milliseconds(2000))
    try expectReadRefused(on: .f)
    try expectWriteRefused("who", "f", on: .f)
    try expectSteadyLeader(for: .milliseconds(500))
  }

  fileprivate func aPeerCutOff() throws(ScenarioFailure) {
    let three: [Servers] = [.d, .e, .f]
    try newWorld([.d, .e, .f, .g], knowing: three.map { ($0, three) })
    try start([.d, .e])
    try expectNoLeader(among: .all, for: .milliseconds(2000))
    try start(.f)
    try expectLeader([.d, .e, .f])
    try write("who", "all three", on: .f)
    try isolate(.f)
    let master = try expectLeader([.d, .e])
    try write("who", "d and e", on: .d)
    // Had it led, it takes it an election timeout to know that it does no more.
    try expect("f does not lead", within: .milliseconds(1000)) { status(.f)?.role != .leader }
    try expectNoLeader(among: .f, for: .milliseconds(3000))
    try expectReadRefused(on: .f)
    try expectWriteRefused("who", "f", on: .f)
    try start(.g)
    try expectTurnedAway(.g, because: "without g")
    try expectSteadyLeader(for: .milliseconds(2000))
    heal()
    try expectSteadyLeader(for: .milliseconds(1000))
    try expectLeader(master)
    try expectNoLeader(among: [.f, .g], for: .milliseconds(1000))
    try expectRead("who", on: .f, is: "d and e")
  }

  // MARK: PeerInfo lists

  fileprivate func everyContactList() throws(ScenarioFailure) {
    for shape in ContactLists.shapes {
      let servers = shuffled([.d, .e, .f, .g])
      try newWorld([.d, .e, .f, .g], knowing: servers.indices.map { (servers[$0], shape.list(of: $0).map { servers[$0] }) })
      for server in shuffled(servers) { try start(server) }
      try expectOneClusterForEachAgreedList()
    }
  }

  private func expectOneClusterForEachAgreedList() throws(ScenarioFailure) {
    for list in world.agreedLists {
      let leader = try expectLeader(Servers(.several(list.map { Servers($0) })), within: .milliseconds(10_000))
      try expect("the members are \(list)") { status(leader)?.members.map(\.name) == list }
      try write("members", list.joined(), on: leader)
    }
    let outside = cluster.names.filter { !world.agreedLists.contains(world.list(of: $0)) }
    try expectThroughout(.milliseconds(1000), "\(outside) are in no cluster") {
      outside.allSatisfy { cluster.status(of: $0)?.cluster == nil && cluster.status(of: $0)?.role == .forming }
    }
    world.writtenOff += outside
  }

  // MARK: Power

  fileprivate func powerLossWhileForming() throws(ScenarioFailure) {
    for round in 1...12 {
      try newWorld([.a, .b, .c])
      for _ in 1...3 {
        for server in shuffled([.a, .b, .c]) { try start(server) }
        try wait(Nanoseconds(random.below(100_000_000)))
        try losePower(random.below(2) == 0 ? .all : shuffled([.a, .b, .c])[0])
      }
      try start(.all)
      try expectLeader(within: .milliseconds(10_000))
      try write("round", "\(round)", on: shuffled([.a, .b, .c])[0])
    }
  }
}

/// Who was told of whom, among four: a bit for each pair.
struct ContactLists: Hashable, Sendable {
  private static let count = 4
  let bits: UInt16

  /// One of each kind: all others differ from one of these in names only.
  static let shapes: [ContactLists] = (0..<UInt16(1) << 12).map { ContactLists(bits: $0) }.filter { lists in
    permutations(of: Array(0..<count)).allSatisfy { lists.renamed($0).bits >= lists.bits }
  }

  /// Whom this one was told of, itself included.
  func list(of server: Int) -> [Int] { (0..<Self.count).filter { $0 == server || knows(server, $0) } }

  private func knows(_ server: Int, _ other: Int) -> Bool { bits >> Self.bit(server, other) & 1 == 1 }

  private static func bit(_ server: Int, _ other: Int) -> Int { server * (count - 1) + (other < server ? other : other - 1) }

  private func renamed(_ names: [Int]) -> ContactLists {
    var renamed: UInt16 = 0
    for server in 0..<Self.count {
      for other in 0..<Self.count where other != server && knows(server, other) { renamed |= 1 << Self.bit(names[server], names[other]) }
    }
    return ContactLists(bits: renamed)
  }
}

/// Every order of some things.
func permutations<Element>(of elements: [Element]) -> [[Element]] {
  guard let first = elements.first else { return [[]] }
  return permutations(of: Array(elements.dropFirst())).flatMap { rest in
    (0...rest.count).map { place in
      var order = rest
      order.insert(first, at: place)
      return order
    }
  }
}

extension Stage {
  /// In an order that is up to the seed.
  func shuffled(_ servers: [Servers]) -> [Servers] {
    var servers = servers
    for last in servers.indices.reversed().dropLast() { servers.swapAt(last, Int(random.below(UInt64(last) + 1))) }
    return servers
  }
}
