import ByteCoding
import WriteAheadLog

/// The blocks of one snapshot, read one after the other while a state is made of them.
public struct SnapshotBlocks {
  private let count: Int
  private let read: (Int) throws(StorageError) -> [UInt8]
  private var taken = 0
  /// Why a block could not be read: of more weight than what the state machine said when it did not get it.
  fileprivate private(set) var failure: StorageError?

  fileprivate init(count: Int, read: @escaping (Int) throws(StorageError) -> [UInt8]) {
    self.count = count
    self.read = read
  }

  /// Whether all blocks have been taken.
  public var isAtEnd: Bool { taken == count }

  /// The next block. Throws if there is none, and if it cannot be read.
  public mutating func next() throws(MalformedBytes) -> Bytes {
    guard !isAtEnd else { throw MalformedBytes("snapshot: cut short, \(count) blocks are not all of it") }
    do {
      let block = try read(taken)
      taken += 1
      return block[...]
    } catch {
      failure = error
      throw MalformedBytes("snapshot: block \(taken) cannot be read")
    }
  }

  /// A snapshot is taken as a whole or not at all. Also for a state machine that goes on without a block that it could not read.
  fileprivate func expectEnd() throws(MalformedBytes) {
    guard isAtEnd else { throw MalformedBytes("snapshot: \(count - taken) of \(count) blocks left over") }
  }
}

extension StateMachine {
  /// The state that a snapshot holds whose blocks are in memory, as a test of a state machine has them.
  public init(restoring blocks: [[UInt8]]) throws(MalformedBytes) {
    let given = blocks.filter { !$0.isEmpty }
    var blocks = SnapshotBlocks(count: given.count) { number in given[number] }
    try self.init(restoring: &blocks)
    try blocks.expectEnd()
  }

  /// The state that a snapshot file holds; every block is verified on the way.
  init<Storage>(restoring reader: SnapshotReader<Storage>) throws(StorageError) {
    var blocks = SnapshotBlocks(count: reader.blockCount) { number throws(StorageError) in try reader.block(number) }
    do {
      try self.init(restoring: &blocks)
      try blocks.expectEnd()
    } catch {
      if let failure = blocks.failure { throw failure }
      throw .refused(what: "snapshot \(reader.descriptor.position.index) of another application or release: \(error)")
    }
  }
}
