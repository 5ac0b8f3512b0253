import Raft

/// The snapshots of one data directory.
public struct SnapshotStore<D: Disk> {
  private let disk: D
  private let identity: StorageIdentity

  /// Removes what unfinished snapshots have left.
  public static func open(_ disk: D, identity: StorageIdentity) throws(StorageError) -> SnapshotStore {
    let suffix = SnapshotFormat.temporarySuffix
    try onDisk { () throws(DiskError) in
      for name in try disk.list() where name.hasSuffix(suffix) {
        guard NumberedName.parse(String(name.dropLast(suffix.count)), prefix: SnapshotFormat.prefix) != nil else { continue }
        try disk.remove(name)
      }
      // Also for a snapshot that the last process renamed: it may be relied on from here.
      try disk.syncDirectory()
    }
    return SnapshotStore(disk: disk, identity: identity)
  }

  /// The indexes of all snapshots that are there, ascending.
  public func list() throws(StorageError) -> [LogIndex] {
    try onDisk { () throws(DiskError) in NumberedName.parse(try disk.list(), prefix: SnapshotFormat.prefix) }
  }

  /// Begins a snapshot. It is listed once it is finished.
  public func begin(_ descriptor: SnapshotDescriptor) throws(StorageError) -> SnapshotWriter<D> {
    try SnapshotWriter(disk, identity: identity, descriptor: descriptor)
  }

  /// Opens one that is listed.
  public func read(_ index: LogIndex) throws(StorageError) -> SnapshotReader<D> {
    try SnapshotReader(disk, index: index, identity: identity)
  }

  /// The newest snapshot, read through and verified, and what was wrong with newer ones; no reader when there is none.
  ///
  /// In place of a damaged one, an older one (or none) will do only if `log` holds everything since, up to where the damaged one ended.
  /// Otherwise state that was durable is lost, and the damage is thrown.
  public func newest(connectingTo log: Recovered) throws(StorageError) -> (snapshot: SnapshotReader<D>?, repairs: [String]) {
    var damage: StorageError?
    var repairs: [String] = []
    for index in try list().reversed() {
      if let damage, log.start.index > index { throw damage }
      do throws(StorageError) {
        let reader = try read(index)
        do throws(StorageError) {
          try reader.verify()
          return (reader, repairs)
        } catch {
          reader.close()
          throw error
        }
      } catch {
        guard case .damaged = error, log.last.index >= index else { throw error }
        if damage == nil { damage = error }
        repairs.append("\(SnapshotFormat.name(index)) is damaged, and was passed over: the log holds what is in it")
      }
    }
    if let damage, log.start.index > 0 { throw damage }
    return (nil, repairs)
  }

  /// Removes all snapshots before `index`.
  public func remove(before index: LogIndex) throws(StorageError) {
    let old = try list().filter { $0 < index }
    guard !old.isEmpty else { return }
    try onDisk { () throws(DiskError) in
      for index in old { try disk.remove(SnapshotFormat.name(index)) }
      try disk.syncDirectory()
    }
  }
}

extension SnapshotStore: Sendable where D: Sendable {}
