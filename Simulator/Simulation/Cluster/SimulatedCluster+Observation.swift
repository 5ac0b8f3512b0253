import Raft
import Replica
import WriteAheadLog

/// What the checker of bounds is told after each turn, and what of the code's own branches happened: all of it seen from outside.
extension SimulatedCluster {
  func checkBounds(of number: Int, _ process: SimulatedProcess<Machine>, _ state: ConsensusState) {
    let sizes = process.replica.sizes(now: nodes[number].clock.local(now))
    var turn = BoundsChecker.Turn()
    turn.events = process.eventsInTurn
    process.eventsInTurn = 0
    turn.frames = process.effects.frames.count
    for diagnostic in process.effects.diagnostics {
      switch diagnostic {
      case .snapshotInstalled: (turn.installedSnapshot, turn.savedSnapshot) = (true, true)
      case .snapshotTaken: turn.savedSnapshot = true
      case .snapshotFailed: turn.failedSnapshot = true
      default: break
      }
    }
    if let last = process.last, state.appliedIndex > last.appliedIndex + 1, !turn.installedSnapshot {
      turn.entriesApplied = Int(state.appliedIndex - last.appliedIndex)
      turn.bytesApplied = checker.bytes(of: number, from: last.appliedIndex + 1, through: state.appliedIndex)
    }
    observe(sizes, process, state)
    process.last = state
    bounds.check(
      number, sizes, state, turn, settings, segmentSize: logOptions.segmentSize, now: now,
      bytesInMemory: { process.replica.bytesInMemory(after: $0) })
  }

  // MARK: What happened

  /// Before the checker looks at the turn: its mirror shows the log as it was.
  func observe(_ number: Int, _ process: SimulatedProcess<Machine>, _ state: ConsensusState) {
    coverage.reach(.entriesLeftUnapplied, if: state.appliedIndex < state.commitIndex)
    coverage.reach(.readFromDisk, if: !process.effects.logReads.isEmpty)
    for write in process.effects.writes {
      coverage.reach(.logBegunAnew, if: write.reset != nil)
      guard let first = write.entries.first else { continue }
      coverage.reach(.suffixReplaced, if: write.reset == nil && first.index <= process.last?.lastIndex ?? 0)
      // As a rule a batch takes megabytes.
      if logOptions.batchSize < 1 << 20, write.entries.count > 1 {
        coverage.reach(.batchSplit, if: write.entries.reduce(0) { $0 + $1.record.count } > logOptions.batchSize)
      }
    }
    for diagnostic in process.effects.diagnostics { observe(diagnostic, process) }
    guard process.last?.role == .leader, state.role != .leader else { return }
    coverage.reach(.handedOverByItself, if: process.replica.raft?.isDiskStalled(now: nodes[number].clock.local(now)) == true)
  }

  private func observe(_ diagnostic: Diagnostic, _ process: SimulatedProcess<Machine>) {
    switch diagnostic {
    case .becameLeader:
      coverage.reach(.ledAgain, if: process.hasLed)
      process.hasLed = true
    case .lostLeadership(_, let why): coverage.reach(why.hasPrefix("no majority") ? .lostWithoutMajority : .lostToNewerTerm)
    case .slowsDown: coverage.reach(.slowedDown)
    case .fullSpeed: coverage.reach(.fullSpeedAgain)
    case .logUnreadable: coverage.reach(.logUnreadable)
    case .snapshotFailed: coverage.reach(.snapshotFailed)
    default: break
    }
  }

  private func observe(_ sizes: ReplicaSizes, _ process: SimulatedProcess<Machine>, _ state: ConsensusState) {
    coverage.reach(.commandsForgotten, if: sizes.timesForgotten > process.timesForgotten)
    process.timesForgotten = sizes.timesForgotten
    coverage.reach(.withheldFull, if: sizes.withheldMessages >= settings.maximumWithheldMessages)
    coverage.reach(.blocksFull, if: sizes.blockBytesWaiting >= settings.maximumBlockBytesWaiting)
    coverage.reach(.snapshotRefused, if: sizes.hasRefusal)
    coverage.reach(.newestSnapshotBad, if: sizes.newestIsBad)
    coverage.reach(.memoryForgot, if: sizes.raft.hasForgotten)
    guard state.role == .leader else { return }
    coverage.reach(.uncommittedFull, if: sizes.queued > 0)
    coverage.reach(.readsFull, if: sizes.raft.reads >= settings.raft.maximumReads)
    coverage.reach(.probeRepeated, if: sizes.raft.repeatedProbes > 0)
    coverage.reach(.transferRepeated, if: sizes.repeatedTransfers > 0)
    coverage.reach(.transferWaited, if: sizes.transfersWithoutSnapshot > 0)
    let core = settings.raft
    coverage.reach(
      .windowFull, if: sizes.raft.inflightMessages >= core.maximumInflightMessages || sizes.raft.inflightBytes >= core.maximumInflightBytes)
  }

  /// What came of a request of an operator.
  func observe(_ request: OperatorRequest, _ error: RequestError?) {
    guard error == nil else { return coverage.reach(.operatorRequestFailed) }
    coverage.reach(.operatorRequestDone)
    switch request {
    case .transfer(to: nil): coverage.reach(.transferredToBest)
    case .transfer: coverage.reach(.transferredToNamed)
    case .add: coverage.reach(.learnerAdded)
    case .promote: coverage.reach(.promotedOnRequest)
    case .remove: coverage.reach(.memberRemoved)
    case .update: break
    }
  }

  func observe(_ outcome: Outcome) {
    guard case .failed(let error) = outcome else { return }
    switch error.reason {
    case .busy: coverage.reach(.requestRefusedAsBusy)
    case .deadlineExceeded: coverage.reach(.requestExpired)
    case .noLeader: coverage.reach(.requestExpiredWithoutLeader)
    case .superseded: coverage.reach(.requestSuperseded)
    case .tooLarge: coverage.reach(.commandTooLarge)
    case .cancelled, .notFormed, .refused, .stopped, .storage: break
    }
  }

  /// A block that was read for a peer.
  func observe(_ event: ReplicaEvent<Machine>) {
    guard case .snapshotBlock(_, _, _, let file, _) = event, file.blocks > 1 else { return }
    coverage.reach(.snapshotOfSeveralBlocks)
    coverage.reach(.snapshotBeyondWindow, if: Int(clamping: file.bytes) > settings.snapshotWindowBytes)
  }

  // MARK: Starts

  static func segments(of disk: SimulatedDisk) -> [String] { disk.fileNames.filter { $0.hasPrefix("log-") }.sorted() }

  func observeStart(of node: SimulatedNode<Machine>, segmentsBefore before: [String], repairs: [String]) {
    coverage.reach(.startRepaired, if: !repairs.isEmpty)
    let after = Self.segments(of: node.disk)
    guard let first = after.first, let last = after.last else { return }
    coverage.reach(.segmentDropped, if: before.contains { $0 < first })
    coverage.reach(.unfinishedSegmentRemoved, if: before.contains { $0 > last })
  }
}
