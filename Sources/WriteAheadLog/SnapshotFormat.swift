import ByteCoding
import Raft

/// The parts of a snapshot's file: header, blocks, footer. `Docs/Formats.md` gives the bytes.
enum SnapshotFormat {
  static let prefix = "snapshot-"
  static let temporarySuffix = ".part"
  /// Before a block's bytes: length (4), checksum (4).
  static let blockHeaderSize = 8
  /// Zero (4), blocks (4), bytes in them (8), whole checksum (4), checksum of the footer (4).
  static let footerSize = 24
  static let maximumBlockSize = 4 << 20
  static let maximumHeaderSize = 64 << 10

  static func name(_ index: LogIndex) -> String { NumberedName.make(prefix, index) }
  static func temporaryName(_ index: LogIndex) -> String { name(index) + temporarySuffix }

  /// Gives a whole, durable temporary file its name, durably.
  static func publish<D: Disk>(_ index: LogIndex, on disk: D) throws(StorageError) {
    try onDisk { () throws(DiskError) in
      try disk.rename(temporaryName(index), to: name(index))
      try disk.syncDirectory()
    }
  }

  /// File header, length of the descriptor (4), descriptor, checksum of all that (4).
  static func header(_ descriptor: SnapshotDescriptor, _ identity: StorageIdentity) -> [UInt8] {
    var writer = ByteWriter()
    FileHeader.write(.snapshot, identity, into: &writer)
    var fields = ByteWriter()
    descriptor.encode(into: &fields)
    writer.write(prefixed: fields.bytes)
    writer.write(CRC32C.checksum(writer.bytes))
    return writer.bytes
  }

  /// Continues from the snapshot's index, the block's number and its length: a block in the wrong place does not verify.
  static func checksum(_ block: Bytes, number: Int, of index: LogIndex) -> UInt32 {
    let place = (index.littleEndian, UInt32(number).littleEndian, UInt32(block.count).littleEndian)
    return CRC32C.checksum(block, seed: withUnsafeBytes(of: place) { CRC32C.checksum($0) })
  }

  static func footer(blocks: Int, bytes: UInt64, whole: Chain) -> [UInt8] {
    var writer = ByteWriter(capacity: footerSize)
    writer.write(UInt32(0))
    writer.write(UInt32(blocks))
    writer.write(bytes)
    writer.write(whole.value)
    writer.write(CRC32C.checksum(writer.bytes))
    return writer.bytes
  }
}
