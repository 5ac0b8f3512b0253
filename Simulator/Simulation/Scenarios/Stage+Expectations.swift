import KeyValue
import Raft
import Replica

/// What has to be so, or to become so in time.
extension Stage {
  /// Waits until `condition` holds. `what` reads on after "expected that".
  public func expect(
    _ what: String, within limit: Nanoseconds = .milliseconds(5000), _ condition: () -> Bool
  ) throws(ScenarioFailure) {
    guard try pass(limit, until: condition) else { throw failure("that \(what), within \(limit.inMilliseconds)", seen: world.picture) }
    note("so it is: \(what)")
  }

  /// Holds at every moment of the next `duration`.
  public func expectThroughout(_ duration: Nanoseconds, _ what: String, _ condition: () -> Bool) throws(ScenarioFailure) {
    try expectThroughout(duration, what, looking: .everyEvent, condition)
  }

  private func expectThroughout(
    _ duration: Nanoseconds, _ what: String, looking moment: Moment, _ condition: () -> Bool
  ) throws(ScenarioFailure) {
    let isBroken = try pass(duration, looking: moment) { !condition() }
    guard !isBroken else { throw failure("that \(what), for \(duration.inMilliseconds)", seen: world.picture) }
    note("for \(duration.inMilliseconds): \(what)")
  }

  // MARK: Leaders

  /// One of these leads by then: it says so, and a majority follows it. Returns it by name.
  @discardableResult
  public func expectLeader(
    _ servers: Servers = .all, within limit: Nanoseconds = .milliseconds(5000)
  ) throws(ScenarioFailure) -> Servers {
    let candidates = try names(of: servers)
    let began = cluster.now
    var leader: String?
    let isThere = try pass(limit, looking: .everyNotice) {
      leader = world.leaders.last { candidates.contains($0) }
      return leader != nil
    }
    guard isThere, let leader else { throw failure("that one of \(servers) leads, within \(limit.inMilliseconds)", seen: world.picture) }
    note("\(leader) leads in term \(cluster.status(of: leader)?.term ?? 0), after \((cluster.now - began).inMilliseconds)")
    return Servers(leader)
  }

  /// None of these as much as calls itself a leader.
  public func expectNoLeader(among servers: Servers, for duration: Nanoseconds) throws(ScenarioFailure) {
    let names = try names(of: servers)
    try expectThroughout(duration, "none of \(servers) leads", looking: .everyNotice) {
      names.allSatisfy { cluster.status(of: $0)?.role != .leader }
    }
  }

  /// The leader stays, in its term: nobody disturbs it.
  public func expectSteadyLeader(for duration: Nanoseconds) throws(ScenarioFailure) {
    let leader = try name(of: .leader)
    let term = cluster.status(of: leader)?.term ?? 0
    try expectThroughout(duration, "\(leader) goes on to lead in term \(term)", looking: .everyNotice) {
      cluster.status(of: leader)?.role == .leader && cluster.status(of: leader)?.term == term
    }
  }

  // MARK: States

  /// All that run, or these, have the same state, and nothing on its way.
  public func expectConverged(
    _ servers: [Servers] = [.all], within limit: Nanoseconds = .milliseconds(10_000)
  ) throws(ScenarioFailure) {
    let names = try names(of: Servers(.several(servers))).filter { cluster.isRunning($0) && !world.writtenOff.contains($0) }
    let groups = names.reduce(into: [[String]]()) { groups, name in
      if let i = groups.firstIndex(where: { world.list(of: $0[0]) == world.list(of: name) }) {
        groups[i].append(name)
      } else {
        groups.append([name])
      }
    }
    let agree = try pass(limit) { groups.allSatisfy(hasConverged) }
    guard agree else { throw failure("that \(names) come to agree", seen: world.picture) }
    note("\(names.joined(separator: ", ")) agree")
  }

  private func hasConverged(_ names: [String]) -> Bool {
    let statuses = names.compactMap { cluster.status(of: $0) }
    guard let first = statuses.first, statuses.count == names.count else { return false }
    guard statuses.allSatisfy({ $0.lastIndex == first.lastIndex && $0.appliedIndex == first.lastIndex }) else { return false }
    let digest = cluster.view(of: names[0])?.digest
    return names.allSatisfy { cluster.view(of: $0)?.digest == digest }
  }

  // MARK: Refusals

  /// The node does not start, and says why. From here on the scenario does without it.
  public func expectStartRefused(_ server: Servers, because text: String) throws(ScenarioFailure) {
    let name = try name(of: server)
    do {
      try cluster.start(name)
    } catch {
      guard "\(error)".contains(text) else { throw failure("that \(name) is refused because of \(text)", seen: "\(error)") }
      note("\(name) does not start: \(error)")
      return world.writtenOff.append(name)
    }
    throw failure("that \(name) does not start: \(text)", seen: "it started")
  }

  /// The node runs, but the others let it take no part, as it says itself. From here on the scenario does without it.
  public func expectTurnedAway(
    _ server: Servers, because text: String, within limit: Nanoseconds = .milliseconds(3000)
  ) throws(ScenarioFailure) {
    let name = try name(of: server)
    let before = cluster.diagnostics.count
    var seen = "nothing"
    let isSaid = try pass(limit) {
      for (_, diagnostic) in cluster.diagnostics[before...].filter({ $0.name == name }) {
        switch diagnostic {
        case .refusedByCluster(let reason), .refusedFrame(let reason): seen = reason
        default: break
        }
      }
      return seen.contains(text)
    }
    guard isSaid else { throw failure("that \(name) is turned away: \(text)", seen: seen) }
    note("\(name) is turned away: \(seen)")
    world.writtenOff.append(name)
  }
}
