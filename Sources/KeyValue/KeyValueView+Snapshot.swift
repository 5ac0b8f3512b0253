import ByteCoding
import Replica

/// A snapshot is who may do what, the leases, the pairs as they were before the first change in memory, in order of their keys, and then
/// those changes in their order: so versions and revisions that do not fit together cannot even be said. See `Docs/Formats.md`.
extension KeyValueView: SnapshotSource {
  public func makeBlocks() -> Blocks { Blocks(view: self) }

  /// Makes blocks one by one from the view, which it keeps.
  public struct Blocks: IteratorProtocol, Sendable {
    private var header: SnapshotHeader?
    private var records: ArraySlice<ClusterRecords.Entry>
    private var access: AccessRecords
    private var leases: OrderedTree.Items
    private let past: Past
    private var newest: Past.Merge
    private let changes: ChangeLog
    private var nextChange: Int
    private var pending: SnapshotRecord?
    private var hasEnded = false

    fileprivate init(view: KeyValueView) {
      header = SnapshotHeader(of: view)
      records = view.records.entries[...]
      access = AccessRecords(of: view.access)
      leases = view.leases.granted.items(at: 0..<view.leases.count)
      changes = view.changes
      nextChange = changes.start
      past = Past(of: .all, in: view, before: changes.start)
      newest = past.newest(isDescending: false)
      pending = nextRecord()
    }

    /// A record that does not fit into the preferred size any more begins a block, and one that is larger still has a block of its own.
    public mutating func next() -> [UInt8]? {
      guard header != nil || pending != nil else { return nil }
      var writer = ByteWriter(capacity: SnapshotBlockSize.preferred)
      header?.write(to: &writer)
      var isEmpty = header == nil
      header = nil
      while let record = pending, isEmpty || writer.count + record.encodedCount <= SnapshotBlockSize.preferred {
        record.write(to: &writer)
        isEmpty = false
        pending = nextRecord()
      }
      return writer.bytes
    }

    private mutating func nextRecord() -> SnapshotRecord? {
      if let entry = records.popFirst() { return .clusterRecord(entry) }
      if let record = access.next() { return .access(record) }
      if let lease = leases.next() {
        return .lease(LeaseTable.id(of: lease), timeToLive: LeaseTable.timeToLive(of: lease), grant: LeaseTable.grant(of: lease))
      }
      while let candidate = newest.next() { if let item = past.version(of: candidate) { return .pair(item) } }
      if nextChange < changes.end {
        defer { nextChange += 1 }
        return .change(changes[nextChange].item)
      }
      defer { hasEnded = true }
      return hasEnded ? nil : .end
    }
  }
}

extension KeyValueView {
  init(restoring blocks: inout SnapshotBlocks) throws(MalformedBytes) {
    var reader = ByteReader(try blocks.next())
    var restoration = Restoration(header: try SnapshotHeader(from: &reader))
    while true {
      if let view = try restoration.add(&reader) {
        self = view
        return
      }
      reader = ByteReader(try blocks.next())
    }
  }
}

/// Makes a store of a snapshot's records.
private struct Restoration: Sendable {
  private let header: SnapshotHeader
  private var records = ClusterRecords()
  private var access = AccessRestoration()
  private var hasAccess = false
  private var leases = LeaseTable()
  private var lastLease: LeaseID?
  private var builder = OrderedTree.Builder()
  private var hasAllPairs = false
  /// Once all pairs have come. Changes are made in place.
  private var view = KeyValueView()
  /// Of the last change; before the first, the least that one can have.
  private var lastRevision: Revision = 2
  private var hasLeasedKeys = false

  init(header: SnapshotHeader) { self.header = header }

  /// Takes up a block, whose header has been read; the store, when this was the last one.
  mutating func add(_ reader: inout ByteReader) throws(MalformedBytes) -> KeyValueView? {
    if let count = header.count { return try addPairs(&reader, upTo: count) }
    while !reader.isAtEnd {
      let kind = try reader.readUInt8()
      if let kind = AccessRecord.Kind(rawValue: kind) {
        try add(kind, &reader)
        continue
      }
      switch SnapshotRecord.Kind(rawValue: kind) {
      case .pair: try addPair(&reader, hasLease: false)
      case .leasedPair: try addPair(&reader, hasLease: true)
      case .put: try put(&reader, hasLease: false)
      case .leasedPut: try put(&reader, hasLease: true)
      case .delete: try delete(&reader)
      case .lease: try grant(&reader)
      case .clusterRecord:
        guard header.version > SnapshotHeader.formatVersionWithoutGrants, !hasAccess, lastLease == nil, builder.count == 0, !hasAllPairs
        else { throw MalformedBytes("snapshot: a record of the cluster's after what follows them") }
        try records.restore(from: &reader)
      case .end:
        try reader.expectEnd()
        return try finish()
      case nil: throw MalformedBytes("snapshot: kind of record")
      }
    }
    return nil
  }

