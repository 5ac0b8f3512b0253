import Raft
import Replica
import WriteAheadLog

/// The threads beside a replica: one writes the log, one works on snapshots. Each does one thing at a time, and takes its time.
extension SimulatedCluster {
  /// How long the log's thread waits before it looks for room on a full disk again.
  private static var fullDiskPause: Nanoseconds { .milliseconds(200) }

  // MARK: The log's thread

  /// Everything that waits becomes one write, and one sync that takes its time.
  func beginLog(_ number: Int) {
    let node = nodes[number]
    guard let process = node.process, process.logWork == nil, !process.waitsForRoom else { return }
    guard process.identity != nil || !process.writes.isEmpty || process.cut != nil || !process.logReads.isEmpty else { return }
    var work = SimulatedProcess<Machine>.LogWork()
    do throws(StorageError) {
      if let record = process.identity {
        guard try makeRoom(process, number, for: { log throws(StorageError) in try log.save(record) }) else { return }
        work.savesIdentity = true
        process.identity = nil
      }
      if let last = process.writes.last {
        guard try makeRoom(process, number, for: { log throws(StorageError) in try log.append(process.writes) }) else { return }
        work.through = last.sequence
        process.writes = []
      }
    } catch {
      return storageFailed(number, error)
    }
    auditDisk(of: number)
    work.cut = process.cut
    process.cut = nil
    work.logReads = process.logReads
    process.logReads = []
    process.logWork = work
    queue.plan(.logDone(node: number, generation: node.generation), at: now + syncTime(of: node))
  }

  /// False if the disk is full: the thread makes what room it may, and tries again later.
  private func makeRoom(
    _ process: SimulatedProcess<Machine>, _ number: Int, for work: (inout LogFiles<SimulatedDisk>) throws(StorageError) -> Void
  ) throws(StorageError) -> Bool {
    do throws(StorageError) {
      try work(&process.log)
      return true
    } catch {
      guard case .full = error else { throw error }
      if let cut = process.cut { try process.log.cut(through: cut) }
      process.cut = nil
      process.waitsForRoom = true
      queue.plan(.logRetry(node: number, generation: nodes[number].generation), at: now + Self.fullDiskPause)
      return false
    }
  }

  func finishLog(_ number: Int) {
    let node = nodes[number]
    guard let process = node.process, let work = process.logWork else { return }
    process.logWork = nil
    do throws(StorageError) {
      if work.through != nil { try process.log.sync() }
      if let cut = work.cut { try process.log.cut(through: cut) }
    } catch {
      return storageFailed(number, error)
    }
    auditDisk(of: number)
    let now = node.clock.local(now)
    if work.savesIdentity { process.replica.step(.identitySaved, now: now, into: &process.effects) }
    if let through = work.through {
      judge.wrote(number, through: through, now: self.now)
      auditConfirmation(of: number)
      process.replica.step(.written(through: through), now: now, into: &process.effects)
    }
    for request in work.logReads {
      process.replica.step(.logRead(request, process.log.read(request)), now: now, into: &process.effects)
    }
    endTurn(of: number)
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
    max(0, node.diskStallsUntil - now) + node.random.nanoseconds(in: node.syncLatency ?? syncLatency)
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
      if longestTurn > 0, case .restore = process.lanes[lane].work[0] { time += node.turnRandom.nanoseconds(in: 0...50 * longestTurn) }
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
