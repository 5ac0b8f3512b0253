import ByteCoding
import Raft
import WriteAheadLog

/// Snapshot files of one node: does what a turn's effects ask, one piece of work after the other. Calls block until it is done.
///
/// A node has two: one for what is written, one for what peers are sent (`SnapshotWork.isForPeers`).
public struct SnapshotFiles<Machine: StateMachine, Storage: Disk> {
  private let disk: Storage
  private let node: NodeID
  private var incoming: SnapshotWriter<Storage>?
  /// One open file for each transfer, so that a newer snapshot may take the place of the one that is being sent.
  private var outgoing: [(peer: NodeID, reader: SnapshotReader<Storage>)] = []

  init(disk: Storage, identity: IdentityRecord) {
    self.disk = disk
    node = identity.node
  }

  /// The result: never an error, since a snapshot that fails leaves the rest of the node intact.
  public mutating func perform(_ work: SnapshotWork<Machine>, cluster: ClusterID) -> ReplicaEvent<Machine> {
    let store = SnapshotStore(disk, identity: StorageIdentity(node: node, cluster: cluster))
    switch work {
    case .save(let descriptor, let view):
      return attempt(descriptor) { files throws(StorageError) in
        let bytes = try files.save(descriptor, view, store)
        files.removeOlder(than: descriptor, store)
        return .snapshotSaved(descriptor, bytes: bytes)
      }
    case .read(let descriptor, let number, let peer):
      return attempt(descriptor) { files throws(StorageError) in
        let reader = try files.reader(of: descriptor, for: peer, begin: number == 0, store)
        // A snapshot of an empty state has no block: it is sent as one that is empty.
        let block = reader.blockCount == 0 && number == 0 ? [] : try reader.block(number)
        return .snapshotBlock(descriptor, number: number, block: block[...], file: reader.fingerprint, for: peer)
      }
    case .release(let peer):
      release(peer)
      return .snapshotReleased(peer)
    case .store(let descriptor, let number, let block, let last):
      return attempt(descriptor) { files throws(StorageError) in
        try files.add(block, number, last: last, to: descriptor, store)
        return .snapshotStored(descriptor, number: number, last: last)
      }
    case .restore(let descriptor):
      return attempt(descriptor) { files throws(StorageError) in
        let (machine, bytes) = try files.restore(descriptor, store)
        return .restored(descriptor, machine, bytes: bytes)
      }
    case .removeOlder(let descriptor):
      removeOlder(than: descriptor, store)
      return .snapshotsRemoved(before: descriptor.position.index)
    }
  }

  public mutating func close() {
    for (_, reader) in outgoing { reader.close() }
    outgoing = []
    abandonIncoming()
  }

  private mutating func attempt(
    _ descriptor: SnapshotDescriptor, _ work: (inout Self) throws(StorageError) -> ReplicaEvent<Machine>
  ) -> ReplicaEvent<Machine> {
    do throws(StorageError) {
      return try work(&self)
    } catch {
      return .snapshotFailed(descriptor, error.description)
    }
  }

  // MARK: Written

  /// One that cannot be removed now is removed after the next snapshot.
  private func removeOlder(than descriptor: SnapshotDescriptor, _ store: SnapshotStore<Storage>) {
    try? store.remove(before: descriptor.position.index)
  }

  private func save(_ descriptor: SnapshotDescriptor, _ view: Machine.View, _ store: SnapshotStore<Storage>) throws(StorageError) -> Int {
    var writer = try store.begin(descriptor)
    do throws(StorageError) {
      var bytes = 0
      var blocks = view.makeBlocks()
      while let block = blocks.next() {
        if block.isEmpty { continue }
        try writer.append(block[...])
        bytes += block.count
      }
      try writer.finish()
      return bytes
    } catch {
      try? writer.abandon()
      throw error
    }
  }

  private mutating func add(
    _ block: Bytes, _ number: Int, last: Bool, to descriptor: SnapshotDescriptor, _ store: SnapshotStore<Storage>
  ) throws(StorageError) {
    if number == 0 {
      abandonIncoming()
      incoming = try store.begin(descriptor)
    }
    guard let current = incoming, current.descriptor == descriptor, current.blockCount == number else {
      throw .refused(what: "block \(number), which does not follow what is there of snapshot \(descriptor.position.index)")
    }
    do throws(StorageError) {
      if !block.isEmpty { try incoming?.append(block) }
      if last { try incoming?.seal() }
    } catch {
      abandonIncoming()
      throw error
    }
    if last { incoming = nil }
  }

  private mutating func abandonIncoming() {
    try? incoming?.abandon()
    incoming = nil
  }

  /// What was received becomes a snapshot only when a state was made of it: otherwise the next start would stumble over it.
  private func restore(
    _ descriptor: SnapshotDescriptor, _ store: SnapshotStore<Storage>
  ) throws(StorageError) -> (machine: Machine, bytes: Int) {
    let index = descriptor.position.index
    let reader = try store.readSealed(index)
    let machine: Machine
    do throws(StorageError) {
      defer { reader.close() }
      machine = try Machine(restoring: reader)
    } catch {
      try? store.discardSealed(index)
      throw error
    }
    try store.publish(index)
    return (machine, Int(clamping: reader.totalBytes))
  }

  // MARK: For peers

  private mutating func reader(
    of descriptor: SnapshotDescriptor, for peer: NodeID, begin: Bool, _ store: SnapshotStore<Storage>
  ) throws(StorageError) -> SnapshotReader<Storage> {
    if !begin, let open = outgoing.first(where: { $0.peer == peer })?.reader, open.descriptor == descriptor { return open }
    // From the start the file is opened anew: another of the same position may have taken its place.
    release(peer)
    let reader = try store.read(descriptor.position.index)
    guard reader.descriptor == descriptor else {
      reader.close()
      throw .refused(what: "snapshot \(descriptor.position.index), which is another one by now")
    }
    outgoing.append((peer, reader))
    return reader
  }

  private mutating func release(_ peer: NodeID) {
    guard let place = outgoing.firstIndex(where: { $0.peer == peer }) else { return }
    outgoing.remove(at: place).reader.close()
  }
}

extension SnapshotFiles: Sendable where Storage: Sendable {}

extension SnapshotWork {
  /// Whether it is done by the files that read for peers; all else is for those that write.
  public var isForPeers: Bool {
    switch self {
    case .read, .release: true
    case .save, .store, .restore, .removeOlder: false
    }
  }
}
