import ByteCoding
import Raft

/// What a node does with snapshots: takes its own, sends them to peers that are far behind, receives one when it is far behind itself.
struct Snapshots: Sendable {
  /// The newest durable one.
  var newest: SnapshotDescriptor?
  /// Bytes in its blocks: how large the state was.
  var newestBytes: Int
  /// It could not be read, so it is of no use to peers, nor to the next start: another has to take its place.
  var newestIsBad = false
  /// The newest took the place of one that could not be read, and no peer has got it yet.
  var replacesBad = false
  /// Under construction.
  var saving: SnapshotDescriptor?
  /// After a failure: not before then.
  var nextSave: Instant = .zero
  /// Up to where the log was applied and durable when memory was last looked through for what it may do without.
  var lookedThrough: LogIndex = 0
  /// Bytes of entries applied since the newest was begun.
  var bytesApplied = 0
  var transfers: [Transfer] = []
  var incoming: Incoming?
  var refusal: Refusal?

  init(newest: SnapshotDescriptor?, bytes: Int) {
    self.newest = newest
    newestBytes = bytes
  }

  var deadline: Instant { transfers.lazy.map(\.retryAt).min() ?? .never }
}

/// Our own: when one is taken, and what of the log it makes superfluous.
extension ReplicaControl {
  /// How long to wait after a snapshot that could not be taken: a disk that is full now may not be then.
  var pauseAfterFailedSave: Nanoseconds { 10 * settings.raft.electionTimeout }

  /// Bytes of log after which a snapshot is taken: so many as the state asks for that writing snapshots costs about as much as writing the
  /// log, whatever the state's size.
  var snapshotInterval: Int { max(settings.snapshotAfterBytes, snapshots.newestBytes / 2) }

  /// Log kept before a snapshot, for peers that were away for a moment: to send it must cost less than to send the snapshot.
  private var logKeptBytes: Int { max(settings.logKeptBytes, snapshots.newestBytes / 2) }

  /// Most bytes of log that are kept for reachable peers that lag; a peer that lags further gets a snapshot.
  var catchUpBytes: Int {
    let (bytes, overflow) = snapshotInterval.multipliedReportingOverflow(by: 4)
    return overflow ? .max : bytes
  }

  mutating func takeSnapshotIfDue(now: Instant, into effects: inout ControlEffects) {
    guard snapshots.saving == nil, now >= snapshots.nextSave else { return }
    guard snapshots.bytesApplied >= snapshotInterval || snapshotIsAskedFor else { return }
    guard let descriptor = raft?.descriptor(at: appliedIndex), descriptor.position.index > 0 else { return }
    snapshots.saving = descriptor
    snapshots.bytesApplied = 0
    effects.snapshots.append(.save(descriptor))
  }

  /// The newest is bad, or a peer needs one that reaches further.
  private var snapshotIsAskedFor: Bool {
    snapshots.newestIsBad || snapshots.transfers.contains { $0.descriptor == nil && raft?.isSendingSnapshot(to: $0.peer) == true }
  }

  @usableFromInline
  mutating func snapshotSaved(_ descriptor: SnapshotDescriptor, bytes: Int, now: Instant, into effects: inout ControlEffects) {
    if snapshots.saving == descriptor { snapshots.saving = nil }
    let newest = snapshots.newest?.position.index ?? 0
    guard descriptor.position.index > newest || snapshots.newestIsBad && descriptor.position.index == newest else { return }
    snapshots.newest = descriptor
    snapshots.newestBytes = bytes
    snapshots.newestIsBad = false
    effects.diagnostics.append(.snapshotTaken(descriptor.position.index))
    compact(now: now, into: &effects)
    beginWaitingTransfers(now: now, into: &effects)
  }

  /// Compacts only what a durable snapshot covers, and not what a reachable peer still needs.
  mutating func compact(now: Instant, into effects: inout ControlEffects) {
    guard let newest = snapshots.newest, !snapshots.newestIsBad, let kept = raft?.keptIndex else { return }
    var index = raft?.compactionIndex(through: newest.position.index, keeping: logKeptBytes) ?? kept
    if let needed = indexNeededByPeers(now: now), needed < index {
      index = min(index, max(needed, raft?.compactionIndex(through: .max, keeping: catchUpBytes) ?? kept))
    }
    guard index > kept else { return }
    raft?.step(.compact(through: index), now: now, into: &consensus)
    effects.compact = index
  }

  /// Memory does without what is applied, but for the newest part. At the bound a quarter goes, so that this is seldom.
  mutating func forgetApplied(now: Instant) {
    guard let bytes = raft?.logBytes, bytes > settings.logMemoryBytes else { return }
    // While nothing more can go, since the disk stalls, it is not looked for in every turn.
    let mayGo = min(appliedIndex, raft?.durableIndex ?? 0)
    guard mayGo > snapshots.lookedThrough else { return }
    snapshots.lookedThrough = mayGo
    let index = raft?.compactionIndex(through: .max, keeping: settings.logMemoryBytes * 3 / 4) ?? 0
    raft?.step(.forget(through: min(index, appliedIndex)), now: now, into: &consensus)
  }

  @usableFromInline
  mutating func snapshotFailed(_ descriptor: SnapshotDescriptor, _ text: String, now: Instant, into effects: inout ControlEffects) {
    effects.diagnostics.append(.snapshotFailed(descriptor.position.index, text))
    if snapshots.saving == descriptor {
      snapshots.saving = nil
      snapshots.nextSave = now + pauseAfterFailedSave
      snapshots.bytesApplied = max(snapshots.bytesApplied, snapshotInterval / 2)
    }
    if snapshots.incoming?.descriptor == descriptor { refuse(descriptor, now: now) }
    readFailed(descriptor, now: now, into: &effects)
  }
}
