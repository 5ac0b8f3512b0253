import ByteCoding
import Raft

/// Reads one snapshot's blocks, in any order. Opening verifies all but the blocks' bytes, `block` verifies these.
public struct SnapshotReader<D: Disk> {
  public let descriptor: SnapshotDescriptor
  /// Bytes in all blocks.
  public let totalBytes: UInt64
  private let name: String
  private let disk: D
  private let file: D.File
  private let blocks: [Block]

  private struct Block {
    /// Of its bytes, behind its header.
    let offset: Int
    let length: Int
    let checksum: UInt32
  }

  public var blockCount: Int { blocks.count }
  /// Tells this file from any other of the same position.
  public let fingerprint: SnapshotFingerprint

  init(_ disk: D, index: LogIndex, name: String, identity: StorageIdentity) throws(StorageError) {
    let file = try onDisk { () throws(DiskError) in try disk.open(name, create: false) }
    do throws(StorageError) {
      let (descriptor, headerSize, headerChecksum) = try Self.readHeader(disk, file, name, identity)
      guard descriptor.position.index == index else {
        throw StorageError.damaged(file: name, offset: FileHeader.size, what: "it says that its index is \(descriptor.position.index)")
      }
      (blocks, totalBytes) = try Self.readBlockHeaders(disk, file, name, from: headerSize, whole: Chain(headerChecksum))
      var content = Chain()
      for block in blocks { content.add(block.checksum) }
      fingerprint = SnapshotFingerprint(checksum: content.value, blocks: UInt32(blocks.count), bytes: totalBytes)
      self.descriptor = descriptor
    } catch {
      disk.close(file)
      throw error
    }
    self.disk = disk
    self.file = file
    self.name = name
  }

  /// The bytes of block `number`, which must be less than `blockCount`.
  public func block(_ number: Int) throws(StorageError) -> [UInt8] {
    guard blocks.indices.contains(number) else { throw .refused(what: "block \(number) of \(name), which has \(blockCount)") }
    let block = blocks[number]
    let bytes = try onDisk { () throws(DiskError) in try disk.read(file, offset: block.offset, count: block.length) }
    guard bytes.count == block.length,
      SnapshotFormat.checksum(bytes[...], number: number, of: descriptor.position.index) == block.checksum
    else { throw .damaged(file: name, offset: block.offset, what: "block \(number) does not verify") }
    return bytes
  }

  /// Reads everything once.
  public func verify() throws(StorageError) {
    for number in blocks.indices { _ = try block(number) }
  }

  /// It must not be used afterwards.
  public func close() { disk.close(file) }

  private static func readHeader(
    _ disk: D, _ file: D.File, _ name: String, _ identity: StorageIdentity
  ) throws(StorageError) -> (SnapshotDescriptor, size: Int, checksum: UInt32) {
    let bytes = try onDisk { () throws(DiskError) in try disk.read(file, offset: 0, count: SnapshotFormat.maximumHeaderSize) }
    var reader = ByteReader(bytes[...])
    let owner = try FileHeader.read(.snapshot, of: name, from: &reader)
    let (fields, size) = try decoding(name, at: FileHeader.size) { () throws(MalformedBytes) in
      let fields = try reader.readPrefixed()
      let end = bytes.count - reader.remaining
      guard try reader.readUInt32() == CRC32C.checksum(bytes[..<end]) else { throw MalformedBytes("header: checksum does not match") }
      return (fields, end + 4)
    }
    try FileHeader.check(owner, is: identity, in: name)
    let descriptor = try decoding(name, at: FileHeader.size) { () throws(MalformedBytes) in
      var reader = ByteReader(fields)
      let descriptor = try SnapshotDescriptor(from: &reader)
      try reader.expectEnd()
      return descriptor
    }
    return (descriptor, size, CRC32C.checksum(bytes[..<size]))
  }

  private static func readBlockHeaders(
    _ disk: D, _ file: D.File, _ name: String, from start: Int, whole: Chain
  ) throws(StorageError) -> ([Block], UInt64) {
    let size = try onDisk { () throws(DiskError) in try disk.size(file) }
    var whole = whole
    var blocks: [Block] = []
    var bytes: UInt64 = 0
    var offset = start
    while true {
      let at = offset
      let header = try onDisk { () throws(DiskError) in try disk.read(file, offset: at, count: SnapshotFormat.footerSize) }
      var reader = ByteReader(header[...])
      let (length, checksum) = try decoding(name, at: offset) { () throws(MalformedBytes) in
        (Int(try reader.readUInt32()), try reader.readUInt32())
      }
      if length == 0 {
        guard header == SnapshotFormat.footer(blocks: blocks.count, bytes: bytes, whole: whole), offset + header.count == size else {
          throw .damaged(file: name, offset: offset, what: "the footer does not match the \(blocks.count) blocks before it")
        }
        return (blocks, bytes)
      }
      guard length <= SnapshotFormat.maximumBlockSize, offset + SnapshotFormat.blockHeaderSize + length < size else {
        throw .damaged(file: name, offset: offset, what: "block \(blocks.count) has \(length) bytes")
      }
      blocks.append(Block(offset: offset + SnapshotFormat.blockHeaderSize, length: length, checksum: checksum))
      whole.add(checksum)
      bytes += UInt64(length)
      offset += SnapshotFormat.blockHeaderSize + length
    }
  }
}

extension SnapshotReader: Sendable where D: Sendable {}
