import ByteCoding
import Raft

/// What a node does with snapshots: takes its own, sends them to peers that are far behind, receives one when it is far behind itself.
struct Snapshots: Sendable {
  /// A snapshot on its way to a peer: a window of blocks, and what was not confirmed in time goes again.
  struct Transfer: Sendable {
    let peer: NodeID
    let descriptor: SnapshotDescriptor
    /// The peer has all blocks before this one.
    var confirmed = 0
    /// The next block to read.
    var next = 0
    /// How many blocks there are, once one was read.
    var count: Int?
    var retryAt: Instant
  }

  /// A snapshot that comes in.
  struct Incoming: Sendable {
    let descriptor: SnapshotDescriptor
    /// The next block to hand to the disk.
    var next = 0
    /// The disk has all blocks before this one.
    var stored = 0
    var isWhole = false
  }

  /// Blocks under way to one peer.
  static let window = 4

  /// The newest durable one.
  var newest: SnapshotDescriptor?
  /// Under construction.
  var saving: SnapshotDescriptor?
  /// Bytes of entries applied since the newest was begun.
  var bytesApplied = 0
  var transfers: [Transfer] = []
  var incoming: Incoming?

  init(newest: SnapshotDescriptor?) { self.newest = newest }

  var deadline: Instant { transfers.lazy.map(\.retryAt).min() ?? .never }
}

extension ReplicaControl {
  // MARK: Our own

  mutating func takeSnapshotIfDue(into effects: inout ControlEffects) {
    guard snapshots.saving == nil, snapshots.bytesApplied >= settings.snapshotAfterBytes else { return }
    guard let descriptor = raft?.descriptor(at: appliedIndex), descriptor.position.index > 0 else { return }
    snapshots.saving = descriptor
    snapshots.bytesApplied = 0
    effects.snapshots.append(.save(descriptor))
  }

  @usableFromInline
  mutating func snapshotSaved(_ descriptor: SnapshotDescriptor, now: Instant, into effects: inout ControlEffects) {
    if snapshots.saving == descriptor { snapshots.saving = nil }
    guard descriptor.position.index > snapshots.newest?.position.index ?? 0 else { return }
    snapshots.newest = descriptor
    effects.notices.append(.snapshotTaken(descriptor.position.index))
    compact(now: now, into: &effects)
  }

  /// Only what a durable snapshot covers is cut, and not what a peer will need after the snapshot that is on its way to it.
  private mutating func compact(now: Instant, into effects: inout ControlEffects) {
    guard let newest = snapshots.newest, let start = raft?.logStart.index, let bytes = raft?.logBytes else { return }
    var index = raft?.compactionIndex(through: newest.position.index, keeping: settings.logKeptBytes) ?? start
    if bytes < 4 * settings.snapshotAfterBytes {
      for transfer in snapshots.transfers { index = min(index, transfer.descriptor.position.index) }
    }
    guard index > start else { return }
    raft?.step(.compact(through: index), now: now, into: &consensus)
    effects.cut = index
  }

  @usableFromInline
  mutating func snapshotFailed(_ descriptor: SnapshotDescriptor, _ text: String, now: Instant, into effects: inout ControlEffects) {
    effects.notices.append(.snapshotFailed(descriptor.position.index, text))
    if snapshots.saving == descriptor {
      snapshots.saving = nil
      // Ask again after as much again: a disk that is full now may not be then.
      snapshots.bytesApplied = settings.snapshotAfterBytes / 2
    }
    if snapshots.incoming?.descriptor == descriptor { snapshots.incoming = nil }
    for transfer in snapshots.transfers where transfer.descriptor == descriptor {
      raft?.step(.snapshotAbandoned(transfer.peer), now: now, into: &consensus)
    }
    snapshots.transfers.removeAll { $0.descriptor == descriptor }
  }

  // MARK: To a peer

  mutating func beginTransfer(to peer: NodeID, now: Instant, into effects: inout ControlEffects) {
    snapshots.transfers.removeAll { $0.peer == peer }
    guard let newest = snapshots.newest else { return }
    snapshots.transfers.append(
      Snapshots.Transfer(peer: peer, descriptor: newest, retryAt: now + settings.raft.electionTimeout))
    readAhead(at: snapshots.transfers.count - 1, into: &effects)
  }

  mutating func continueTransfer(
    to peer: NodeID, _ position: LogPosition, next: Int, now: Instant, into effects: inout ControlEffects
  ) {
    guard let index = snapshots.transfers.firstIndex(where: { $0.peer == peer && $0.descriptor.position == position }) else { return }
    // The peer may also have less than it had: then it was restarted, and begins again from what it has.
    if next < snapshots.transfers[index].confirmed { snapshots.transfers[index].next = next }
    if next != snapshots.transfers[index].confirmed { snapshots.transfers[index].retryAt = now + settings.raft.electionTimeout }
    snapshots.transfers[index].confirmed = next
    snapshots.transfers[index].next = max(next, snapshots.transfers[index].next)
    readAhead(at: index, into: &effects)
  }

