import ByteCoding
import Raft
import Replica
import WriteAheadLog

/// One machine: a disk that stays, and a process on it that comes and goes.
final class SimulatedNode<Machine: StateMachine> {
  let contact: Contact
  let disk: SimulatedDisk
  /// Grows with each start: what was planned for an earlier process does not happen.
  private(set) var generation = 0
  private(set) var process: Process?
  /// What happens to a process that is frozen, once it wakes.
  var isPaused = false

  /// What a start makes anew, from what is on the disk.
  struct Process {
    var replica: Replica<Machine>
    var log: LogFiles<SimulatedDisk>
    var snapshots: SnapshotFiles<Machine, SimulatedDisk>
    var effects = ReplicaEffects<Machine>()
    /// What waits for the log's thread.
    var identity: IdentityRecord?
    var writes: [LogWrite] = []
    var cut: LogIndex?
    var logIsBusy = false
    var snapshotWork: [SnapshotWork<Machine>] = []
    var snapshotsAreBusy = false
    /// The moment for which a tick is planned.
    var plannedTick: Instant = .never
  }

  init(contact: Contact, disk: SimulatedDisk) {
    self.contact = contact
    self.disk = disk
  }

  /// Starts the real node on the real recovery code.
  func start(newborn: NodeID, settings: ReplicaSettings, seed: UInt64, now: Instant) throws {
    let storage = try NodeStorage<Machine, SimulatedDisk>(opening: disk, name: contact.name, newborn: newborn)
    let replica = try Replica(
      identity: storage.identity, contact: contact, recovered: storage.recovered, snapshot: storage.snapshot, machine: storage.machine,
      settings: settings, seed: seed, now: now)
    generation += 1
    process = Process(replica: replica, log: storage.log, snapshots: storage.snapshots)
  }

  func stop() {
    process = nil
    isPaused = false
    generation += 1
  }

  /// Runs `body` on the process, if there is one, in place.
  func withProcess<Result>(_ body: (inout Process) throws -> Result) rethrows -> Result? {
    guard process != nil else { return nil }
    return try body(&process!)
  }
}
