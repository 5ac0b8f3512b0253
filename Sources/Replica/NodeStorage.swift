import ByteCoding
import Raft
import WriteAheadLog

/// What a data directory holds, opened and verified: all that a replica needs to begin.
public struct NodeStorage<Machine: StateMachine, Storage: Disk> {
  public let identity: IdentityRecord
  public var log: LogFiles<Storage>
  /// For what is written: saving, receiving, restoring.
  public var snapshots: SnapshotFiles<Machine, Storage>
  /// For what peers are sent, so that it never waits for the other.
  public var snapshotsForPeers: SnapshotFiles<Machine, Storage>
  /// What the log holds beyond `snapshot`; `nil` as long as the node belongs to no cluster.
  public private(set) var recovered: DurableState?
  public private(set) var snapshot: SnapshotDescriptor?
  /// Bytes in the snapshot's blocks.
  public private(set) var snapshotBytes = 0
  /// The snapshot's state, or an empty one.
  public private(set) var machine = Machine()
  /// What was found wrong and put right.
  public private(set) var repairs: [String] = []

  /// Reads identity, log and newest snapshot. In an empty directory the node is born, as `newborn`: a random name that is never used again.
  ///
  /// Throws `.damaged` and `.foreign` if the files cannot be trusted, and changes nothing then; `.refused` if the snapshot means nothing to
  /// `Machine`. `directory` is what `DataDirectory.load` gave, if that was called already.
  public init(
    opening disk: Storage, holding directory: DataDirectory? = nil, name: String, newborn: NodeID, options: LogOptions = LogOptions()
  ) throws(StorageError) {
    let found: IdentityRecord?
    if let directory { found = directory.identity } else { found = try DataDirectory.load(disk).identity }
    if let identity = found {
      self.identity = identity
    } else {
      identity = IdentityRecord(node: newborn, name: name, phase: .undecided)
      try DataDirectory.write(identity, to: disk)
    }
    log = LogFiles(disk: disk, identity: identity, options: options)
    snapshots = SnapshotFiles(disk: disk, identity: identity)
    snapshotsForPeers = SnapshotFiles(disk: disk, identity: identity)
    guard let cluster = identity.cluster else { return }
    try recover(disk, StorageIdentity(node: identity.node, cluster: cluster), options)
  }

  private mutating func recover(_ disk: Storage, _ owner: StorageIdentity, _ options: LogOptions) throws(StorageError) {
    var (log, found) = try LogStore.open(disk, identity: owner, options: options)
    repairs += log.repairs
    let newest = try SnapshotStore.open(disk, identity: owner).newest(connectingTo: found) { reader throws(StorageError) in
      try Machine(restoring: reader)
    }
    repairs += newest.repairs
    if let found = newest.snapshot {
      snapshot = found.descriptor
      snapshotBytes = Int(clamping: found.bytes)
      machine = found.state
    }
    let reconciled = try found.reconciled(with: snapshot)
    try log.adopt(reconciled)
    self.log.adopt(log)
    recovered = reconciled
  }
}

/// The log and the identity of one node: does what a turn's effects ask of them. Calls block until the disk has answered.
public struct LogFiles<Storage: Disk> {
  private let disk: Storage
  private let options: LogOptions
  private var identity: IdentityRecord
  private var log: LogStore<Storage>?

  init(disk: Storage, identity: IdentityRecord, options: LogOptions) {
    self.disk = disk
    self.identity = identity
    self.options = options
  }

  mutating func adopt(_ log: LogStore<Storage>) { self.log = log }

  /// Bytes that the log takes on the disk.
  public var bytesOnDisk: Int { log?.bytesOnDisk ?? 0 }

  /// Durable when it returns.
  public mutating func save(_ record: IdentityRecord) throws(StorageError) {
    identity = record
    // A member's log must be there before the record says that it is a member.
    if case .formed = record.phase { try openIfNeeded() }
    try DataDirectory.write(record, to: disk)
  }

  /// One write of all these, in the page cache when it returns. `.full` changed nothing: it may be tried again.
  public mutating func append(_ writes: [LogWrite]) throws(StorageError) {
    try openIfNeeded()
    let valid = writes.map(withoutWhatWasCut)
    try log?.append(valid)
  }

  /// While a write waited for room, a snapshot may have covered the beginning of it, and the log been cut there.
  private func withoutWhatWasCut(_ write: LogWrite) -> LogWrite {
    guard write.reset == nil, let start = log?.start.index, let first = write.entries.first, first.index <= start else { return write }
    var rest = write
    rest.entries.removeFirst(min(write.entries.count, Int(start - first.index) + 1))
    return rest
  }

  /// Everything appended is durable when it returns.
  public mutating func sync() throws(StorageError) { try log?.sync() }

  /// For a peer that lacks what this node has no longer in memory. It fails without harm to the log.
  public mutating func read(_ request: EntriesRequest) -> Result<LogPiece, StorageError> {
    do throws(StorageError) {
      if let piece = try log?.read(after: request.after, through: request.through, limit: request.limit) { return .success(piece) }
      return .failure(.refused(what: "entries after \(request.after), which the log holds no longer"))
    } catch {
      return .failure(error)
    }
  }

  public mutating func compact(through index: LogIndex) throws(StorageError) { try log?.compact(through: index) }

  public mutating func close() {
    log?.close()
    log = nil
  }

  private mutating func openIfNeeded() throws(StorageError) {
    if case .some = log { return }
    guard let cluster = identity.cluster else { throw .refused(what: "an entry before the node belongs to a cluster") }
    log = try LogStore.open(disk, identity: StorageIdentity(node: identity.node, cluster: cluster), options: options).0
  }
}

extension NodeStorage: Sendable where Storage: Sendable {}
extension LogFiles: Sendable where Storage: Sendable {}
