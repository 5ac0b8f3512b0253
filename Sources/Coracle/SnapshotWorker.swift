import NIOConcurrencyHelpers
import NIOPosix
import Raft
import Replica
import WriteAheadLog

/// Works on snapshot files on a thread of its own, one piece of work after the other: they are long, and neither the log nor the replica
/// waits for them.
final class SnapshotWorker<Machine: StateMachine, Storage: Disk & Sendable>: Sendable {
  /// What belongs to the thread. Files stay open between blocks.
  private struct State {
    var store: SnapshotStore<Storage>?
    var incoming: (writer: SnapshotWriter<Storage>, blocks: Int)?
    var outgoing: SnapshotReader<Storage>?
  }

  private let disk: Storage
  private let thread: NIOThreadPool
  private let report: @Sendable (ReplicaEvent<Machine>) -> Void
  private let state = NIOLockedValueBox(State())

  /// `thread` must have one thread.
  init(disk: Storage, thread: NIOThreadPool, report: @escaping @Sendable (ReplicaEvent<Machine>) -> Void) {
    self.disk = disk
    self.thread = thread
    self.report = report
  }

  func submit(_ work: SnapshotWork<Machine>, identity: StorageIdentity) {
    thread.submit { condition in
      guard condition == .active else { return }
      self.state.withLockedValue { state in
        do {
          try self.perform(work, identity, &state)
        } catch {
          self.report(.snapshotFailed(work.descriptor, "\(error)"))
        }
      }
    }
  }

  /// Closes files after all work that was submitted; then calls back, on the thread.
  func close(_ done: @escaping @Sendable () -> Void) {
    thread.submit { _ in
      self.state.withLockedValue { state in
        state.outgoing?.close()
        try? state.incoming?.writer.abandon()
        state = State()
      }
      done()
    }
  }

  private func perform(_ work: SnapshotWork<Machine>, _ identity: StorageIdentity, _ state: inout State) throws {
    let store = try state.store ?? SnapshotStore.open(disk, identity: identity)
    state.store = store
    switch work {
    case .save(let descriptor, let view):
      let bytes = try save(descriptor, view, store)
      report(.snapshotSaved(descriptor, bytes: bytes))
      removeOlder(than: descriptor, store)
    case .read(let descriptor, let number, let peer):
      let (block, last) = try read(descriptor, number, store, &state)
      report(.snapshotBlock(descriptor, number: number, block: block[...], last: last, for: peer))
    case .store(let descriptor, let number, let block, let last):
      try add(block[...], number, last: last, to: descriptor, store, &state)
      report(.snapshotStored(descriptor, number: number, last: last))
    case .restore(let descriptor):
      let reader = try store.read(descriptor.position.index)
      defer { reader.close() }
      report(.restored(descriptor, try Machine(restoring: reader)))
      removeOlder(than: descriptor, store)
    }
  }

  /// One that cannot be removed now is removed after the next snapshot.
  private func removeOlder(than descriptor: SnapshotDescriptor, _ store: SnapshotStore<Storage>) {
    try? store.remove(before: descriptor.position.index)
  }

  private func save(_ descriptor: SnapshotDescriptor, _ view: Machine.View, _ store: SnapshotStore<Storage>) throws -> Int {
    var writer = try store.begin(descriptor)
    do {
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

  private func read(
    _ descriptor: SnapshotDescriptor, _ number: Int, _ store: SnapshotStore<Storage>, _ state: inout State
  ) throws -> (block: [UInt8], last: Bool) {
    if state.outgoing?.descriptor != descriptor {
      state.outgoing?.close()
      state.outgoing = nil
      state.outgoing = try store.read(descriptor.position.index)
    }
    guard let reader = state.outgoing, reader.descriptor == descriptor else {
      throw StorageError.refused(what: "snapshot \(descriptor.position.index) is another one by now")
    }
    // A snapshot of an empty state has no block.
    if reader.blockCount == 0, number == 0 { return ([], true) }
    return (try reader.block(number), number == reader.blockCount - 1)
  }

  private func add(
    _ block: ArraySlice<UInt8>, _ number: Int, last: Bool, to descriptor: SnapshotDescriptor, _ store: SnapshotStore<Storage>,
    _ state: inout State
  ) throws {
    if number == 0 {
      try? state.incoming?.writer.abandon()
      state.incoming = nil
      state.incoming = (try store.begin(descriptor), 0)
    }
    // Taken out, so that a failure leaves none, and the next attempt starts with block 0.
    guard var incoming = state.incoming, incoming.writer.descriptor == descriptor, incoming.blocks == number else {
      throw StorageError.refused(what: "block \(number) does not follow what is there of snapshot \(descriptor.position.index)")
    }
    state.incoming = nil
    do {
      if !block.isEmpty { try incoming.writer.append(block) }
      if last { try incoming.writer.finish() }
    } catch {
      try? incoming.writer.abandon()
      throw error
    }
    if !last { state.incoming = (incoming.writer, number + 1) }
  }
}

extension StateMachine {
  /// The state that a snapshot holds; every block is verified on the way.
  init<Storage>(restoring reader: SnapshotReader<Storage>) throws {
    self.init()
    for number in 0..<reader.blockCount { try restore(try reader.block(number)[...]) }
  }
}

extension SnapshotWork {
  var descriptor: SnapshotDescriptor {
    switch self {
    case .save(let descriptor, _), .read(let descriptor, _, _), .store(let descriptor, _, _, _), .restore(let descriptor): descriptor
    }
  }
}