  private mutating func add(_ kind: AccessRecord.Kind, _ reader: inout ByteReader) throws(MalformedBytes) {
    guard header.version > SnapshotHeader.formatVersionWithoutGrants, lastLease == nil, builder.count == 0, !hasAllPairs else {
      throw MalformedBytes("snapshot: access after the leases")
    }
    hasAccess = true
    try access.add(kind, &reader)
  }

  private mutating func grant(_ reader: inout ByteReader) throws(MalformedBytes) {
    guard builder.count == 0, !hasAllPairs else { throw MalformedBytes("snapshot: a lease after the pairs") }
    let id = try reader.readLease()
    let timeToLive = try reader.readInt64()
    let grant = header.version > SnapshotHeader.formatVersionWithoutGrants ? try reader.readUInt64() : 0
    guard lastLease.map({ $0 < id }) ?? true, leases.count < Limits.leases else { throw MalformedBytes("snapshot: leases out of order") }
    guard Limits.minimumLeaseSeconds...Limits.maximumLeaseSeconds ~= timeToLive else { throw MalformedBytes("snapshot: a lease's time") }
    leases.grant(id, timeToLive: timeToLive, grant: grant)
    lastLease = id
  }

  private mutating func addPair(_ reader: inout ByteReader, hasLease: Bool) throws(MalformedBytes) {
    guard !hasAllPairs else { throw MalformedBytes("snapshot: a pair after the changes") }
    hasLeasedKeys = hasLeasedKeys || hasLease
    let item = try Item(from: &reader, upTo: header.revision, hasLease: hasLease)
    guard builder.append(item) else { throw MalformedBytes("snapshot: keys out of order") }
  }

  /// A state that only the newest revision was kept of, as older releases wrote it.
  private mutating func addPairs(_ reader: inout ByteReader, upTo count: UInt64) throws(MalformedBytes) -> KeyValueView? {
    while !reader.isAtEnd {
      guard UInt64(builder.count) < count else { throw MalformedBytes("snapshot: more pairs than announced") }
      try addPair(&reader, hasLease: false)
    }
    guard UInt64(builder.count) == count else { return nil }
    return KeyValueView(revision: header.revision, tree: builder.finish())
  }

  // MARK: Changes

  private mutating func finishPairs() {
    guard !hasAllPairs else { return }
    hasAllPairs = true
    let pairs = builder
    builder = OrderedTree.Builder()
    view.tree = pairs.finish()
    view.changes = ChangeLog(start: header.start)
  }

  private mutating func readRevision(_ reader: inout ByteReader) throws(MalformedBytes) -> Revision {
    finishPairs()
    let revision = try reader.readInt64()
    guard lastRevision <= revision, revision <= header.revision else { throw MalformedBytes("snapshot: a change's revision") }
    lastRevision = revision
    return revision
  }

  /// That a key changes twice in one revision is seen when it is too late, and the whole is thrown away: so it takes one search.
  private mutating func put(_ reader: inout ByteReader, hasLease: Bool) throws(MalformedBytes) {
    let revision = try readRevision(&reader)
    let lease = hasLease ? try reader.readLease() : 0
    hasLeasedKeys = hasLeasedKeys || hasLease
    let key = try reader.readPrefixed()
    let value = try reader.readPrefixed()
    try Item.checkSizes(key, value)
    let replaced = view.store(key, at: revision) { _ in (value, lease) }
    guard (replaced?.modRevision ?? 0) < revision else { throw MalformedBytes("snapshot: a key changed twice in one revision") }
  }

  private mutating func delete(_ reader: inout ByteReader) throws(MalformedBytes) {
    let revision = try readRevision(&reader)
    let key = try reader.readPrefixed()
    guard let item = view.tree.remove(key) else { throw MalformedBytes("snapshot: a deleted key that was not there") }
    guard item.modRevision < revision else { throw MalformedBytes("snapshot: a key changed twice in one revision") }
    view.bury([item], at: revision)
  }

  private mutating func finish() throws(MalformedBytes) -> KeyValueView {
    finishPairs()
    view.revision = header.revision
    view.compactRevision = header.compactRevision
    view.forgetEvents(before: header.compactRevision + (header.keepsOldestEvents ? 0 : 1))
    view.settings = header.settings
    view.isOutOfSpace = header.isOutOfSpace
    view.access = try access.finish()
    view.records = records
    view.leases = leases
    guard hasLeasedKeys else { return view }
    // Those of earlier versions may be gone.
    var hasAll = true
    view.tree.forEach { item in
      guard item.lease != 0 else { return }
      hasAll = hasAll && leases.contains(item.lease)
      view.leases.attach(item.key, to: item.lease)
    }
    guard hasAll else { throw MalformedBytes("snapshot: a pair with a lease that is not there") }
    return view
  }
}
