import Raft
import Replica

/// Links that are cut, in part, one way, or again and again.
extension Scenario {
  static let halfDeafLeader = Scenario(
    "half-deaf-leader", "a leader that is heard but hears nobody makes room for another",
    story: """
      A firewall rule, or a full queue, stops what goes to the leader, and lets pass what it sends. Its heartbeats keep everybody quiet, \
      and nothing is ever acknowledged: without a check of its quorum it leads for ever. Here it gives up when no majority has answered \
      for an election timeout, another is elected, and the deaf one does not disturb it.
      """
  ) { stage throws(ScenarioFailure) in try stage.halfDeafLeader() }

  static let bridgePartition = Scenario(
    "bridge-partition", "two sides that see each other only through one server have one leader, who stays",
    story: """
      Two providers lose sight of each other, and a server in a third place still sees both. Whoever does not see the leader wants a new \
      one; with plain elections the two sides take the leadership from each other without end. Here three servers, then five: the leader \
      stays, in its term, and serves whoever sees it; whoever does not is refused by the deadline, and has everything once the link is back.
      """
  ) { stage throws(ScenarioFailure) in
    try stage.bridgeOfThree()
    try stage.bridgeOfFive()
  }

  static let ringPartition = Scenario(
    "ring-partition", "five servers, each of which sees its two neighbours only, have one leader, who stays",
    story: """
      Routes between five places fail until a ring is left. The leader and its neighbours are a majority, the two opposite do not see it, \
      and see each other. They may not depose it: it stays in its term, and serves.
      """,
    servers: ["a", "b", "c", "d", "e"]
  ) { stage throws(ScenarioFailure) in try stage.ringPartition() }

  static let onlyOneSeesAll = Scenario(
    "only-one-sees-all", "when only one server sees a majority, it becomes the leader",
    story: """
      All links fail but those of one server, which is not the leader. The leader still reaches that one, and so it never times out; the \
      others see neither. A leader that does not check its quorum stays in office without one, and the only server that could lead is kept \
      quiet by it. Here the old leader gives up, the one in the middle is elected, and all five serve again through it.
      """,
    servers: ["a", "b", "c", "d", "e"]
  ) { stage throws(ScenarioFailure) in try stage.onlyOneSeesAll() }

  static let forgetfulCandidate = Scenario(
    "forgetful-candidate", "a server that lacks what was acknowledged never leads, even if nobody else could",
    story: """
      Two of five servers miss a write that the other three have acknowledged. Then the leader dies, and all links fail but those of one \
      of the two: only it sees a majority, and it is the one that must not lead, since it would overwrite the rest. Rather nobody leads. \
      When the links are back a server that has the write is elected, by itself, and brings everybody up to date.
      """,
    servers: ["a", "b", "c", "d", "e"]
  ) { stage throws(ScenarioFailure) in try stage.forgetfulCandidate() }

  static let flappingLink = Scenario(
    "flapping-link", "a link that comes and goes costs no leadership",
    story: """
      The link between the leader and one follower fails and recovers, for moments or for seconds, in one direction or both. Each time the \
      follower times out it asks for an election; a follower that raised its term for that would depose the leader with each recovery. \
      Here it asks whether it could win before it does, and may not while the leader lives: leader and term stay, writes go on.
      """
  ) { stage throws(ScenarioFailure) in try stage.flappingLink() }

  static let narrowLine = Scenario(
    "narrow-line", "megabytes on a line of 2 Mbit/s cost no leadership, and delay no read",
    story: """
      A provider throttles the servers to 2 Mbit/s. A value of one megabyte is four seconds on its way to a follower. If heartbeats waited \
      behind it both ends would take each other for dead: an election would begin, and the value would be sent again, without end. Here \
      heartbeats, votes and reads take a lane of their own. The leader stays, in its term, and answers every read within half a second, \
      while two values are on their way, and while a server that was away is brought up to date.
      """
  ) { stage throws(ScenarioFailure) in try stage.narrowLine() }

