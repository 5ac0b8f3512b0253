import KeyValue
import Raft
import Replica

/// Disks that lose, rot, fill up, or are empty.
extension Scenario {
  static let tornTail = Scenario(
    "torn-tail", "the power goes in the middle of a write, and no operator is needed",
    story: """
      A log whose last write reached the disk in part stops many a database at its next start: "corrupt tail", and an operator cuts it by \
      hand, or too much of it. Here the power goes everywhere while a write of several sectors is under way, until one server has found a \
      torn write at the end of its log. What was not durable was never acknowledged: recovery cuts it by itself, and the servers serve.
      """
  ) { stage throws(ScenarioFailure) in try stage.tornTail() }

  static let rottenLog = Scenario(
    "rotten-log", "a log that rotted is refused with a clear error, and the others go on",
    story: """
      A bit of a log changes while its server is down. A server that started from it would forget what it promised, or apply something \
      that nobody wrote; one that cut the log there would vote for a leader without what it had acknowledged. Here it does not start, says \
      which byte of which file is damaged and what to do, and cuts nothing. The other two serve.
      """
  ) { stage throws(ScenarioFailure) in try stage.rottenLog() }

  static let wipedNodeReturns = Scenario(
    "wiped-node-returns", "a server whose disk is empty, under the old name, is refused and never votes",
    story: """
      A disk died with three days of posts newer than the backup, and the machine came back with an empty one, under its old name and \
      flags. Had it a vote, it could help to elect somebody who lacks what it had acknowledged before. Here it is somebody else, whatever \
      its name: the others refuse it, it says what happened, and even if one of them dies it gives nobody a majority.
      """
  ) { stage throws(ScenarioFailure) in try stage.wipedNodeReturns() }

  static let stragglerReturns = Scenario(
    "straggler-returns", "a server that was away for longer than the log reaches gets a snapshot, though it is interrupted",
    story: """
      A server vanished for weeks with its provider. The others have long cut the part of the log that it lacks. It comes back, is sent a \
      snapshot, loses power in the middle of it, and comes back again; then it has everything, and the others never stopped.
      """
  ) { stage throws(ScenarioFailure) in try stage.stragglerReturns() }
}

extension Stage {
  fileprivate func tornTail() throws(ScenarioFailure) {
    try start(.all)
    var torn = 0
    for round in 1...30 where torn == 0 {
      try expectLeader()
      try write("round", "\(round)", on: .leader)
      _ = try beginWrite("big", "\(round): " + String(repeating: "x", count: 4000), on: .leader)
      try wait(Nanoseconds(random.below(3_000_000)))
      try losePower(.all)
      for server in [Servers.a, .b, .c] { torn += try repairs(of: server).count { $0.contains("never durable was cut") } }
      try start(.all)
      try expectLeader()
      try expectRead("round", on: .all, is: "\(round)")
    }
    guard torn > 0 else { throw failure("a torn write in 30 losses of power", seen: "none, so that nothing was shown") }
  }

  /// What recovery will find wrong on a server that is down, and put right.
  private func repairs(of server: Servers) throws(ScenarioFailure) -> [String] {
    let name = try name(of: server)
    do {
      let found = try NodeStorage<KeyValueMachine, SimulatedDisk>(opening: cluster.disk(of: name).copy(), name: name, newborn: NodeID(1))
      for repair in found.repairs { note("\(name): recovery will find \(repair)") }
      return found.repairs
    } catch {
      throw failure("that \(name) recovers from what it left", seen: "\(error)")
    }
  }

  fileprivate func rottenLog() throws(ScenarioFailure) {
    try start(.all)
    try expectLeader()
    for value in 1...10 { try write("x", "\(value)", on: .leader) }
    let rotten = shuffled([.a, .b, .c])[0]
    try crash(rotten)
    try rot(rotten)
    try expectStartRefused(rotten, because: "is damaged at byte")
    try expectLeader(.all(but: rotten))
    try write("x", "without \(rotten)", on: .leader)
    try losePower(.leader)
    try expectNoLeader(among: .all, for: .milliseconds(2000))
    try start(.all(but: rotten))
    try expectLeader()
    try expectRead("x", on: .all(but: rotten), is: "without \(rotten)")
    try expectStartRefused(rotten, because: "is damaged at byte")
  }

  fileprivate func wipedNodeReturns() throws(ScenarioFailure) {
    try start(.all)
    try expectLeader()
    let wiped = shuffled([.a, .b, .c])[0]
    try write("x", "before", on: wiped)
    try crash(wiped)
    try wipe(wiped)
    try start(wiped)
    try expectTurnedAway(wiped, because: "under another identity")
    try expectLeader(.all(but: wiped))
    try write("x", "without \(wiped)", on: .leader)
    try expectReadRefused(on: wiped)
    try expectWriteRefused("x", "from \(wiped)", on: wiped)
    try losePower(.leader)
    try expectNoLeader(among: .all, for: .milliseconds(5000))
    try start(.all(but: wiped))
    try expectLeader(.all(but: wiped))
    try expectSteadyLeader(for: .milliseconds(2000))
    try expectRead("x", on: .all(but: wiped), is: "without \(wiped)")
  }

  fileprivate func stragglerReturns() throws(ScenarioFailure) {
    var settings = ReplicaSettings()
    settings.snapshotAfterBytes = 8000
    settings.logKeptBytes = 2000
    try newWorld([.a, .b, .c], settings: settings)
    try start(.all)
    let leader = try expectLeader()
    let straggler = shuffled([.a, .b, .c]).filter { $0 != leader }[0]
    try write("x", "0", on: straggler)
    try expectConverged()
    let left = status(straggler)?.lastIndex ?? 0
    try losePower(straggler)
    for value in 1...40 { try write("x\(value % 7)", "\(value): " + String(repeating: "x", count: 1000), on: leader) }
    try expect("\(leader) no longer has what \(straggler) lacks") {
      (status(leader)?.snapshotIndex ?? 0) > left + 10
    }
    for _ in 1...3 {
      try start(straggler)
      try wait(Nanoseconds(random.below(40_000_000)))
      try losePower(straggler)
    }
    try start(straggler)
    try expectConverged()
    try expect("\(straggler) stands on a snapshot", within: .zero) { (status(straggler)?.snapshotIndex ?? 0) > left }
  }
}
