import Raft
import Replica
import WriteAheadLog

/// What a data directory holds, opened and verified: all that a replica needs to begin.
struct Storage<Machine: StateMachine>: Sendable {
  let disk: PosixDisk
  let identity: IdentityRecord
  /// Nil as long as the node belongs to no cluster.
  var log: WriteAheadLog<PosixDisk>?
  var recovered: Recovered?
  var snapshot: SnapshotDescriptor?
  var machine = Machine()
  /// What was found wrong and put right.
  var repairs: [String] = []

  /// Blocks for as long as it takes to read the newest snapshot and the log.
  init(opening path: String, name: String) throws(StartError) {
    do {
      disk = try PosixDisk(path: path)
    } catch {
      throw .dataDirectory(error)
    }
    identity = try Self.loadIdentity(disk, name: name)
    guard identity.name == name else { throw .wrongName(configured: name, found: identity.name, directory: path) }
    guard let cluster = identity.cluster else { return }
    do {
      try open(StorageIdentity(node: identity.node, cluster: cluster))
    } catch let error as StorageError {
      throw .storage(error)
    } catch {
      throw .snapshot("\(error)")
    }
  }

  /// In an empty directory a new node is born: random, so that it never votes for one that was lost.
  private static func loadIdentity(_ disk: PosixDisk, name: String) throws(StartError) -> IdentityRecord {
    do throws(StorageError) {
      if let identity = try DataDirectory.load(disk).identity { return identity }
      let identity = IdentityRecord(node: NodeID(.random(in: 1 ... .max)), name: name, phase: .undecided)
      try DataDirectory.write(identity, to: disk)
      return identity
    } catch {
      throw .storage(error)
    }
  }

  private mutating func open(_ owner: StorageIdentity) throws {
    var (log, found) = try WriteAheadLog.open(disk, identity: owner)
    repairs += found.repairs
    let newest = try SnapshotStore.open(disk, identity: owner).newest(connectingTo: found)
    repairs += newest.repairs
    if let reader = newest.snapshot {
      defer { reader.close() }
      snapshot = reader.descriptor
      machine = try Machine(restoring: reader)
    }
    let reconciled = try found.reconciled(with: snapshot)
    try log.adopt(reconciled)
    self.log = log
    recovered = reconciled
  }
}
