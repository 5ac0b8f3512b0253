import Raft
import Replica

/// Members that come, go and move, and leaders that hand over.
extension Scenario {
  static let operatorTransfer = Scenario(
    "operator-transfer", "the operator names a leader, once, and it leads",
    story: """
      An operator names a new master. The old one's next check takes it back, and the operator tries again until it sticks. Here the \
      first command takes effect within an election timeout, and nobody corrects it; or it fails with a reason, as for a server that \
      is down, and the leader goes on.
      """
  ) { stage throws(ScenarioFailure) in try stage.operatorTransfer() }

  static let rollingRestart = Scenario(
    "rolling-restart", "each server is stopped and started, and nobody waits for an election",
    story: """
      An update restarts one server after the other, the leader too. A leader that is only killed leaves everybody waiting for a \
      timeout. Here a leader that is told to stop hands over first; writes on the others go on, and each server has caught up before \
      the next is stopped.
      """
  ) { stage throws(ScenarioFailure) in try stage.rollingRestart() }

  static let stalledDiskLeader = Scenario(
    "stalled-disk-leader", "a leader whose disk stops answering makes room",
    story: """
      The leader's disk hangs for a minute, as network volumes do. Its heartbeats need no disk, so the others would follow it for \
      ever, and no write of theirs would count its vote. Here it hands over after two seconds, does not stand again before its disk \
      answers, and catches up then.
      """
  ) { stage throws(ScenarioFailure) in
    try stage.leaderWithoutDisk { stage, leader throws(ScenarioFailure) in try stage.stallDisk(leader, for: .seconds(20)) }
  }

  static let fullDiskLeader = Scenario(
    "disk-full-leader", "a leader whose disk is full makes room",
    story: """
      The leader's disk has no room left: a log file of another program grew. What it holds is safe, but it can write nothing more. \
      Here it hands over after two seconds instead of holding up every write, and goes on as a follower once there is room again, by \
      itself.
      """
  ) { stage throws(ScenarioFailure) in
    try stage.leaderWithoutDisk { stage, leader throws(ScenarioFailure) in
      try stage.fillDisk(leader)
      // The log has filled a part of its file ahead.
      for _ in 1...6 { _ = try stage.beginWrite("large", String(repeating: "x", count: 400_000), on: leader) }
    }
  }

  static let allAddressesChange = Scenario(
    "all-addresses-change", "every server has another address, and one is told the new ones",
    story: """
      The whole cluster goes to another provider, and no server is where the others look for it. Nobody can change the configuration, \
      since nobody leads. Here one server, whichever, is told the new addresses on its command line; the others learn them from it, \
      elect a leader, and write them down: at the next start nobody has to be told.
      """
  ) { stage throws(ScenarioFailure) in try stage.allAddressesChange() }

  static let joinsUnderFire = Scenario(
    "joins-under-fire", "servers join while leaders die",
    story: """
      Three servers are to become five. A new one with an empty log must not count before it has caught up, or writes would wait for \
      it; and whoever leads by the time it has, makes a voter of it. Here leaders are killed while the new ones receive the log. Each \
      becomes a voter all the same, writes go on, and a server whose machine is gone is replaced by a new one in a single step.
      """,
    servers: ["a", "b", "c"]
  ) { stage throws(ScenarioFailure) in try stage.joinsUnderFire() }

  static let snapshotDuringMembershipChange = Scenario(
    "snapshot-during-membership-change", "a server joins by a snapshot while the log is compacted behind it",
    story: """
      The log has long been compacted when a fourth server joins: it gets a snapshot, which has to say who the members were at its \
      index, while the configuration that adds it is newer. Meanwhile snapshots follow each other, the leader is killed, and the \
      newcomer loses power. Here it votes in the end, and has the same state as all.
      """
  ) { stage throws(ScenarioFailure) in try stage.snapshotDuringMembershipChange() }

