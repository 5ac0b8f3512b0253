import ByteCoding
import Raft

/// The first sector of a segment. Durable before the file has its name, and so before the first batch is written.
struct SegmentHeader: Equatable {
  let segment: UInt64
  /// Number of the first batch in it.
  let firstBatch: UInt64
  /// The chain before that batch.
  let chain: Chain
  /// The end of the log before that batch.
  let base: LogPosition
  let commit: LogIndex

  func encoded(for identity: StorageIdentity) -> [UInt8] {
    var writer = ByteWriter(capacity: Sector.size)
    FileHeader.write(.segment, identity, into: &writer)
    writer.write(segment)
    writer.write(firstBatch)
    writer.write(base.index)
    writer.write(base.term)
    writer.write(commit)
    writer.write(chain.value)
    writer.write(raw: repeatElement(0, count: Sector.size - writer.count))
    var bytes = writer.bytes
    bytes.withUnsafeMutableBytes { _ = Sector.seal($0, .header, segment: segment, number: 0) }
    return bytes
  }

  /// Reads a sector that verified as the header of segment `expected`.
  init(_ sector: Bytes, of file: String, expected: UInt64, identity: StorageIdentity) throws(StorageError) {
    var reader = ByteReader(sector)
    try FileHeader.check(try FileHeader.read(.segment, of: file, from: &reader), is: identity, in: file)
    self = try decoding(file, at: FileHeader.size) { () throws(MalformedBytes) in try SegmentHeader(from: &reader) }
    guard segment == expected else {
      throw .damaged(file: file, offset: FileHeader.size, what: "it says that it is segment \(segment)")
    }
  }

  private init(from reader: inout ByteReader) throws(MalformedBytes) {
    segment = try reader.readUInt64()
    firstBatch = try reader.readUInt64()
    base = LogPosition(index: try reader.readUInt64(), term: try reader.readUInt64())
    commit = try reader.readUInt64()
    chain = Chain(try reader.readUInt32())
  }

  init(segment: UInt64, firstBatch: UInt64, chain: Chain, base: LogPosition, commit: LogIndex) {
    self.segment = segment
    self.firstBatch = firstBatch
    self.chain = chain
    self.base = base
    self.commit = commit
  }
}