  private mutating func readAhead(at index: Int, into effects: inout ControlEffects) {
    let transfer = snapshots.transfers[index]
    // How many there are shows with the first.
    let end = min(transfer.confirmed + Snapshots.window, transfer.count ?? transfer.confirmed + 1)
    guard transfer.next < end else { return }
    for number in transfer.next..<end {
      effects.snapshots.append(.read(transfer.descriptor, number: number, for: transfer.peer))
    }
    snapshots.transfers[index].next = end
  }

  @usableFromInline
  mutating func sendBlock(
    _ descriptor: SnapshotDescriptor, number: Int, block: Bytes, count: Int, to peer: NodeID, now: Instant,
    into effects: inout ControlEffects
  ) {
    guard let index = snapshots.transfers.firstIndex(where: { $0.peer == peer && $0.descriptor == descriptor }) else { return }
    snapshots.transfers[index].count = count
    raft?.step(
      .sendSnapshotBlock(to: peer, descriptor, number: number, block: block, last: number == count - 1), now: now, into: &consensus)
    readAhead(at: index, into: &effects)
  }

  mutating func resumeTransfers(now: Instant, into effects: inout ControlEffects) {
    snapshots.transfers.removeAll { transfer in !(raft?.isSendingSnapshot(to: transfer.peer) ?? false) }
    for index in snapshots.transfers.indices where snapshots.transfers[index].retryAt <= now {
      snapshots.transfers[index].retryAt = now + settings.raft.electionTimeout
      // Past the last block there is nothing to ask for but the answer: the last block, once more, brings it.
      let count = snapshots.transfers[index].count ?? .max
      snapshots.transfers[index].confirmed = min(snapshots.transfers[index].confirmed, count - 1)
      snapshots.transfers[index].next = snapshots.transfers[index].confirmed
      readAhead(at: index, into: &effects)
    }
  }

  // MARK: From the leader

  mutating func receiveBlock(_ block: IncomingBlock, into effects: inout ControlEffects) {
    if snapshots.incoming?.descriptor != block.descriptor {
      guard block.number == 0 else { return sendProgress(block.descriptor, next: 0) }
      snapshots.incoming = Snapshots.Incoming(descriptor: block.descriptor)
    }
    guard let incoming = snapshots.incoming, block.number == incoming.next, !incoming.isWhole else {
      return sendProgress(block.descriptor, next: snapshots.incoming?.stored ?? 0)
    }
    snapshots.incoming?.next += 1
    snapshots.incoming?.isWhole = block.last
    effects.snapshots.append(.store(block.descriptor, number: block.number, block: block.block, last: block.last))
  }

  @usableFromInline
  mutating func blockStored(
    _ descriptor: SnapshotDescriptor, number: Int, last: Bool, into effects: inout ControlEffects
  ) {
    guard snapshots.incoming?.descriptor == descriptor else { return }
    snapshots.incoming?.stored = number + 1
    sendProgress(descriptor, next: number + 1)
    if last { effects.snapshots.append(.restore(descriptor)) }
  }

  private mutating func sendProgress(_ descriptor: SnapshotDescriptor, next: Int) {
    // The time matters to elections only, which progress does not touch.
    raft?.step(.sendSnapshotProgress(descriptor.position, next: next), now: .zero, into: &consensus)
  }

  /// Whether the state is this snapshot's from here on.
  @usableFromInline
  mutating func install(_ descriptor: SnapshotDescriptor, now: Instant, into effects: inout ControlEffects) -> Bool {
    if snapshots.incoming?.descriptor == descriptor { snapshots.incoming = nil }
    let index = descriptor.position.index
    guard let before = raft?.commitIndex, before < index else { return false }
    raft?.step(.snapshotInstalled(descriptor), now: now, into: &consensus)
    // A leader does without: its log has all that the snapshot holds.
    guard raft?.commitIndex == index else { return false }
    appliedIndex = index
    snapshots.newest = descriptor
    snapshots.bytesApplied = 0
    effects.cut = index
    loseSight(upTo: descriptor.position.term, into: &effects)
    effects.notices.append(.snapshotInstalled(index))
    return true
  }

  /// Commands that the snapshot may hold, or not: their entries were never seen here.
  private mutating func loseSight(upTo term: Term, into effects: inout ControlEffects) {
    for item in inFlight.takeOvertaken(by: term + 1) where pending.take(item.id) != nil {
      effects.answers.append(.failed(item.id, RequestError(.superseded, outcome: .unknown)))
    }
  }
}