  static let reconfigureUnderPartition = Scenario(
    "reconfigure-under-partition", "a leader that was cut off changes no members, and the other side does",
    story: """
      Two of five servers are cut off, the leader among them. It is asked to remove one of the other three: the change is in force for \
      it at once, and committed nowhere. The majority elects a leader of its own and removes a server that was cut off. When the links \
      are back the first change is gone, as if it had never been asked for, and who was removed is told.
      """,
    servers: ["a", "b", "c", "d", "e"]
  ) { stage throws(ScenarioFailure) in try stage.reconfigureUnderPartition() }
}

extension Stage {
  fileprivate func operatorTransfer() throws(ScenarioFailure) {
    try start(.all)
    var leader = try expectLeader()
    for round in 1...4 {
      let target = shuffled([.a, .b, .c]).filter { $0 != leader }[0]
      try write("x", "\(round)", on: target)
      try expectDone("hand over to \(target)", .transfer(to: try identity(of: target)))
      leader = try expectLeader(target, within: .milliseconds(100))
      try expectSteadyLeader(for: .milliseconds(3000))
    }
    let down = shuffled([.a, .b, .c]).filter { $0 != leader }[0]
    let id = try identity(of: down)
    try losePower(down)
    try wait(.milliseconds(1000))
    try expectRefused("hand over to \(down), which is down", .transfer(to: id), .unreachable(id))
    try expectRefused("hand over to nobody's identity", .transfer(to: NodeID(1)), .unknownMember(NodeID(1)))
    try write("x", "still here", on: leader)
    try expectSteadyLeader(for: .milliseconds(2000))
  }

  fileprivate func rollingRestart() throws(ScenarioFailure) {
    try start(.all)
    try expectLeader()
    for server in shuffled([.a, .b, .c]) {
      let others = shuffled([.a, .b, .c]).filter { $0 != server }
      try stop(server)
      try expectLeader(within: .milliseconds(100))
      for other in others { try write("x", "without \(server), on \(other)", on: other) }
      try start(server)
      try expect("\(server) has caught up") { status(server)?.appliedIndex == status(.leader)?.appliedIndex }
    }
  }

  fileprivate func leaderWithoutDisk(
    _ harm: (Stage, Servers) throws(ScenarioFailure) -> Void
  ) throws(ScenarioFailure) {
    try start(.all)
    let old = try expectLeader()
    try write("x", "before", on: old)
    try harm(self, old)
    let attempt = try beginWrite("y", "during", on: old, within: .milliseconds(10_000))
    let new = try expectLeader(.all(but: old), within: .milliseconds(4000))
    try write("x", "after", on: new)
    try expectRead("x", on: .all(but: old), is: "after")
    try expectSteadyLeader(for: .milliseconds(10_000))
    try expectAnswered(attempt)
    try freeDisk(old)
    try expect("\(old) has caught up", within: .seconds(30)) { status(old)?.appliedIndex == status(new)?.appliedIndex }
  }

  fileprivate func allAddressesChange() throws(ScenarioFailure) {
    try start(.all)
    try expectLeader()
    try write("x", "at home", on: .leader)
    for server in [Servers.a, .b, .c] { try crash(server) }
    for server in [Servers.a, .b, .c] { try move(server, to: "\(server)-abroad") }
    let told = shuffled([.a, .b, .c])[0]
    try move(told, to: "\(told)-abroad", knowing: .all(but: told))
    try start(.all)
    try expectLeader(within: .milliseconds(10_000))
    try expectRead("x", on: .all, is: "at home")
    try expect("all addresses are written down", within: .milliseconds(10_000)) {
      status(.leader)?.members.allSatisfy { $0.peerAddress.hasSuffix("-abroad") } == true
    }
    try expectConverged()
    // Nobody is told at the next start.
    try move(told, to: "\(told)-abroad")
    try losePower(.all)
    try start(.all)
    try expectLeader()
  }

