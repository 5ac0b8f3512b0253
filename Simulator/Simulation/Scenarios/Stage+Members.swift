import Raft
import Replica

/// What operators do to the members, and what they expect to be told.
extension Stage {
  /// Asks for it, and again while the answer is to ask again in a moment, and expects it to be done.
  public func expectDone(_ what: String, _ request: OperatorRequest, on server: Servers = .leader) throws(ScenarioFailure) {
    note("ask to \(what)")
    for _ in 0..<100 {
      guard let error = try answer(to: request, on: server) else { return note("it is done: \(what)") }
      guard case .refused(let reason) = error.reason, reason == .notReady || reason == .changeUnderWay else {
        throw failure("that it is done to \(what)", seen: "\(error)")
      }
      _ = try pass(.milliseconds(50)) { false }
    }
    throw failure("that it is done to \(what)", seen: "asked in vain for a hundred times")
  }

  /// Asks for it, and expects this answer.
  public func expectRefused(
    _ what: String, _ request: OperatorRequest, _ expected: OperatorError, on server: Servers = .leader
  ) throws(ScenarioFailure) {
    let error = try answer(to: request, on: server)
    guard error?.reason == .refused(expected) else {
      throw failure("that to \(what) is refused: \(expected)", seen: error.map { "\($0)" } ?? "it was done")
    }
    note("to \(what) is refused: \(expected)")
  }

  /// Asks for it, whatever comes of it.
  public func ask(_ what: String, _ request: OperatorRequest, on server: Servers = .leader) throws(ScenarioFailure) {
    let error = try answer(to: request, on: server)
    note("to \(what): \(error.map { "\($0)" } ?? "done")")
  }

  /// `nil` if it was done.
  private func answer(to request: OperatorRequest, on server: Servers) throws(ScenarioFailure) -> RequestError? {
    let id = cluster.operate(request, on: try name(of: server))
    func outcome() -> (RequestID, RequestError?)? { cluster.operatorOutcomes.last { $0.0 == id } }
    guard try pass(.milliseconds(6000), until: { outcome() != nil }), let outcome = outcome() else {
      throw failure("an answer to an operator", seen: world.picture)
    }
    return outcome.1
  }

  /// The identity of a server that has been started.
  func identity(of server: Servers) throws(ScenarioFailure) -> NodeID {
    guard let id = cluster.identity(of: try name(of: server)) else { throw failure("that \(server) was started", seen: world.picture) }
    return id
  }

  /// Starts a server with an empty disk, which finds the cluster by these members, and has it added; it votes as soon as it has caught up.
  public func join(_ server: Servers, by members: Servers, replacing old: Servers? = nil) throws(ScenarioFailure) {
    let name = try name(of: server)
    note("\(name) joins by \(try label(members))")
    cluster.setJoin(try names(of: members), of: name)
    try startProcess(name)
    try expect("\(name) has found the cluster") { status(server)?.cluster != nil }
    guard let member = cluster.member(name) else { throw failure("that \(name) has an identity", seen: world.picture) }
    if let old {
      try expectDone("put \(name) in the place of \(old)", .replace(try identity(of: old), by: member))
    } else {
      try expectDone("add \(name)", .add(Learner(member, .whenCaughtUp)))
    }
  }

  /// Whether a server votes, as the leader sees it.
  public func votes(_ server: Servers) -> Bool {
    guard let id = try? identity(of: server) else { return false }
    return status(.leader)?.configuration?.isVoter(id) == true
  }

  /// Stops a process in good order: a leader hands over first.
  public func stop(_ server: Servers) throws(ScenarioFailure) {
    let name = try name(of: server)
    note("stop \(name)")
    if cluster.status(of: name)?.role == .leader { _ = try answer(to: .transfer(to: nil), on: server) }
    cluster.stop(name)
  }

  /// The machine has another address when it starts again; its operator tells it where these are by now.
  public func move(_ server: Servers, to address: String, knowing others: Servers = []) throws(ScenarioFailure) {
    let name = try name(of: server)
    note("\(name) moves to \(address)" + (others == [] ? "" : ", and is told where \(others) are"))
    cluster.move(name, to: address, knowing: try names(of: others))
  }

  /// The disk answers nothing for so long.
  public func stallDisk(_ server: Servers, for duration: Nanoseconds) throws(ScenarioFailure) {
    note("\(try label(server)): the disk does not answer for \(duration.inMilliseconds)")
    cluster.stallDisk(of: try name(of: server), for: duration)
  }

  /// It left for good: nothing is expected of it at the end.
  func writeOff(_ server: Servers) throws(ScenarioFailure) { world.writtenOff.append(try name(of: server)) }
}
