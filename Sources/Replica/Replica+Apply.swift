import ByteCoding
import Raft

/// Committed entries: into the state machine, in order, and back to whoever proposed them.
extension Replica {
  /// Most bytes of entries that one turn applies, so that a long log does not keep heartbeats waiting.
  private static var applyBytesPerTurn: Int { 4 << 20 }
  /// Answered commands are dropped from `inFlight` so many at a time, since each time looks at all.
  private static var forgottenAtOnce: Int { 1024 }

  mutating func apply(into effects: inout ReplicaEffects<Machine>) {
    guard let raft, raft.commitIndex > appliedIndex else { return }
    let entries = raft.committedEntries(from: appliedIndex + 1, limit: Self.applyBytesPerTurn)
    var commands: [Command] = []
    var proposals: [Proposal] = []
    for entry in entries where entry.kind == .command {
      // A payload too short to name its proposer is nobody's, and the same nothing on every node.
      guard let proposal = try? Proposal(decoding: entry.payload) else { continue }
      proposals.append(proposal)
      commands.append(Command(index: entry.index, term: entry.term, payload: proposal.command))
    }
    let outputs = commands.isEmpty ? [] : machine.apply(commands)
    precondition(outputs.count == commands.count, "StateMachine.apply must give one output for each command")
    for (proposal, output) in zip(proposals, outputs) where proposal.origin == identity.node {
      if pending.take(proposal.request) != nil { effects.replies.append(.applied(proposal.request, output)) }
    }
    snapshots.bytesApplied += entries.reduce(0) { $0 + $1.record.count }
    appliedIndex = entries.last?.index ?? appliedIndex
    if let term = entries.last?.term { requeue(inFlight.takeOvertaken(by: term)) }
    if inFlight.count > 2 * pending.count + Self.forgottenAtOnce { inFlight.forget { !pending.contains($0) } }
    hasWork = hasWork || raft.commitIndex > appliedIndex
  }
}
