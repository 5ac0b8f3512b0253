import Raft

/// The snapshots of one data directory.
public struct SnapshotStore<D: Disk> {
  private let disk: D
  private let identity: StorageIdentity

  /// Leaves everything as it is: others may be writing in the directory.
  public init(_ disk: D, identity: StorageIdentity) {
    self.disk = disk
    self.identity = identity
  }

  /// Removes what unfinished snapshots have left: for a start, before anything is written.
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
    return SnapshotStore(disk, identity: identity)
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
    try SnapshotReader(disk, index: index, name: SnapshotFormat.name(index), identity: identity)
  }

  /// Opens one that was sealed, but not published yet.
  public func readSealed(_ index: LogIndex) throws(StorageError) -> SnapshotReader<D> {
    try SnapshotReader(disk, index: index, name: SnapshotFormat.temporaryName(index), identity: identity)
  }

  /// Makes a sealed file a snapshot: durable, under its name, when this returns.
  public func publish(_ index: LogIndex) throws(StorageError) { try SnapshotFormat.publish(index, on: disk) }

  /// Removes a sealed file that will not be published.
  public func discardSealed(_ index: LogIndex) throws(StorageError) {
    try onDisk { () throws(DiskError) in try disk.remove(SnapshotFormat.temporaryName(index)) }
  }

  /// What `restore` made of the newest snapshot, and what was wrong with newer ones; `nil` when there is none. `restore` has to read every
  /// block, which verifies it; it throws `.refused` for blocks that mean nothing to it.
  ///
  /// In place of one that is damaged or means nothing, an older one (or none) will do only if `log` holds everything since, up to where the
  /// bad one ended. Otherwise state that was durable is lost, and the error is thrown.
  public func newest<State>(
    connectingTo log: DurableState, restore: (SnapshotReader<D>) throws(StorageError) -> State
  ) throws(StorageError) -> (snapshot: (descriptor: SnapshotDescriptor, bytes: UInt64, state: State)?, repairs: [String]) {
    var failure: StorageError?
    var repairs: [String] = []
    for index in try list().reversed() {
      if let failure, log.start.index > index { throw failure }
      do throws(StorageError) {
        let reader = try read(index)
        defer { reader.close() }
        return ((reader.descriptor, reader.totalBytes, try restore(reader)), repairs)
      } catch {
        guard let words = Self.wordsForPassingOver(error), log.last.index >= index else { throw error }
        if failure == nil { failure = error }
        repairs.append("\(SnapshotFormat.name(index)) \(words), and was passed over: the log holds what is in it")
      }
    }
    if let failure, log.start.index > 0 { throw failure }
    return (nil, repairs)
  }

  /// `nil` for an error that is not about this one file.
  private static func wordsForPassingOver(_ error: StorageError) -> String? {
    switch error {
    case .damaged: "is damaged"
    case .refused, .unsupportedVersion: "is of another application or release"
    case .disk, .full, .foreign, .poisoned: nil
    }
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
