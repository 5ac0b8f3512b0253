import ByteCoding

@testable import Raft

/// One member as tests see it: the core, a disk that forgets what was not synced, and messages that wait for the disk.
struct TestNode {
  let id: NodeID
  var raft: RaftCore
  /// What survives a loss of power.
  private(set) var disk: DurableState
  private(set) var snapshot: SnapshotDescriptor?
  private(set) var unsynced: [LogWrite] = []
  private(set) var held: [Outbound] = []
  private var syncedSequence: UInt64 = 0
  /// Syncs complete only when `sync` is called.
  var isSlow = false
  private let seed: UInt64

  init(bootstrapping configuration: Configuration, id: NodeID, now: Instant) {
    self.id = id
    seed = id.rawValue &* 7919
    raft = RaftCore(bootstrapping: configuration, id: id, settings: Settings(), seed: seed, now: now)
    disk = DurableState(hardState: HardState(term: 1))
  }

  /// A node that joins a cluster, and has nothing yet.
  init(joining id: NodeID, now: Instant) throws {
    self.id = id
    seed = id.rawValue &* 7919
    disk = DurableState(hardState: HardState(term: 0))
    raft = try RaftCore(restarting: disk, snapshot: nil, joining: true, id: id, settings: Settings(), seed: seed, now: now)
  }

  /// What one turn had to say, apart from what is held back.
  struct Turn {
    var sent: [Message] = []
    var held: [Message] = []
    var writes: [LogWrite] = []
    var effects = Effects()
  }

  mutating func step(_ events: [Event], now: Instant) -> Turn {
    var turn = Turn()
    for event in events { raft.step(event, now: now, into: &turn.effects) }
    raft.endTurn(now: now, into: &turn.effects)
    turn.writes = turn.effects.writes
    unsynced += turn.effects.writes
    let (sent, held) = release(turn.effects.messages)
    (turn.sent, turn.held) = (sent, held.map(\.message))
    self.held += held
    return turn
  }

  /// The oldest write becomes durable. What waited for it leaves before anything that the core says next.
  mutating func sync(now: Instant) -> Turn? {
    guard !unsynced.isEmpty else { return nil }
    let write = unsynced.removeFirst()
    apply(write)
    syncedSequence = write.sequence
    let (released, stillHeld) = release(held)
    held = stillHeld
    var turn = step([.written(through: write.sequence)], now: now)
    turn.sent.insert(contentsOf: released, at: 0)
    return turn
  }

  private func release(_ messages: [Outbound]) -> (sent: [Message], held: [Outbound]) {
    (messages.filter { $0.after <= syncedSequence }.map(\.message), messages.filter { $0.after > syncedSequence })
  }

  private mutating func apply(_ write: LogWrite) {
    disk.hardState = write.hardState ?? disk.hardState
    if let reset = write.reset {
      disk.start = reset
      disk.entries = []
    }
    if let first = write.entries.first {
      precondition(first.index <= disk.start.index + UInt64(disk.entries.count) + 1, "a write leaves a gap in the log")
      disk.entries.removeAll { $0.index >= first.index }
      disk.entries += write.entries
    }
    disk.commit = max(disk.commit, write.commit)
  }

  /// A loss of power, and a start from what is durable.
  mutating func restart(now: Instant) throws {
    (unsynced, held, syncedSequence) = ([], [], 0)
    raft = try RaftCore(restarting: disk, snapshot: snapshot, joining: true, id: id, settings: raft.settings, seed: seed, now: now)
  }

  /// Puts another log and term on the disk, and starts from them.
  mutating func become(_ state: DurableState, now: Instant) throws {
    disk = state
    try restart(now: now)
  }

  /// The owner's snapshot of the state at `index` is durable; what lies before `index` goes.
  mutating func takeSnapshot(at index: LogIndex, now: Instant) -> Turn {
    snapshot = raft.descriptor(at: index)
    cutDisk(to: snapshot)
    return step([.compact(through: index)], now: now)
  }

  mutating func install(_ descriptor: SnapshotDescriptor, now: Instant) -> Turn {
    snapshot = descriptor
    let turn = step([.snapshotInstalled(descriptor)], now: now)
    return turn
  }

  private mutating func cutDisk(to descriptor: SnapshotDescriptor?) {
    guard let position = descriptor?.position else { return }
    disk.entries.removeAll { $0.index <= position.index }
    disk.start = position
  }
}
