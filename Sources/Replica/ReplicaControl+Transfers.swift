import ByteCoding
import Raft

extension Snapshots {
  /// A snapshot on its way to a peer: a window of blocks, and what was not confirmed in time goes again.
  struct Transfer: Sendable {
    let peer: NodeID
    /// `nil` while it waits for a snapshot that can be sent.
    var descriptor: SnapshotDescriptor?
    /// Known with the first block that was read.
    var file: SnapshotFingerprint?
    /// The peer has all blocks before this one.
    var confirmed = 0
    /// Bytes of the blocks from there on that were asked for; how many are in a block shows when it is read.
    var underWay: [Int] = []
    /// Bytes of all blocks that were ever confirmed: how fast the peer is.
    var confirmedBytes = 0
    /// Without progress until then the next block goes again, alone.
    var retryAt: Instant = .never
    /// After so many vain tries; each waits twice as long as the one before.
    var retries = 0
    /// Nothing was heard of the peer when the next try was planned: it need not wait once there is.
    var peerIsAway = false

    init(peer: NodeID) { self.peer = peer }

    /// The next block to read.
    var next: Int { confirmed + underWay.count }
    var count: Int? { file.map { max(Int($0.blocks), 1) } }
  }
}

/// To peers that lack more than the log has.
extension ReplicaControl {
  private static var mostRetryDoublings: Int { 4 }

  // MARK: Begin and end

  mutating func beginTransfer(to peer: NodeID, now: Instant, into effects: inout ControlEffects) {
    endTransfers(into: &effects) { $0.peer == peer }
    snapshots.transfers.append(Snapshots.Transfer(peer: peer))
    beginWaitingTransfers(now: now, into: &effects)
  }

  /// Those that have none yet get the newest snapshot, if that will do. Otherwise another is taken (`takeSnapshotIfDue`).
  mutating func beginWaitingTransfers(now: Instant, into effects: inout ControlEffects) {
    guard let newest = snapshots.newest, !snapshots.newestIsBad else { return }
    for index in snapshots.transfers.indices where snapshots.transfers[index].descriptor == nil {
      let needed = raft?.snapshotIndex(neededBy: snapshots.transfers[index].peer) ?? .max
      guard newest.position.index >= needed else { continue }
      snapshots.transfers[index].descriptor = newest
      rewind(index, to: 0, now: now)
      readAhead(at: index, into: &effects)
    }
  }

  private mutating func endTransfers(into effects: inout ControlEffects, where isOver: (Snapshots.Transfer) -> Bool) {
    for transfer in snapshots.transfers where isOver(transfer) && transfer.descriptor != nil {
      effects.snapshots.append(.release(for: transfer.peer))
    }
    snapshots.transfers.removeAll(where: isOver)
  }

  /// The snapshot cannot be read: each of its transfers goes on with another. It waits for that if this was the newest.
  mutating func readFailed(_ descriptor: SnapshotDescriptor, now: Instant, into effects: inout ControlEffects) {
    guard snapshots.transfers.contains(where: { $0.descriptor == descriptor }) else { return }
    if snapshots.newest == descriptor {
      snapshots.newestIsBad = true
      // Should that which takes its place be no better, there is a pause before the next.
      if snapshots.replacesBad { snapshots.nextSave = max(snapshots.nextSave, now + pauseAfterFailedSave) }
      snapshots.replacesBad = true
    }
    for index in snapshots.transfers.indices where snapshots.transfers[index].descriptor == descriptor {
      effects.snapshots.append(.release(for: snapshots.transfers[index].peer))
      var transfer = Snapshots.Transfer(peer: snapshots.transfers[index].peer)
      transfer.confirmedBytes = snapshots.transfers[index].confirmedBytes
      snapshots.transfers[index] = transfer
    }
    beginWaitingTransfers(now: now, into: &effects)
  }

  // MARK: Blocks

