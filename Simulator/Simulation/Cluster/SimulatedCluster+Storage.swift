import Raft
import Replica
import WriteAheadLog

/// The threads beside a replica: one writes the log, one works on snapshots. Each does one thing at a time, and takes its time.
extension SimulatedCluster {
  // MARK: The log's thread

  /// Does what waits, up to the step that takes time.
  func beginLog(_ number: Int) {
    guard let process = nodes[number].process, process.logStep == nil, !process.waitsForRoom else { return }
    while let step = process.logQueue.next() {
      if step.takesTime {
        process.logStep = step
        return queue.plan(.logDone(node: number, generation: nodes[number].generation), at: now + syncTime(of: nodes[number]))
      }
      guard carryOut(step, number, process) else { return }
    }
  }

  func finishLog(_ number: Int) {
    guard let process = nodes[number].process, let step = process.logStep else { return }
    process.logStep = nil
    var goesOn = carryOut(step, number, process)
    // What follows needs no event of its own: it took its time together with this.
    while goesOn, let next = process.logQueue.next(), next.goesTogether(with: step) { goesOn = carryOut(next, number, process) }
    endTurn(of: number)
  }

  /// Whether the thread goes on: not if it waits for room, nor if the log has failed.
  private func carryOut(_ step: LogQueue.Step, _ number: Int, _ process: SimulatedProcess<Machine>) -> Bool {
    do throws(StorageError) {
      let report = try process.log.perform(step)
      process.logQueue.finish(step)
      auditDisk(of: number)
      guard let report else { return true }
      if case .written(let sequence) = report {
        checker.wrote(number, through: sequence, now: now)
        auditConfirmation(of: number)
      }
      process.replica.step(ReplicaEvent(report), now: nodes[number].clock.local(now), into: &process.effects)
      return true
    } catch {
      guard case .full = error else {
        storageFailed(number, error)
        return false
      }
      if process.logQueue.foundNoRoom(for: step) == .goOn { return true }
      process.waitsForRoom = true
      queue.plan(.logRetry(node: number, generation: nodes[number].generation), at: now + LogQueue.pause)
      return false
    }
  }

  /// The node answers what waits, and its process ends.
  private func storageFailed(_ number: Int, _ error: StorageError) {
    let node = nodes[number]
    guard node.disk.isPowered else { return endForLackOfPower(number) }
    guard let process = node.process else { return }
    process.replica.step(.storageFailed(error.description), now: node.clock.local(now), into: &process.effects)
    let replies = process.effects.replies
    end(number, .storageFailure)
    for reply in replies { settle(reply, of: number) }
    onEnd?(names[number], .storageFailure)
  }

  private func syncTime(of node: SimulatedNode<Machine>) -> Nanoseconds {
    max(.zero, node.diskStallsUntil - now) + node.random.nanoseconds(in: node.syncLatency ?? syncLatency)
  }

  func retryLog(_ number: Int) {
    nodes[number].process?.waitsForRoom = false
    beginLog(number)
  }

  // MARK: The snapshots' threads

  func beginSnapshotWork(_ number: Int) {
    let node = nodes[number]
    guard let process = node.process else { return }
    for lane in process.lanes.indices where !process.lanes[lane].isBusy && !process.lanes[lane].work.isEmpty {
      process.lanes[lane].isBusy = true
      var time = syncTime(of: node)
      // To take up a large state takes long, and much may happen meanwhile.
      if longestTurn > .zero, case .restore = process.lanes[lane].work[0] {
        time += node.turnRandom.nanoseconds(in: .zero...50 * longestTurn)
      }
      queue.plan(.snapshotDone(node: number, lane: lane, generation: node.generation), at: now + time)
    }
  }

  func finishSnapshotWork(_ number: Int, _ lane: Int) {
    let node = nodes[number]
    guard let process = node.process, let cluster = process.replica.status.cluster else { return }
    process.lanes[lane].isBusy = false
    let work = process.lanes[lane].work.removeFirst()
    let event = process.lanes[lane].files.perform(work, cluster: cluster)
    guard node.disk.isPowered else { return endForLackOfPower(number) }
    auditDisk(of: number)
    if case .save(let descriptor, let view) = work, case .snapshotSaved = event {
      onSnapshot?(names[number], .saved, view, descriptor.position.index)
    } else if case .restored(let descriptor, let machine, _) = event {
      onSnapshot?(names[number], .installed, machine.view, descriptor.position.index)
    }
    observe(event)
    step(number, event)
  }
}

extension LogQueue.Step {
  /// What only reaches the page cache does not.
  fileprivate var takesTime: Bool {
    if case .append = self { return false }
    return true
  }

  /// A sync is what a disk takes long for; the rest of the same batch is done in that time.
  fileprivate func goesTogether(with step: LogQueue.Step) -> Bool {
    switch self {
    case .compact, .read: if case .save = step { false } else { true }
    case .save, .append, .sync: false
    }
  }
}
