import Raft
import Replica

/// Where intruders meet a node: the same look at the sender as in the real transport, then the node itself.
extension SimulatedCluster {
  /// What an intruder says is at the node now.
  func intrude(_ intrusion: Intrusion, on name: String) { queue.plan(.intrusion(intrusion, to: index(name)), at: now) }

  func arrive(_ intrusion: Intrusion, at number: Int) {
    let node = nodes[number]
    guard let process = node.process else { return }
    let bytes = intrusion.frame.encoded()
    record(bytes)
    guard intrusion.proof.admits(bytes) else { return coverage.reach(intrusion.intruder.refusal) }
    let mustBeVain = mustBeVain(intrusion, at: process)
    // A node that does not know that somebody left has to believe it.
    guard mustBeVain || intrusion.intruder == .echo else { return }
    if trace != nil {
      trace?.add(.note(node: number, "\(intrusion.intruder) says: \(FrameDescription(bytes).label)"), at: now)
    }
    let local = node.clock.local(now)
    let before = mustBeVain ? Standing(process, now: local) : nil
    process.replica.step(
      .frame(bytes[...], connection: UInt64(nodes.count) + intrusion.intruder.rawValue), now: local, into: &process.effects)
    process.eventsInTurn += 1
    if let before, before != Standing(process, now: local) {
      let text = "\(names[number]) heeds what the \(intrusion.intruder) says: \(FrameDescription(bytes).label)"
      checker.report(.authenticity, text, at: now)
    }
    coverage.reach(intrusion.intruder.refusal)
    endTurn(of: number)
  }

  /// Whether the node has what it needs to know that it must not heed this, whatever it says.
  private func mustBeVain(_ intrusion: Intrusion, at process: SimulatedProcess<Machine>) -> Bool {
    guard let raft = process.replica.raft else { return false }
    switch intrusion.intruder {
    // The first two should not have come so far.
    case .stranger, .impostor, .foreigner, .stray: return true
    case .former, .echo:
      let sender = intrusion.frame.from
      guard raft.configuration.removed.contains(sender), raft.configurationIndex <= raft.commitIndex else { return false }
      // A leader that removes itself has led until that was committed, and what it said until then may come later.
      guard case .message(let message) = intrusion.frame.body, raft.leader == sender else { return true }
      return message.term != raft.term
    }
  }
}

/// All that a frame could change of a node, short of what it says to whoever sent it.
private struct Standing: Equatable {
  let consensus: Digest
  let electionDeadline: Instant
  let status: ReplicaStatus

  init<Machine>(_ process: SimulatedProcess<Machine>, now: Instant) {
    var writer = DigestWriter(DigestNames(node: { $0.rawValue }, payload: { $0.index ^ UInt64($0.record.count) }))
    process.replica.raft?.write(into: &writer, now: now)
    consensus = writer.digest
    electionDeadline = process.replica.raft?.deadline ?? .never
    status = process.replica.status
  }
}
