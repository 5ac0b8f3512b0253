import Raft
import Replica
import WriteAheadLog

/// What a node's turn comes to: its effects are carried out, and checked.
extension SimulatedCluster {
  /// A node's state is shown each time it has passed so many entries.
  private static var statesShownEvery: LogIndex { 16 }

  func step(_ number: Int, _ event: ReplicaEvent<Machine>) {
    let node = nodes[number]
    guard let process = node.process else { return }
    process.replica.step(event, now: node.clock.local(now), into: &process.effects)
    process.eventsInTurn += 1
    endTurn(of: number)
  }

  func endTurn(of number: Int) {
    let node = nodes[number]
    guard let process = node.process else { return }
    node.turnIsOpen = node.isGathering
    guard !node.turnIsOpen else { return }
    process.replica.endTurn(now: node.clock.local(now), into: &process.effects)
    checkTurn(of: number, process)
    carryOut(process, number)
    // What a client was told may have made it ask again at once, and that may have ended the process.
    guard node.process === process else { return }
    beginLog(number)
    beginSnapshotWork(number)
    planTick(of: number)
  }

  private func checkTurn(of number: Int, _ process: SimulatedProcess<Machine>) {
    guard let state = process.effects.consensus else { return }
    if trace != nil { traceProgress(of: number, process, state) }
    auditTurn(of: number, process.effects)
    observe(number, process, state)
    for entry in checker.check(number, state, writes: process.effects.writes, now: now) { onCommit?(entry) }
    checkBounds(of: number, process, state)
    if let onApply, state.appliedIndex / Self.statesShownEvery != process.shownApplied / Self.statesShownEvery {
      process.shownApplied = state.appliedIndex
      onApply(names[number], process.replica.view, state.appliedIndex)
    }
    onTurn?(number, process.replica.view)
  }

  private func traceProgress(of number: Int, _ process: SimulatedProcess<Machine>, _ state: ConsensusState) {
    if process.traced?.role != state.role || process.traced?.term != state.term {
      let role: Trace.Role =
        switch state.role {
        case .follower: .follower
        case .preCandidate, .candidate: .candidate
        case .leader: .leader
        }
      trace?.add(.role(node: number, role, term: state.term), at: now)
    }
    let durable = checker.mirror(of: number).durableIndex
    trace?.add(
      .progress(node: number, last: state.lastIndex, durable: durable, commit: state.commitIndex, applied: state.appliedIndex), at: now)
    process.traced = state
  }

  private func carryOut(_ process: SimulatedProcess<Machine>, _ number: Int) {
    // Taken out for the time being: to look at a part of it where it lies would copy all of it.
    var effects = ReplicaEffects<Machine>()
    swap(&effects, &process.effects)
    for (destination, lane, frame) in effects.frames { send(frame, from: number, to: destination, lane) }
    for diagnostic in effects.diagnostics {
      diagnostics.append((names[number], diagnostic))
      if case .formed(let cluster) = diagnostic { checker.formed(number, cluster, now: now) }
      if case .contradiction(let text) = diagnostic { checker.report(.stateMachineSafety, "\(names[number]): \(text)", at: now) }
      if trace != nil { trace?.add(.note(node: number, diagnostic.shortText(name: name)), at: now) }
    }
    process.logQueue.add(identity: effects.identity, writes: effects.writes, compact: effects.compact, reads: effects.logReads)
    for work in effects.snapshots { process.lanes[work.isForPeers ? 1 : 0].work.append(work) }
    let replies = effects.replies
    effects.removeAll()
    swap(&effects, &process.effects)
    for reply in replies { settle(reply, of: number) }
  }

  /// Of a node that runs, or one that did.
  private func name(of id: NodeID) -> String? {
    zip(names, nodes).first { $1.process?.replica.status.node == id }?.0
  }

  private func send(_ frame: [UInt8], from source: Int, to destination: Destination, _ lane: Lane) {
    let target: Int? =
      switch destination {
      case .address(let address): nodes.firstIndex { $0.peerInfo.peerAddress == address }
      case .connection(let connection): Int(exactly: connection)
      }
    if let kind = FrameKind(of: frame) {
      framesSent[Int(kind.rawValue)] += 1
      coverage.reach(.forwardedRefused, if: kind == .proposalsRefused)
    }
    // An intruder, who does not listen, or an address where nobody is any more.
    guard let target, nodes.indices.contains(target) else { return }
    checker.said(source, frame, now: now)
    let message = network.counts.sent + 1
    if trace != nil {
      let description = FrameDescription(frame)
      trace?.add(.sent(message: message, from: source, to: target, label: description.label, term: description.term), at: now)
    }
    if showsCertificates { overheard.note(frame) }
    var frame = frame
    switch network.send(&frame, from: source, to: target, lane, now: now) {
    case .arrives(let at, let again):
      plan(frame, message: message, from: source, to: target, at: at)
      if let again { plan(frame, message: message, from: source, to: target, at: again) }
    case .waits: break
    case .lost(let why): trace?.add(.lost(message: message, why: why), at: now)
    }
  }

  /// It arrives over a connection of the node that sends it now, whatever becomes of that node meanwhile.
  func plan(_ frame: [UInt8], message: Int, from source: Int, to target: Int, at: Instant) {
    let proof: PeerProof = showsCertificates ? nodes[source].identity.map { .node($0) } ?? .nobody : .plainText
    queue.plan(.frame(frame, message: message, from: source, to: target, proof), at: at)
  }

  private func planTick(of number: Int) {
    let node = nodes[number]
    guard let process = node.process else { return }
    let deadline = process.effects.deadline
    guard deadline != .never else { return }
    let at = max(node.clock.world(deadline), now + Nanoseconds(1))
    guard at < process.plannedTick else { return }
    process.plannedTick = at
    queue.plan(.tick(node: number, generation: node.generation), at: at)
  }

  /// The clock runs otherwise from now on.
  func replanTick(of number: Int) {
    nodes[number].process?.plannedTick = .never
    planTick(of: number)
  }

  // MARK: Ends

  func end(_ number: Int, _ how: End) {
    let node = nodes[number]
    if node.process != nil {
      trace?.add(.ended(node: number, how: how.rawValue), at: now)
      if how != .powerLoss { hangUp(number) }
    }
    node.end()
    onTurn?(number, nil)
    if how == .powerLoss { node.disk.losePower(using: &node.random) } else { node.disk.crash() }
  }

  /// The others hear that the connections are closed, unless nothing gets through: the system does that for a process that ends, not for a
  /// machine that loses power.
  private func hangUp(_ number: Int) {
    for other in nodes.indices where other != number && nodes[other].process != nil {
      guard let at = network.hangUp(from: number, to: other, now: now) else { continue }
      queue.plan(.disconnected(from: number, to: other), at: at)
    }
  }

  func endForLackOfPower(_ number: Int) {
    let how: End = nodes[number].losesPower ? .powerLoss : .crash
    end(number, how)
    onEnd?(names[number], how)
  }
}
