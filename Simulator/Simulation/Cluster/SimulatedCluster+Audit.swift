import Raft
import Replica
import WriteAheadLog

/// Whether each node's disk could lose power just now, looked at when it has done something: a loss of power at random meets few mistakes
/// that an unhappy moment would show.
extension SimulatedCluster {
  /// Of so many confirmations one is held against what a loss of power would leave.
  private static var confirmationsPerAudit: Int { 512 }

  /// The disk has done something for the node: it broke no rule, nothing that it has removed or renamed waits, and what it has removed
  /// nobody needs.
  func auditDisk(of number: Int) {
    let node = nodes[number]
    let disk = node.disk
    if !disk.misuses.isEmpty {
      for text in disk.misuses { checker.report(.durability, "\(names[number]): \(text)", at: now) }
      disk.misuses = []
    }
    if !disk.imagesOfRemovals.isEmpty { auditRemovals(of: number) }
    // Whoever failed in the middle leaves what waits to the next start.
    if disk.refusals == node.audited.refusals, disk.isPowered {
      for name in disk.unsyncedNames(since: node.audited.operation) {
        checker.report(.durability, "\(names[number]): \(name) was made, renamed or removed, and the directory is not synced", at: now)
      }
    }
    node.audited.refusals = disk.refusals
    node.audited.operation = disk.operationCount
  }

  private func auditRemovals(of number: Int) {
    let node = nodes[number]
    for (removed, image) in node.disk.imagesOfRemovals { audit(image, of: number, "when \(removed) was removed") }
    node.disk.imagesOfRemovals = []
  }

  /// Now and then: what was just confirmed is there after a loss of power.
  func auditConfirmation(of number: Int) {
    let node = nodes[number]
    node.audited.confirmations += 1
    guard node.audited.confirmations % Self.confirmationsPerAudit == 0 else { return }
    audit(node.disk.durableImage(), of: number, "when writes were confirmed")
  }

  /// A start from `image`, what a loss of power would have left, finds all that was confirmed.
  private func audit(_ image: SimulatedDisk, of number: Int, _ moment: String) {
    let node = nodes[number]
    guard !node.disk.isDamaged else { return }
    do throws(StorageError) {
      let storage = try NodeStorage<Machine, SimulatedDisk>(
        opening: image, name: node.peerInfo.name, newborn: NodeID(1), options: logOptions)
      for text in checker.mirror(of: number).missing(in: storage.recovered) {
        checker.report(.durability, "\(names[number]): had the power gone \(moment): \(text)", at: now)
      }
    } catch {
      checker.report(.durability, "\(names[number]): had the power gone \(moment), it would not start: \(error)", at: now)
    }
  }

  /// What makes something of the log superfluous is durable before.
  func auditTurn(of number: Int, _ effects: ReplicaEffects<Machine>) {
    let disk = nodes[number].disk
    guard !disk.isDamaged else { return }
    if let compact = effects.compact, !disk.holdsSnapshot(through: compact) {
      checker.report(.durability, "\(names[number]) lets go of the log up to \(compact), and no durable snapshot holds it", at: now)
    }
    for write in effects.writes {
      if let reset = write.reset, !disk.holdsSnapshot(through: reset.index) {
        checker.report(
          .durability, "\(names[number]) begins its log at \(reset.index), and no durable snapshot holds what was before", at: now)
      }
    }
  }
}
