import Raft
import Replica

/// Machines that are taken away at short notice, one after the other, and others that come in their place.
extension Scenario {
  static let preemptionStorm = Scenario(
    "preemption-storm", "every server is taken away at half a minute's notice, and two hundred locks stay with who holds them",
    story: """
      Cheap machines are lent until somebody pays more: thirty seconds' notice, then they are gone. Whoever kept locks on such machines \
      lost them with the machine that had granted them, saw two owners at once, or had its clients knock at dead doors without end. Here \
      two hundred clients hold a lock each, under a lease of nine seconds, and twenty more wait for the first of those. The machines are \
      taken away, the leader's first, until none of the first three is left: within the notice another one joins and takes the place, \
      the old one hands over, answers everybody, and stops. Meanwhile some holders freeze, and some give back what they hold. \
      Nobody else loses a lock; a lock is held by one at a time, and is handed on in time; who wakes is refused; and no client asks \
      anew more than a few times for each machine that went.
      """,
    servers: ["a", "b", "c", "d", "e", "f"]
  ) { stage throws(ScenarioFailure) in try stage.preemptionStorm() }
}

extension Stage {
  private static let locks = 200
  /// Locks that come free while one machine goes: the holders of the first freeze.
  private static let freed = 6
  private static let notice = Nanoseconds.seconds(30)
  /// Most requests of one client that are not done, and most times that it goes to another node, for each machine that goes.
  private static let failuresForOne = 3

  fileprivate func preemptionStorm() throws(ScenarioFailure) {
    let (old, new) = ([Servers.a, .b, .c], [Servers.d, .e, .f])
    // So short a log that newcomers begin with a snapshot.
    var settings = ReplicaSettings()
    settings.snapshotAfterBytes = 20_000
    settings.logKeptBytes = 5000
    try newWorld(old + new, knowing: (old + new).map { ($0, old) }, settings: settings)
    // As connections do.
    cluster.network.keepsOrder = true
    try start(Servers(.several(old)))
    try expectLeader()
    let holders = LockHolders(cluster, locks: Self.locks, rivals: old.count * Self.freed, seed: random.next())
    try live(holders, "all locks are taken", within: .seconds(10)) { holders.allHold }
    holders.letRivalsCome()
    try live(holders, "the others wait", within: .seconds(10)) { holders.allWait }
    for (round, newcomer) in new.enumerated() {
      let left = try names(of: Servers(.several(old))).filter { cluster.isRunning($0) }
      let leader = world.leaders.last
      let victim = Servers(left.first { $0 == leader } ?? left[Int(random.below(UInt64(left.count)))])
      for lock in round * Self.freed..<(round + 1) * Self.freed {
        if lock % 3 == 2 { holders.giveBack(lock) } else { holders.freeze(holderOf: lock) }
      }
      try takeAway(victim, for: newcomer, holders)
      try live(holders, for: random.nanoseconds(in: .milliseconds(1000) ... .milliseconds(8000)))
    }
    try live(holders, "all locks are held again", within: .seconds(30)) { holders.isAtRest }
    try live(holders, for: .seconds(5))
    for newcomer in new where status(newcomer)?.snapshotIndex == 0 { throw failure("that \(newcomer) has a snapshot", seen: "none") }
    try expectEnd(holders, machines: new.count)
  }

  private func expectEnd(_ holders: LockHolders, machines: Int) throws(ScenarioFailure) {
    note(
      "\(holders.keptAlive) times a lease was kept alive, \(holders.writes) writes under locks, \(holders.refused) refused; "
        + "\(holders.handedOn) locks handed on, within \(holders.longestHandOn.inMilliseconds) at most; at most \(holders.mostFailures) "
        + "requests of one client failed, and it went to another node \(holders.mostMoves) times")
    guard holders.handedOn == machines * Self.freed, holders.refused > 0 else {
      throw failure("that all that came free is handed on, and who wakes is refused", seen: "\(holders.handedOn), \(holders.refused)")
    }
    let most = Self.failuresForOne * machines
    guard holders.mostFailures <= most, holders.mostMoves <= most else {
      throw failure("at most \(most) failures and moves of one client", seen: "\(holders.mostFailures), \(holders.mostMoves)")
    }
    try write("storm", "over", on: .leader)
    for name in cluster.names where cluster.isRunning(name) {
      let view = try expectState(on: Servers(name), within: .milliseconds(5000))
      if let text = holders.difference(in: view) { throw failure("that nothing acknowledged is lost", seen: "\(text), as \(name) has it") }
    }
  }

