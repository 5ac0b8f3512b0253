import ByteCoding
import Raft

extension Snapshots {
  /// A snapshot that comes in.
  struct Incoming: Sendable {
    let descriptor: SnapshotDescriptor
    let from: NodeID
    let file: SnapshotFingerprint
    /// The disk has all blocks before this one.
    var stored = 0
    /// Bytes of each block that the disk was handed and has not stored.
    var waiting: [Int] = []
    var isWhole = false

    /// The next block to hand to the disk.
    var next: Int { stored + waiting.count }
    var bytesWaiting: Int { waiting.reduce(0, +) }

    /// Blocks of one file go together, from any sender. A sender that does not name its file is the only one that may go on.
    func goesOn(with block: IncomingBlock) -> Bool {
      descriptor == block.descriptor && file == block.file && (file != .unknown || from == block.from)
    }
  }

  /// One that this node could not take up: damaged on the way to its disk, no room, or of a newer release. Its leader will send it again,
  /// and is left waiting for a while, each time longer.
  struct Refusal: Sendable {
    let position: LogPosition
    var until: Instant
    var times = 1
  }
}

/// From the leader.
extension ReplicaControl {
  private static var mostRefusalDoublings: Int { 6 }

  mutating func receiveBlock(_ block: IncomingBlock, now: Instant, into effects: inout ControlEffects) {
    if let refusal = snapshots.refusal, refusal.position == block.descriptor.position, now < refusal.until { return }
    // Two files cannot be restored at once, and the first one is whole.
    if let incoming = snapshots.incoming, incoming.isWhole, !incoming.goesOn(with: block) { return }
    if snapshots.incoming?.goesOn(with: block) != true {
      guard block.number == 0 else { return sendProgress(block.descriptor, next: 0) }
      snapshots.incoming = Snapshots.Incoming(descriptor: block.descriptor, from: block.from, file: block.file)
    }
    guard let incoming = snapshots.incoming, block.number == incoming.next, !incoming.isWhole else {
      return sendProgress(block.descriptor, next: snapshots.incoming?.stored ?? 0)
    }
    guard incoming.waiting.isEmpty || incoming.bytesWaiting + block.block.count <= settings.maximumBlockBytesWaiting else { return }
    snapshots.incoming?.waiting.append(block.block.count)
    snapshots.incoming?.isWhole = block.last
    effects.snapshots.append(.store(block.descriptor, number: block.number, block: block.block, last: block.last))
  }

  @usableFromInline
  mutating func blockStored(
    _ descriptor: SnapshotDescriptor, number: Int, last: Bool, into effects: inout ControlEffects
  ) {
    guard let incoming = snapshots.incoming, incoming.descriptor == descriptor, number == incoming.stored, number < incoming.next
    else { return }
    snapshots.incoming?.stored = number + 1
    snapshots.incoming?.waiting.removeFirst()
    sendProgress(descriptor, next: number + 1)
    if last { effects.snapshots.append(.restore(descriptor)) }
  }

  private mutating func sendProgress(_ descriptor: SnapshotDescriptor, next: Int) {
    // The time matters to elections only, which progress does not touch.
    raft?.step(.sendSnapshotProgress(descriptor.position, next: next), now: .zero, into: &consensus)
  }

  /// It comes again from the start, later.
  mutating func refuse(_ descriptor: SnapshotDescriptor, now: Instant) {
    snapshots.incoming = nil
    var refusal = Snapshots.Refusal(position: descriptor.position, until: now)
    if let last = snapshots.refusal, last.position == descriptor.position { refusal.times = last.times + 1 }
    let doublings = min(refusal.times - 1, Self.mostRefusalDoublings)
    refusal.until = now + settings.raft.electionTimeout * (1 << Int64(doublings))
    snapshots.refusal = refusal
  }

  /// Whether the state is this snapshot's from here on.
  @usableFromInline
  mutating func install(_ descriptor: SnapshotDescriptor, bytes: Int, now: Instant, into effects: inout ControlEffects) -> Bool {
    if snapshots.incoming?.descriptor == descriptor { snapshots.incoming = nil }
    let index = descriptor.position.index
    guard let before = raft?.commitIndex, before < index else { return false }
    raft?.step(.snapshotInstalled(descriptor), now: now, into: &consensus)
    // A leader does without: its log has all that the snapshot holds.
    guard raft?.commitIndex == index else { return false }
    appliedIndex = index
    appliedTerm = descriptor.position.term
    snapshots.newest = descriptor
    snapshots.newestBytes = bytes
    snapshots.newestIsBad = false
    snapshots.bytesApplied = 0
    snapshots.refusal = nil
    effects.snapshots.append(.removeOlder(than: descriptor))
    effects.compact = index
    loseSight(upTo: descriptor.position.term, into: &effects)
    effects.diagnostics.append(.snapshotInstalled(index))
    return true
  }

  /// Commands that the snapshot may hold, or not: their entries were never seen here.
  private mutating func loseSight(upTo term: Term, into effects: inout ControlEffects) {
    for item in inFlight.takeOvertaken(by: term + 1) where pending.take(item.id) != nil {
      effects.answers.append(.failed(item.id, RequestError(.superseded, outcome: .unknown)))
    }
  }
}