  static let staleMinorityReads = Scenario(
    "stale-minority-reads", "a leader that was cut off with a minority answers no read from memory",
    story: """
      Three of five servers lose sight of the leader and one follower. For a while the old leader does not know that it is none any more; \
      whoever read from it would miss what the new one has acknowledged. Here every read on the minority's side fails by its deadline, \
      from the first moment on, since no majority confirms it; and none shows anything old.
      """,
    servers: ["a", "b", "c", "d", "e"]
  ) { stage throws(ScenarioFailure) in try stage.staleMinorityReads() }
}

extension Stage {
  fileprivate func halfDeafLeader() throws(ScenarioFailure) {
    try start(.all)
    let deaf = try expectLeader()
    try write("x", "heard", on: deaf)
    try cut(from: .all(but: deaf), to: deaf)
    let unheard = try beginWrite("x", "unheard", on: deaf, within: .milliseconds(2000))
    let new = try expectLeader(.all(but: deaf))
    try expectRefused(unheard)
    try write("x", "heard again", on: new)
    try expectNoLeader(among: deaf, for: .milliseconds(2000))
    try expectSteadyLeader(for: .milliseconds(3000))
    try expectReadRefused(on: deaf)
    heal()
    try expectSteadyLeader(for: .milliseconds(1000))
    try expectRead("x", on: deaf, is: "heard again")
  }

  fileprivate func bridgeOfThree() throws(ScenarioFailure) {
    try start(.all)
    let leader = try expectLeader()
    let others = shuffled([.a, .b, .c]).filter { $0 != leader }
    let (bridge, far) = (others[0], others[1])
    try write("x", "before", on: far)
    try cut(leader, far)
    try expectSteadyLeader(for: .milliseconds(5000))
    try write("x", "across", on: bridge)
    try expectReadRefused(on: far)
    try expectWriteRefused("x", "from afar", on: far)
    try expectSteadyLeader(for: .milliseconds(1000))
    heal()
    try expectSteadyLeader(for: .milliseconds(1000))
    try expectRead("x", on: far, is: "across")
  }

  fileprivate func bridgeOfFive() throws(ScenarioFailure) {
    try newWorld([.a, .b, .c, .d, .e])
    try start(.all)
    let leader = try expectLeader()
    let others = shuffled([.a, .b, .c, .d, .e]).filter { $0 != leader }
    let (near, bridge, far) = (others[0], others[1], [others[2], others[3]])
    try write("x", "before", on: far[0])
    try cut([leader, near], Servers(.several(far)))
    try expectSteadyLeader(for: .milliseconds(5000))
    try write("x", "this side", on: near)
    try write("x", "the bridge", on: bridge)
    try expectReadRefused(on: far[0])
    try expectWriteRefused("x", "that side", on: far[1])
    heal()
    try expectSteadyLeader(for: .milliseconds(1000))
    try expectRead("x", on: .all, is: "the bridge")
  }

  fileprivate func ringPartition() throws(ScenarioFailure) {
    try start(.all)
    let leader = try expectLeader()
    let others = shuffled([.a, .b, .c, .d, .e]).filter { $0 != leader }
    let ring = [leader] + others
    for i in ring.indices {
      let opposite = ring[(i + 2) % ring.count]
      try cut(ring[i], opposite)
    }
    try expectSteadyLeader(for: .milliseconds(5000))
    try write("x", "left", on: ring[1])
    try write("x", "right", on: ring[4])
    try expectReadRefused(on: ring[2])
    try expectWriteRefused("x", "opposite", on: ring[3])
    try expectSteadyLeader(for: .milliseconds(1000))
    heal()
    try expectSteadyLeader(for: .milliseconds(1000))
    try expectRead("x", on: .all, is: "right")
  }

  fileprivate func onlyOneSeesAll() throws(ScenarioFailure) {
    try start(.all)
    let old = try expectLeader()
    try write("x", "old", on: old)
    try expectConverged()
    let center = shuffled([.a, .b, .c, .d, .e]).filter { $0 != old }[0]
    try star(center, .all(but: center))
    try expectLeader(center, within: .milliseconds(8000))
    try expectSteadyLeader(for: .milliseconds(3000))
    for server in [Servers.a, .b, .c, .d, .e] { try write("x", "by way of \(server)", on: server) }
    heal()
    try expectSteadyLeader(for: .milliseconds(1000))
  }

