import Raft
import Replica

/// Machines made of snapshots that go on with the log, beside the one that never restored any.
struct RestoredMachines<Machine: StateMachine> {
  /// The one that goes on now, the entry that it takes next, and the last one that it takes.
  fileprivate var current: (machine: Machine, next: LogIndex, last: LogIndex, who: String)?
  /// Large snapshots so far.
  fileprivate var large = 0
}

/// Checks snapshots: what is restored from one is what was saved, and goes on like it.
extension Oracle {
  /// Snapshots of up to so many bytes are all restored; of the larger ones one in `largeRestoredEvery`, since that takes time.
  private static var smallBytes: Int { 32 << 10 }
  private static var largeRestoredEvery: Int { 8 }
  /// So many entries are applied to a machine that was restored. Then the next snapshot has its turn.
  private static var entriesFollowed: LogIndex { 4 }

  /// A node has saved a snapshot of its state after entry `index`.
  mutating func saved(_ view: Machine.View, _ index: LogIndex, _ who: String, at now: Instant) {
    compare(view, index, who, at: now)
    let blocks = Array(IteratorSequence(view.makeBlocks()))
    guard isToBeRestored(bytes: blocks.reduce(0) { $0 + $1.count }) else { return }
    let machine: Machine
    do {
      machine = try Machine(restoring: blocks)
    } catch {
      return report(.snapshot, "\(who) after entry \(index) cannot be restored: \(error)", at: now)
    }
    if Array(IteratorSequence(machine.view.makeBlocks())) != blocks {
      report(.snapshot, "\(who) after entry \(index): another one made of what it restores to has other bytes", at: now)
    }
    if Load.digest(of: machine.view) != Load.digest(of: view) {
      report(.snapshot, "\(who) after entry \(index) restores to another state than was saved", at: now)
    }
    compareWithModel(machine.view, index, "what was restored from \(who)", at: now)
    if restored.current == nil { restored.current = (machine, index + 1, index + Self.entriesFollowed, who) }
    goOnWithRestored(at: now)
  }

  /// A node goes on from a snapshot, after entry `index`: after a start, or as a leader sent it.
  mutating func installed(_ view: Machine.View, _ index: LogIndex, _ who: String, at now: Instant) {
    compare(view, index, who, at: now)
    compareWithModel(view, index, who, at: now)
  }

  private mutating func isToBeRestored(bytes: Int) -> Bool {
    if bytes <= Self.smallBytes { return true }
    restored.large += 1
    return restored.large % Self.largeRestoredEvery == 1
  }

  /// What a restored machine answers is what the log says, as far as it goes.
  mutating func goOnWithRestored(at now: Instant) {
    guard var current = restored.current.take() else { return }
    while current.next <= min(current.last, lastIndex) {
      if let (command, expected) = states[Int(current.next)].done, let output = current.machine.apply([command]).first, output != expected {
        let (said, right) = (Load.label(of: output), Load.label(of: expected))
        let detail = said == right ? "\(output) instead of \(expected)" : "\(said) instead of \(right)"
        report(.snapshot, "what was restored from \(current.who) answers entry \(current.next): \(detail)", at: now)
        return
      }
      current.next += 1
    }
    if current.next <= current.last {
      restored.current = current
    } else {
      compare(current.machine.view, current.last, "what was restored from \(current.who)", at: now)
    }
  }
}
