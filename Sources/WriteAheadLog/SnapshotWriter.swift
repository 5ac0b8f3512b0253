import ByteCoding
import Raft

/// Streams a snapshot to a temporary file, which becomes a snapshot only when all of it is durable (`seal`, then `SnapshotStore.publish`).
///
/// After a failure it is poisoned; a full disk ends it too, with `.full`: `abandon` gives the room back.
public struct SnapshotWriter<D: Disk> {
  public let descriptor: SnapshotDescriptor
  private let disk: D
  private let file: D.File
  private var offset = 0
  /// Blocks that it has.
  public private(set) var blockCount = 0
  private var bytes: UInt64 = 0
  private var whole: Chain
  private var failure: DiskError?
  private var isClosed = false

  init(_ disk: D, identity: StorageIdentity, descriptor: SnapshotDescriptor) throws(StorageError) {
    let header = SnapshotFormat.header(descriptor, identity)
    guard header.count <= SnapshotFormat.maximumHeaderSize, descriptor.position.index > 0 else {
      throw .refused(what: "a snapshot at index \(descriptor.position.index) with a header of \(header.count) bytes")
    }
    self.disk = disk
    self.descriptor = descriptor
    let name = SnapshotFormat.temporaryName(descriptor.position.index)
    file = try onDisk { () throws(DiskError) in
      if try disk.list().contains(name) { try disk.remove(name) }
      return try disk.open(name, create: true)
    }
    whole = Chain(CRC32C.checksum(header))
    try write(header)
  }

  /// Adds the next block: 1 byte to 4 MiB.
  public mutating func append(_ block: Bytes) throws(StorageError) {
    guard !block.isEmpty, block.count <= SnapshotFormat.maximumBlockSize, blockCount < UInt32.max else {
      throw .refused(
        what: "block \(blockCount) of a snapshot, with \(block.count) bytes: 1 to \(SnapshotFormat.maximumBlockSize) are allowed")
    }
    let checksum = SnapshotFormat.checksum(block, number: blockCount, of: descriptor.position.index)
    var writer = ByteWriter(capacity: SnapshotFormat.blockHeaderSize + block.count)
    writer.write(UInt32(block.count))
    writer.write(checksum)
    writer.write(raw: block)
    try write(writer.bytes)
    whole.add(checksum)
    blockCount += 1
    bytes += UInt64(block.count)
  }

  /// Ends the file: whole and durable when this returns, under its temporary name still.
  public mutating func seal() throws(StorageError) {
    try write(SnapshotFormat.footer(blocks: blockCount, bytes: bytes, whole: whole))
    do {
      try disk.sync(file)
    } catch {
      failure = error
      throw .disk(error)
    }
    isClosed = true
    disk.close(file)
  }

  /// Makes it a snapshot: durable, under its name, when this returns.
  public mutating func finish() throws(StorageError) {
    try seal()
    do throws(StorageError) {
      try SnapshotFormat.publish(descriptor.position.index, on: disk)
    } catch {
      if case .disk(let failure) = error { self.failure = failure }
      throw error
    }
  }

  /// Gives up: removes the temporary file, if it has not become a snapshot.
  public func abandon() throws(StorageError) {
    if !isClosed { disk.close(file) }
    try onDisk { () throws(DiskError) in try disk.remove(SnapshotFormat.temporaryName(descriptor.position.index)) }
  }

  private mutating func write(_ bytes: [UInt8]) throws(StorageError) {
    if let failure { throw .poisoned(by: failure) }
    do {
      try disk.write(file, offset: offset, bytes)
    } catch {
      failure = error
      throw error.isShortage ? .full(error) : .disk(error)
    }
    offset += bytes.count
  }
}

extension SnapshotWriter: Sendable where D: Sendable {}
