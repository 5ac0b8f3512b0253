import ByteCoding
import Raft
import WriteAheadLog

/// The snapshot files of one node: does what a turn's effects ask, one piece of work after the other. Calls block until it is done.
public struct SnapshotFiles<Machine: StateMachine, Storage: Disk> {
  private let disk: Storage
  private let node: NodeID
  private var store: SnapshotStore<Storage>?
  private var incoming: (writer: SnapshotWriter<Storage>, blocks: Int)?
  /// Stays open between blocks.
  private var outgoing: SnapshotReader<Storage>?

  init(disk: Storage, identity: IdentityRecord) {
    self.disk = disk
    node = identity.node
  }

  /// What came of it: never an error, since a snapshot that fails harms nobody but itself.
  public mutating func perform(_ work: SnapshotWork<Machine>, cluster: ClusterID) -> ReplicaEvent<Machine> {
    do throws(StorageError) {
      if let store { return try perform(work, store) }
      let store = try SnapshotStore.open(disk, identity: StorageIdentity(node: node, cluster: cluster))
      self.store = store
      return try perform(work, store)
    } catch {
      return .snapshotFailed(work.descriptor, error.description)
    }
  }

  public mutating func close() {
    outgoing?.close()
    outgoing = nil
    abandonIncoming()
  }

  private mutating func perform(_ work: SnapshotWork<Machine>, _ store: SnapshotStore<Storage>) throws(StorageError) -> ReplicaEvent<
    Machine
  > {
    switch work {
    case .save(let descriptor, let view):
      let bytes = try save(descriptor, view, store)
      removeOlder(than: descriptor, store)
      return .snapshotSaved(descriptor, bytes: bytes)
    case .read(let descriptor, let number, let peer):
      let (block, count) = try read(descriptor, number, store)
      return .snapshotBlock(descriptor, number: number, block: block[...], count: count, for: peer)
    case .store(let descriptor, let number, let block, let last):
      try add(block, number, last: last, to: descriptor, store)
      return .snapshotStored(descriptor, number: number, last: last)
    case .restore(let descriptor):
      let reader = try store.read(descriptor.position.index)
      defer { reader.close() }
      let machine = try Machine(restoring: reader)
      removeOlder(than: descriptor, store)
      return .restored(descriptor, machine)
    }
  }

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

  private mutating func read(
    _ descriptor: SnapshotDescriptor, _ number: Int, _ store: SnapshotStore<Storage>
  ) throws(StorageError) -> (block: [UInt8], count: Int) {
    if outgoing?.descriptor != descriptor {
      outgoing?.close()
      outgoing = nil
      outgoing = try store.read(descriptor.position.index)
    }
    guard let reader = outgoing, reader.descriptor == descriptor, number < max(reader.blockCount, 1) else {
      throw .refused(what: "block \(number) of snapshot \(descriptor.position.index), which is another one by now")
    }
    // A snapshot of an empty state has no block.
    return reader.blockCount == 0 ? ([], 1) : (try reader.block(number), reader.blockCount)
  }

  private mutating func add(
    _ block: Bytes, _ number: Int, last: Bool, to descriptor: SnapshotDescriptor, _ store: SnapshotStore<Storage>
  ) throws(StorageError) {
    if number == 0 {
      abandonIncoming()
      incoming = (try store.begin(descriptor), 0)
    }
    guard let current = incoming, current.writer.descriptor == descriptor, current.blocks == number else {
      throw .refused(what: "block \(number), which does not follow what is there of snapshot \(descriptor.position.index)")
    }
    do throws(StorageError) {
      if !block.isEmpty { try incoming?.writer.append(block) }
      if last { try incoming?.writer.finish() }
    } catch {
      abandonIncoming()
      throw error
    }
    if last { incoming = nil } else { incoming?.blocks = number + 1 }
  }

  private mutating func abandonIncoming() {
    try? incoming?.writer.abandon()
    incoming = nil
  }
}

extension SnapshotFiles: Sendable where Storage: Sendable {}

extension SnapshotWork {
  var descriptor: SnapshotDescriptor {
    switch self {
    case .save(let descriptor, _), .read(let descriptor, _, _), .store(let descriptor, _, _, _), .restore(let descriptor): descriptor
    }
  }
}
