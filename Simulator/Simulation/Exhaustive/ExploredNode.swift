import Raft

/// A node of an exploration: the real core, a disk in miniature, and what waits for it.
struct ExploredNode: Sendable {
  private(set) var raft: RaftCore
  /// What survives a loss of power.
  private(set) var disk: DurableState
  /// Writes that were handed out and are not durable, oldest first.
  private(set) var unsynced: [LogWrite] = []
  /// Messages that wait for a write.
  private(set) var withheld: [Outbound] = []
  private var syncedSequence: UInt64 = 0
  /// The node's own clock. It stands still but for `silence` and what waits for a deadline.
  private var now = Instant.zero
  private let hasInstantDisk: Bool

  /// What can happen at one node.
  enum Occurrence: Sendable {
    case message(Message)
    /// Its patience ends.
    case timeOut
    /// So much time goes by that nothing it heard is recent.
    case silence
    /// Its heartbeat is due.
    case heartbeat
    case proposal(UInt8)
    /// The oldest write becomes durable.
    case sync
    /// A loss of power, and a start from what is durable.
    case crash
    /// The same in the middle of the oldest write: its hard state is durable, its entries are not.
    case crashWithinWrite
  }

  /// What came of it.
  struct Outcome {
    var sent: [Message] = []
    var flaws: [Exploration.Flaw] = []
  }

  /// Entries go one by one, so that messages are small; a heartbeat takes no time that matters beside the election timeout.
  private static let settings: Settings = {
    var settings = Settings()
    settings.maximumAppendBytes = 1
    settings.heartbeatInterval = Nanoseconds(1)
    settings.electionTimeout = .seconds(1)
    return settings
  }()

  init(starting disk: DurableState, id: NodeID, hasInstantDisk: Bool) throws {
    self.disk = disk
    self.hasInstantDisk = hasInstantDisk
    raft = try RaftCore(restarting: disk, snapshot: nil, id: id, settings: Self.settings, seed: 1, now: .zero)
  }

  mutating func take(_ occurrence: Occurrence) -> Outcome {
    var outcome = Outcome()
    switch occurrence {
    case .message(let message): turn(.message(message), &outcome)
    case .timeOut:
      silence()
      now = raft.role == .leader ? now : max(now, raft.deadline)
      turn(.tick, &outcome)
    case .silence: silence()
    case .heartbeat:
      now = max(now, raft.deadline)
      turn(.tick, &outcome)
    case .proposal(let value): turn(.propose([[value]]), &outcome)
    case .sync: sync(&outcome)
    case .crash: restart(&outcome)
    case .crashWithinWrite:
      unsynced[0].entries = []
      apply(unsynced[0], &outcome)
      restart(&outcome)
    }
    if hasInstantDisk { while !unsynced.isEmpty { sync(&outcome) } }
    return outcome
  }

  private mutating func silence() { now = now + 2 * Self.settings.electionTimeout }

  private mutating func turn(_ event: Event, _ outcome: inout Outcome) {
    let (state, commit) = (raft.hardState, raft.commitIndex)
    var effects = Effects()
    raft.step(event, now: now, into: &effects)
    raft.endTurn(now: now, into: &effects)
    outcome.add(NodeChecker.flaw(of: raft.hardState, after: state))
    if effects.contradiction != nil { outcome.flag(.stateMachineSafety, "a leader has another entry than the one that is committed here") }
    if raft.commitIndex < commit { outcome.flag(.monotonicity, "the commit index goes back") }
    unsynced += effects.writes
    for outbound in effects.messages { outcome.add(NodeChecker.flaw(ofClaim: outbound.message, log: raft.keptEntries, disk: disk.entries)) }
    withheld += effects.messages
    release(&outcome)
  }

  private mutating func sync(_ outcome: inout Outcome) {
    guard !unsynced.isEmpty else { return }
    let write = unsynced.removeFirst()
    apply(write, &outcome)
    syncedSequence = write.sequence
    release(&outcome)
    turn(.written(through: write.sequence), &outcome)
  }

  private mutating func apply(_ write: LogWrite, _ outcome: inout Outcome) {
    if let state = write.hardState {
      outcome.add(NodeChecker.flaw(of: state, after: disk.hardState))
      disk.hardState = state
    }
    if let first = write.entries.first {
      guard first.index >= 1, first.index <= UInt64(disk.entries.count) + 1 else {
        return outcome.flag(.durability, "a write leaves a gap in the log")
      }
      disk.entries.removeSubrange(Int(first.index - 1)...)
      disk.entries += write.entries
    }
    disk.commit = max(disk.commit, write.commit)
  }

  /// What waits for the disk leaves as soon as its write is durable.
  private mutating func release(_ outcome: inout Outcome) {
    for outbound in withheld where outbound.after <= syncedSequence {
      outcome.add(NodeChecker.flaw(ofClaim: outbound.message, durable: disk.hardState))
      outcome.sent.append(outbound.message)
    }
    withheld.removeAll { $0.after <= syncedSequence }
  }

  private mutating func restart(_ outcome: inout Outcome) {
    (unsynced, withheld, syncedSequence) = ([], [], 0)
    do {
      raft = try RaftCore(restarting: disk, snapshot: nil, id: raft.id, settings: Self.settings, seed: 1, now: now)
    } catch {
      outcome.flag(.recovery, "a start fails: \(error)")
    }
    if raft.hardState != disk.hardState || raft.lastIndex != UInt64(disk.entries.count) {
      outcome.flag(.durability, "a start forgets what is on the disk")
    }
  }

  // MARK: Identity

  func write(into digest: inout DigestWriter) {
    raft.write(into: &digest, now: now)
    digest.write(disk.hardState)
    digest.write(disk.entries)
    digest.write(disk.commit)
    digest.write(unsynced) {
      $1.write($0.hardState != nil)
      $1.write($0.hardState ?? HardState())
      $1.write($0.entries)
      $1.write($0.commit)
    }
    digest.write(unordered: withheld) {
      $0.message.write(into: &$1)
      $1.write($0.after - syncedSequence)
    }
  }
}

extension ExploredNode.Outcome {
  mutating func add(_ flaw: Exploration.Flaw?) { if let flaw { flaws.append(flaw) } }
  mutating func flag(_ checker: Violation.Checker, _ text: String) { flaws.append(Exploration.Flaw(checker: checker, text: text)) }
}
