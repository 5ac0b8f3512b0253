import ByteCoding
import Replica

/// A snapshot is the pairs in order of their keys. Its first block begins with a header: format version, revision, and how many pairs
/// follow in all blocks together. See `Docs/Formats.md`.
extension KeyValueView: SnapshotSource {
  public func makeBlocks() -> Blocks { Blocks(view: self) }

  /// Makes blocks one by one from the view, which it keeps.
  public struct Blocks: IteratorProtocol, Sendable {
    private var items: OrderedTree.Items
    private var pending: Item?
    private var header: SnapshotHeader?

    fileprivate init(view: KeyValueView) {
      items = view.tree.items(at: 0..<view.count)
      pending = items.next()
      header = SnapshotHeader(revision: view.revision, count: UInt64(view.count))
    }

    /// A pair that does not fit into the preferred size any more begins a block, and one that is larger still has a block of its own.
    public mutating func next() -> [UInt8]? {
      guard header != nil || pending != nil else { return nil }
      var writer = ByteWriter(capacity: SnapshotBlockSize.preferred)
      header?.write(to: &writer)
      var isEmpty = header == nil
      header = nil
      while let item = pending, isEmpty || writer.count + item.encodedCount <= SnapshotBlockSize.preferred {
        item.write(to: &writer)
        isEmpty = false
        pending = items.next()
      }
      return writer.bytes
    }
  }
}

extension KeyValueView {
  init(restoring blocks: inout SnapshotBlocks) throws(MalformedBytes) {
    var reader = ByteReader(try blocks.next())
    let header = try SnapshotHeader(from: &reader)
    var builder = OrderedTree.Builder()
    while true {
      while !reader.isAtEnd {
        guard UInt64(builder.count) < header.count else { throw MalformedBytes("snapshot: more pairs than announced") }
        let item = try Item(from: &reader, upTo: header.revision)
        guard builder.append(item) else { throw MalformedBytes("snapshot: keys out of order") }
      }
      if UInt64(builder.count) == header.count { break }
      reader = ByteReader(try blocks.next())
    }
    self.init(revision: header.revision, tree: builder.finish())
  }
}

private struct SnapshotHeader: Sendable {
  static let formatVersion: UInt8 = 1
  /// Above anything a store reaches, and low enough that counting on never overflows.
  static let maximumRevision: Revision = 1 << 62

  let revision: Revision
  let count: UInt64

  init(revision: Revision, count: UInt64) {
    self.revision = revision
    self.count = count
  }

  init(from reader: inout ByteReader) throws(MalformedBytes) {
    let version = try reader.readUInt8()
    guard version == SnapshotHeader.formatVersion else { throw MalformedBytes("snapshot: format version \(version)") }
    revision = try reader.readInt64()
    guard 1...SnapshotHeader.maximumRevision ~= revision else { throw MalformedBytes("snapshot: revision") }
    count = try reader.readUInt64()
  }

  func write(to writer: inout ByteWriter) {
    writer.write(SnapshotHeader.formatVersion)
    writer.write(revision)
    writer.write(count)
  }
}

extension Item {
  fileprivate init(from reader: inout ByteReader, upTo revision: Revision) throws(MalformedBytes) {
    let createRevision = try reader.readInt64()
    let modRevision = try reader.readInt64()
    let version = try reader.readInt64()
    guard 1 < createRevision, createRevision <= modRevision, modRevision <= revision else {
      throw MalformedBytes("snapshot: pair's revisions")
    }
    // Each revision changes a key once at most.
    guard 1...(modRevision - createRevision + 1) ~= version else { throw MalformedBytes("snapshot: pair's version") }
    let key = try reader.readPrefixed()
    let value = try reader.readPrefixed()
    guard !key.isEmpty else { throw MalformedBytes("snapshot: empty key") }
    self.init(key: key, value: value, createRevision: createRevision, modRevision: modRevision, version: version)
  }

  fileprivate func write(to writer: inout ByteWriter) {
    writer.write(createRevision)
    writer.write(modRevision)
    writer.write(version)
    withKey { writer.write(prefixed: $0) }
    withValue { writer.write(prefixed: $0) }
  }

  fileprivate var encodedCount: Int { 3 * 8 + 4 + keyCount + 4 + valueCount }
}