  fileprivate func forgetfulCandidate() throws(ScenarioFailure) {
    try start(.all)
    let leader = try expectLeader()
    try write("x", "known to all", on: leader)
    try expectConverged()
    let others = shuffled([.a, .b, .c, .d, .e]).filter { $0 != leader }
    let forgetful = [others[0], others[1]]
    try cut(Servers(.several(forgetful)), .all(but: Servers(.several(forgetful))))
    try write("x", "known to three", on: leader)
    try crash(leader)
    try star(forgetful[0], .all(but: forgetful[0]))
    try expectNoLeader(among: .all, for: .milliseconds(6000))
    heal()
    try expectLeader([others[2], others[3]])
    try expectRead("x", on: .all(but: leader), is: "known to three")
  }

  fileprivate func flappingLink() throws(ScenarioFailure) {
    try start(.all)
    let leader = try expectLeader()
    let others = shuffled([.a, .b, .c]).filter { $0 != leader }
    let term = status(leader)?.term
    for flap in 1...15 {
      switch random.below(3) {
      case 0: try cut(leader, others[0])
      case 1: try cut(from: leader, to: others[0])
      default: try cut(from: others[0], to: leader)
      }
      try wait(Nanoseconds(50_000_000 + random.below(2_000_000_000)))
      try write("flap", "\(flap)", on: others[1])
      heal()
      try wait(Nanoseconds(random.below(300_000_000)))
      try expect("\(leader) leads, in the same term", within: .zero) {
        status(leader)?.role == .leader && status(leader)?.term == term
      }
    }
  }

  fileprivate func narrowLine() throws(ScenarioFailure) {
    try start(.all)
    let leader = try expectLeader()
    let others = shuffled([.a, .b, .c]).filter { $0 != leader }
    let term = status(leader)?.term
    narrow(toKilobytesPerSecond: 250)
    try writeSlowly("one", leader)
    try crash(others[0])
    try writeSlowly("two", leader)
    try start(others[0])
    try wait(.milliseconds(500))
    try readMeanwhile(on: leader) { status(others[0])?.appliedIndex == status(leader)?.appliedIndex }
    try expectConverged()
    try expect("\(leader) leads, in the same term", within: .zero) { status(leader)?.role == .leader && status(leader)?.term == term }
  }

  private func writeSlowly(_ key: String, _ leader: Servers) throws(ScenarioFailure) {
    let value = String(repeating: key, count: 1_000_000 / key.utf8.count)
    let attempt = try beginWrite(key, value, on: leader, within: .seconds(60))
    let begin = cluster.now
    try readMeanwhile(on: leader) { isAnswered(attempt) }
    try expectDone(attempt)
    try expect("it took seconds", within: .zero) { cluster.now - begin > .seconds(3) }
  }

  private func readMeanwhile(on leader: Servers, until isOver: () -> Bool) throws(ScenarioFailure) {
    for _ in 0..<60 where !isOver() {
      try expectDone(try beginRead(on: leader, within: .milliseconds(500)))
      try wait(.milliseconds(500))
    }
    try expect("that is over", within: .zero) { isOver() }
  }

  fileprivate func staleMinorityReads() throws(ScenarioFailure) {
    try start(.all)
    let old = try expectLeader()
    try write("x", "old", on: old)
    let others = shuffled([.a, .b, .c, .d, .e]).filter { $0 != old }
    let minority = [old, others[0]]
    try cut(Servers(.several(minority)), Servers(.several(Array(others[1...]))))
    var reads: [Attempt] = []
    for moment in 0..<30 {
      for server in minority { reads.append(try beginRead(on: server, within: .milliseconds(1500))) }
      try wait(.milliseconds(100))
      if moment == 19 {
        let new = try expectLeader(Servers(.several(Array(others[1...]))))
        try write("x", "new", on: new)
      }
    }
    for read in reads { try expectRefused(read) }
    heal()
    try expectRead("x", on: .all, is: "new")
  }
}