  /// Within the notice the newcomer has its place, and the old one has handed over, and stopped: whoever waits for an answer from it gets
  /// one.
  private func takeAway(_ server: Servers, for newcomer: Servers, _ holders: LockHolders) throws(ScenarioFailure) {
    let (old, new) = (try name(of: server), try name(of: newcomer))
    note("\(old) is to be gone in \(Self.notice.inMilliseconds), \(new) comes")
    let begun = cluster.now
    try live(holders, for: random.nanoseconds(in: .zero ... .milliseconds(4000)))
    holders.avoid(old)
    if cluster.status(of: old)?.role == .leader {
      try carryOut("hand over", holders) { .transfer(to: nil) }
    }
    cluster.setJoin(cluster.names.filter { cluster.isRunning($0) }, of: new)
    try startProcess(new)
    try live(holders, "\(new) has found the cluster", within: .seconds(5)) { cluster.status(of: new)?.cluster != nil }
    guard let member = cluster.member(new), let id = cluster.identity(of: old) else {
      throw failure("that \(old) and \(new) have identities", seen: world.picture)
    }
    try carryOut("put \(new) in the place of \(old)", holders) { .replace(id, by: member) }
    try live(holders, "\(new) votes", within: .seconds(10)) { votes(newcomer) && !votes(server) }
    try live(holders, for: random.nanoseconds(in: .zero ... .milliseconds(3000)))
    try stop(server)
    try writeOff(server)
    guard cluster.now - begun <= Self.notice else {
      throw failure("\(old) to be gone in time", seen: "after \((cluster.now - begun).inMilliseconds)")
    }
  }

  /// Asks the leader until it is done.
  private func carryOut(_ what: String, _ holders: LockHolders, _ request: () -> OperatorRequest) throws(ScenarioFailure) {
    let end = cluster.now + .seconds(10)
    while cluster.now < end {
      guard let leader = world.leaders.last else {
        try live(holders, for: .milliseconds(100))
        continue
      }
      let id = cluster.operate(request(), on: leader)
      func outcome() -> (RequestID, RequestError?)? { cluster.operatorOutcomes.last { $0.0 == id } }
      try live(holders, "an operator is answered", within: .seconds(6)) { outcome() != nil }
      guard let error = outcome()?.1 else { return note("it is done: \(what)") }
      note("to \(what): \(error)")
      try live(holders, for: .milliseconds(200))
    }
    throw failure("that it is done to \(what)", seen: world.picture)
  }

  // MARK: Time in which clients live

  private static let turn = Nanoseconds.milliseconds(50)

  private func live(_ holders: LockHolders, for duration: Nanoseconds) throws(ScenarioFailure) {
    let end = cluster.now + duration
    while cluster.now < end { try liveOnce(holders, min(Self.turn, end - cluster.now)) }
  }

  private func live(
    _ holders: LockHolders, _ what: String, within limit: Nanoseconds, until condition: () -> Bool
  ) throws(ScenarioFailure) {
    let end = cluster.now + limit
    while !condition() {
      guard cluster.now < end else { throw failure("that \(what), within \(limit.inMilliseconds)", seen: world.picture) }
      try liveOnce(holders, Self.turn)
    }
    note("so it is: \(what)")
  }

  private func liveOnce(_ holders: LockHolders, _ time: Nanoseconds) throws(ScenarioFailure) {
    if let text = holders.live() { throw failure("that every lock stays with who holds it", seen: text) }
    _ = try pass(time, looking: .everyNotice) { false }
  }
}