  mutating func continueTransfer(
    to peer: NodeID, _ position: LogPosition, next: Int, now: Instant, into effects: inout ControlEffects
  ) {
    guard let index = snapshots.transfers.firstIndex(where: { $0.peer == peer && $0.descriptor?.position == position }) else { return }
    let transfer = snapshots.transfers[index]
    if next > transfer.confirmed, next <= transfer.next {
      let confirmed = transfer.underWay.prefix(next - transfer.confirmed)
      snapshots.transfers[index].underWay.removeFirst(confirmed.count)
      snapshots.transfers[index].confirmedBytes += confirmed.reduce(0, +)
      snapshots.transfers[index].confirmed = next
      snapshots.transfers[index].retries = 0
      snapshots.replacesBad = false
      planRetry(of: index, now: now)
    } else if next != transfer.confirmed {
      // The peer has less than it had, since it was restarted, or more than we know of: it goes on from what it has.
      snapshots.transfers[index].retries = 0
      rewind(index, to: min(next, transfer.count ?? next), now: now)
    }
    readAhead(at: index, into: &effects)
  }

  private mutating func rewind(_ index: Int, to number: Int, now: Instant) {
    snapshots.transfers[index].confirmed = number
    snapshots.transfers[index].underWay.removeAll()
    planRetry(of: index, now: now)
  }

  private mutating func planRetry(of index: Int, now: Instant) {
    let doublings = min(snapshots.transfers[index].retries, Self.mostRetryDoublings)
    snapshots.transfers[index].retryAt = now + settings.raft.electionTimeout * (1 << Int64(doublings))
    snapshots.transfers[index].peerIsAway = !isHeardOf(snapshots.transfers[index].peer, now: now)
  }

  private func isHeardOf(_ peer: NodeID, now: Instant) -> Bool {
    raft?.followers.contains { $0.id == peer && now - $0.lastContact < settings.raft.electionTimeout } ?? false
  }

  /// As many blocks as fit in the window; one, while it is not known how many there are, or whether any gets through.
  private mutating func readAhead(at index: Int, into effects: inout ControlEffects) {
    let transfer = snapshots.transfers[index]
    guard let descriptor = transfer.descriptor else { return }
    let window = transfer.count == nil || transfer.retries > 0 ? 1 : settings.snapshotWindowBytes
    var bytes = transfer.underWay.reduce(0, +)
    while snapshots.transfers[index].next < transfer.count ?? 1, snapshots.transfers[index].underWay.count < settings.maximumBlocksUnderWay,
      bytes < window || snapshots.transfers[index].underWay.isEmpty
    {
      effects.snapshots.append(.read(descriptor, number: snapshots.transfers[index].next, for: transfer.peer))
      snapshots.transfers[index].underWay.append(SnapshotBlockSize.preferred)
      bytes += SnapshotBlockSize.preferred
    }
  }

  @usableFromInline
  mutating func sendBlock(
    _ descriptor: SnapshotDescriptor, number: Int, block: Bytes, file: SnapshotFingerprint, to peer: NodeID, now: Instant,
    into effects: inout ControlEffects
  ) {
    guard let index = snapshots.transfers.firstIndex(where: { $0.peer == peer && $0.descriptor == descriptor }) else { return }
    snapshots.transfers[index].file = file
    let transfer = snapshots.transfers[index]
    if number >= transfer.confirmed, number < transfer.next {
      snapshots.transfers[index].underWay[number - transfer.confirmed] = max(block.count, 1)
    }
    raft?.step(
      .sendSnapshotBlock(
        to: peer, descriptor, number: number, block: block, last: number == (transfer.count ?? 1) - 1, file: file),
      now: now, into: &consensus)
    readAhead(at: index, into: &effects)
  }

  mutating func resumeTransfers(now: Instant, into effects: inout ControlEffects) {
    guard !snapshots.transfers.isEmpty else { return }
    let raft = raft
    endTransfers(into: &effects) { !(raft?.isSendingSnapshot(to: $0.peer) ?? false) }
    for index in snapshots.transfers.indices {
      if snapshots.transfers[index].peerIsAway, isHeardOf(snapshots.transfers[index].peer, now: now) {
        snapshots.transfers[index].retries = 0
        snapshots.transfers[index].retryAt = now
      }
      guard snapshots.transfers[index].retryAt <= now else { continue }
      let transfer = snapshots.transfers[index]
      snapshots.transfers[index].retries += 1
      // Past the last block there is nothing to ask for but the answer: the last block, once more, brings it.
      rewind(index, to: min(transfer.confirmed, (transfer.count ?? .max) - 1), now: now)
      readAhead(at: index, into: &effects)
    }
  }
}
