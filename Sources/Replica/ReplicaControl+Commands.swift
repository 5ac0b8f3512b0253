import ByteCoding
import Raft

/// Committed entries on their way into the state machine, and their outputs on the way back to the clients.
extension ReplicaControl {
  @usableFromInline
  struct CommittedBatch {
    @usableFromInline var commands: [Command] = []
    /// The requests of this node that still wait, with the place of their command.
    @usableFromInline var awaited: [(place: Int, request: RequestID)] = []
    /// Of the last entry.
    var position = LogPosition.zero
    /// Of all entries' records.
    var bytes = 0
  }

  var hasUnappliedEntries: Bool { raft?.commitIndex ?? 0 > appliedIndex }

  /// The next entries for the state machine, whose requests count as answered from here on. Follow with `applied`.
  @usableFromInline
  mutating func nextCommitted() -> CommittedBatch {
    let entries = raft?.committedEntries(from: appliedIndex + 1, limit: settings.applyBytesPerTurn) ?? []
    var batch = CommittedBatch()
    batch.commands.reserveCapacity(entries.count)
    for entry in entries {
      batch.bytes += entry.record.count
      batch.position = entry.position
      // A payload too short to name its proposer is skipped, on every node alike.
      guard entry.kind == .command, let proposal = try? Proposal(decoding: entry.payload) else { continue }
      if proposal.origin == identity.node, proposal.request != Proposal.unasked, pending.take(proposal.request) != nil {
        batch.awaited.append((batch.commands.count, proposal.request))
      }
      batch.commands.append(Command(index: entry.index, term: entry.term, payload: proposal.command))
    }
    return batch
  }

  @usableFromInline
  mutating func applied(_ batch: CommittedBatch) {
    guard batch.position.index > appliedIndex else { return }
    snapshots.bytesApplied += batch.bytes
    appliedIndex = batch.position.index
    appliedTerm = batch.position.term
    requeue(inFlight.takeOvertaken(by: batch.position.term))
    if inFlight.count > 2 * pending.count + settings.forgottenAtOnce {
      inFlight.forget { !pending.contains($0) }
      timesForgotten += 1
    }
    hasWork = hasWork || hasUnappliedEntries
  }
}