  /// A world of these servers, of whom the first three form the cluster.
  private func newWorldOfThree(and others: [Servers], settings: ReplicaSettings = ReplicaSettings()) throws(ScenarioFailure) {
    let founders: [Servers] = [.a, .b, .c]
    try newWorld(founders + others, knowing: others.map { ($0, founders) } + founders.map { ($0, founders) }, settings: settings)
    try start(Servers(.several(founders)))
    try expectLeader(Servers(.several(founders)))
  }

  fileprivate func joinsUnderFire() throws(ScenarioFailure) {
    try newWorldOfThree(and: [.d, .e, .f])
    for value in 1...20 { try write("x", "\(value)", on: .leader) }
    for new in [Servers.d, .e] {
      try join(new, by: [.a, .b, .c])
      try wait(Nanoseconds(random.below(20_000_000)))
      let killed = try expectLeader()
      try crash(killed)
      try expectLeader(.all(but: killed))
      try write("x", "without \(killed)", on: .leader)
      try start(killed)
      try expect("\(new) votes", within: .milliseconds(10_000)) { votes(new) }
    }
    let leader = try expectLeader()
    let lost = shuffled([.a, .b, .c, .d, .e]).filter { $0 != leader }[0]
    try losePower(lost)
    try writeOff(lost)
    try join(.f, by: leader, replacing: lost)
    try expect("f votes in the place of \(lost)", within: .milliseconds(10_000)) { votes(.f) && !votes(lost) }
    try write("x", "with f", on: .f)
  }

  fileprivate func snapshotDuringMembershipChange() throws(ScenarioFailure) {
    var settings = ReplicaSettings()
    settings.snapshotAfterBytes = 8000
    settings.logKeptBytes = 2000
    try newWorldOfThree(and: [.d], settings: settings)
    for value in 1...40 { try write("x\(value % 7)", "\(value): " + String(repeating: "x", count: 1000), on: .leader) }
    try expect("the log is compacted") { (status(.leader)?.snapshotIndex ?? 0) > 10 }
    try join(.d, by: [.a, .b, .c])
    for value in 1...20 { try write("x\(value % 7)", "\(value) again: " + String(repeating: "x", count: 1000), on: .leader) }
    try losePower(.d)
    for value in 1...20 { try write("x\(value % 7)", "\(value) once more: " + String(repeating: "x", count: 1000), on: .leader) }
    try start(.d)
    try wait(Nanoseconds(random.below(20_000_000)))
    let killed = try expectLeader()
    try crash(killed)
    try expectLeader(.all(but: killed))
    try start(killed)
    try expect("d votes", within: .milliseconds(10_000)) { votes(.d) }
    try expectConverged()
    try expect("d stands on a snapshot", within: .zero) { (status(.d)?.snapshotIndex ?? 0) > 10 }
  }

  fileprivate func reconfigureUnderPartition() throws(ScenarioFailure) {
    try start(.all)
    let old = try expectLeader()
    let others = shuffled([.a, .b, .c, .d, .e]).filter { $0 != old }
    let (beside, majority) = (others[0], Array(others[1...]))
    let victim = majority[0]
    try write("x", "before", on: old)
    try cut([old, beside], Servers(.several(majority)))
    try ask("remove \(victim)", .remove(try identity(of: victim)), on: old)
    let new = try expectLeader(Servers(.several(majority)))
    try expectDone("remove \(beside)", .remove(try identity(of: beside)), on: new)
    try write("x", "by the majority", on: new)
    heal()
    try writeOff(beside)
    try expect("\(victim) is still a member for all", within: .milliseconds(10_000)) {
      guard let id = try? identity(of: victim) else { return false }
      return ([old] + majority).allSatisfy { status($0)?.configuration?.isVoter(id) == true }
    }
    try expect("\(beside) was told that it left", within: .milliseconds(10_000)) { status(beside)?.isRemoved == true }
    try expectRead("x", on: Servers(.several([old] + majority)), is: "by the majority")
  }
}
