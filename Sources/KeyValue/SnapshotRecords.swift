import ByteCoding

struct SnapshotHeader: Sendable {
  /// What is written. Those before it are still read: the second did not say which grant a lease is, nor who may do what; the first had no
  /// past.
  static let formatVersion: UInt8 = 3
  static let formatVersionWithoutGrants: UInt8 = 2
  static let formatVersionWithoutPast: UInt8 = 1
  /// Above anything a store reaches, and low enough that counting on never overflows.
  static let maximumRevision: Revision = 1 << 62

  let version: UInt8
  let revision: Revision
  let compactRevision: Revision
  let settings: StoreSettings
  let isOutOfSpace: Bool
  /// Whether the changes of the compact revision itself can be told.
  let keepsOldestEvents: Bool
  /// The number of the first change.
  let start: Int
  /// How many pairs follow in all blocks together, in the format without a past.
  let count: UInt64?

  init(of view: KeyValueView) {
    version = SnapshotHeader.formatVersion
    revision = view.revision
    compactRevision = view.compactRevision
    settings = view.settings
    isOutOfSpace = view.isOutOfSpace
    keepsOldestEvents = view.keepsOldestEvents
    start = view.changes.start
    count = nil
  }

  init(from reader: inout ByteReader) throws(MalformedBytes) {
    version = try reader.readUInt8()
    guard SnapshotHeader.formatVersionWithoutPast...SnapshotHeader.formatVersion ~= version else {
      throw MalformedBytes("snapshot: format version \(version)")
    }
    revision = try reader.readInt64()
    guard 1...SnapshotHeader.maximumRevision ~= revision else { throw MalformedBytes("snapshot: revision") }
    guard version > SnapshotHeader.formatVersionWithoutPast else {
      count = try reader.readUInt64()
      (compactRevision, settings, isOutOfSpace, keepsOldestEvents, start) = (revision, StoreSettings(), false, true, 0)
      return
    }
    count = nil
    compactRevision = try reader.readInt64()
    guard -1...revision ~= compactRevision else { throw MalformedBytes("snapshot: compact revision") }
    settings = StoreSettings(quota: try reader.readInt64(), historyAge: try reader.readInt64(), historyBytes: try reader.readInt64())
    guard (try? Request.settings(settings).validate()) != nil else { throw MalformedBytes("snapshot: settings") }
    let flags = try reader.readUInt8()
    guard flags <= (version == SnapshotHeader.formatVersion ? 3 : 1) else { throw MalformedBytes("snapshot: flags") }
    isOutOfSpace = flags & 1 != 0
    keepsOldestEvents = flags & 2 == 0
    let first = try reader.readInt64()
    guard 0...SnapshotHeader.maximumRevision ~= first, first % Int64(ChangeLog.chunkChanges) == 0 else {
      throw MalformedBytes("snapshot: number of the first change")
    }
    start = Int(first)
  }

  func write(to writer: inout ByteWriter) {
    writer.write(version)
    writer.write(revision)
    writer.write(compactRevision)
    writer.write(settings.quota)
    writer.write(settings.historyAge)
    writer.write(settings.historyBytes)
    writer.write(UInt8((isOutOfSpace ? 1 : 0) | (keepsOldestEvents ? 0 : 2)))
    writer.write(Int64(start))
  }
}

enum SnapshotRecord: Sendable {
  enum Kind: UInt8 { case end = 0, pair, leasedPair, put, leasedPut, delete, lease, clusterRecord }

  case clusterRecord(ClusterRecords.Entry)
  case access(AccessRecord)
  case lease(LeaseID, timeToLive: Int64, grant: UInt64)
  case pair(Item)
  case change(Item)
  case end

  func write(to writer: inout ByteWriter) {
    switch self {
    case .end: writer.write(Kind.end.rawValue)
    case .clusterRecord(let entry):
      writer.write(Kind.clusterRecord.rawValue)
      writer.write(entry.name)
      writer.write(prefixed: entry.value)
    case .access(let record): record.write(to: &writer)
    case .lease(let id, let timeToLive, let grant):
      writer.write(Kind.lease.rawValue)
      writer.write(id)
      writer.write(timeToLive)
      writer.write(grant)
    case .pair(let item):
      writer.write(item.lease == 0 ? Kind.pair.rawValue : Kind.leasedPair.rawValue)
      writer.write(item.createRevision)
      writer.write(item.modRevision)
      writer.write(item.version)
      if item.lease != 0 { writer.write(item.lease) }
      item.withKey { writer.write(prefixed: $0) }
      item.withValue { writer.write(prefixed: $0) }
    case .change(let item):
      writer.write(item.isTombstone ? Kind.delete.rawValue : item.lease == 0 ? Kind.put.rawValue : Kind.leasedPut.rawValue)
      writer.write(item.modRevision)
      if item.lease != 0 { writer.write(item.lease) }
      item.withKey { writer.write(prefixed: $0) }
      if !item.isTombstone { item.withValue { writer.write(prefixed: $0) } }
    }
  }

  /// At most a few bytes more than `write` writes.
  var encodedCount: Int {
    switch self {
    case .end: 1
    case .clusterRecord(let entry): entry.encodedCount
    case .access(let record): record.encodedCount
    case .lease: 1 + 3 * 8
    case .pair(let item): 1 + 4 * 8 + 4 + item.keyCount + 4 + item.valueCount
    case .change(let item): 1 + 2 * 8 + 4 + item.keyCount + 4 + item.valueCount
    }
  }
}

extension Item {
  init(from reader: inout ByteReader, upTo revision: Revision, hasLease: Bool) throws(MalformedBytes) {
    let createRevision = try reader.readInt64()
    let modRevision = try reader.readInt64()
    let version = try reader.readInt64()
    guard 1 < createRevision, createRevision <= modRevision, modRevision <= revision else {
      throw MalformedBytes("snapshot: pair's revisions")
    }
    // Each revision changes a key once at most.
    guard 1...(modRevision - createRevision + 1) ~= version else { throw MalformedBytes("snapshot: pair's version") }
    let lease = hasLease ? try reader.readLease() : 0
    let key = try reader.readPrefixed()
    let value = try reader.readPrefixed()
    try Item.checkSizes(key, value)
    self.init(key: key, value: value, createRevision: createRevision, modRevision: modRevision, version: version, lease: lease)
  }

  /// What a request could not have brought cannot be in a snapshot.
  static func checkSizes(_ key: Bytes, _ value: Bytes) throws(MalformedBytes) {
    guard !key.isEmpty else { throw MalformedBytes("snapshot: empty key") }
    guard key.count + value.count <= Limits.requestBytes else { throw MalformedBytes("snapshot: a pair too large") }
  }
}

extension ByteReader {
  mutating func readLease() throws(MalformedBytes) -> Int64 {
    let lease = try readInt64()
    guard lease != 0 else { throw MalformedBytes("snapshot: lease 0") }
    return lease
  }
}
