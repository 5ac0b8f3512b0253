import ByteCoding
import Replica

/// A snapshot is the leases, the pairs as they were before the first change in memory, in order of their keys, and then those changes in
/// their order: so versions and revisions that do not fit together cannot even be said. See `Docs/Formats.md`.
extension KeyValueView: SnapshotSource {
  public func makeBlocks() -> Blocks { Blocks(view: self) }

  /// Makes blocks one by one from the view, which it keeps.
  public struct Blocks: IteratorProtocol, Sendable {
    private var header: SnapshotHeader?
    private var leases: OrderedTree.Items
    private let past: Past
    private var newest: Past.Merge
    private let changes: ChangeLog
    private var nextChange: Int
    private var pending: SnapshotRecord?
    private var hasEnded = false

    fileprivate init(view: KeyValueView) {
      header = SnapshotHeader(of: view)
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
      if let lease = leases.next() { return .lease(LeaseTable.id(of: lease), timeToLive: LeaseTable.timeToLive(of: lease)) }
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
  private var leases = LeaseTable()
  private var lastLease: LeaseID?
  private var builder = OrderedTree.Builder()
  /// Once all pairs have come.
  private var view: KeyValueView?

  init(header: SnapshotHeader) { self.header = header }

  /// Takes up a block, whose header has been read; the store, when this was the last one.
  mutating func add(_ reader: inout ByteReader) throws(MalformedBytes) -> KeyValueView? {
    if let count = header.count { return try addPairs(&reader, upTo: count) }
    while !reader.isAtEnd {
      switch SnapshotRecord.Kind(rawValue: try reader.readUInt8()) {
      case .pair:
        guard view == nil else { throw MalformedBytes("snapshot: a pair after the changes") }
        try addPair(&reader, hasLease: false)
      case .leasedPair:
        guard view == nil else { throw MalformedBytes("snapshot: a pair after the changes") }
        try addPair(&reader, hasLease: true)
      case .put: try put(&reader, hasLease: false)
      case .leasedPut: try put(&reader, hasLease: true)
      case .delete: try delete(&reader)
      case .lease: try grant(&reader)
      case .end:
        try reader.expectEnd()
        return try finish()
      case nil: throw MalformedBytes("snapshot: kind of record")
      }
    }
    return nil
  }

  private mutating func grant(_ reader: inout ByteReader) throws(MalformedBytes) {
    guard builder.count == 0, view == nil else { throw MalformedBytes("snapshot: a lease after the pairs") }
    let id = try reader.readLease()
    let timeToLive = try reader.readInt64()
    guard lastLease.map({ $0 < id }) ?? true, leases.count < Limits.leases else { throw MalformedBytes("snapshot: leases out of order") }
    guard Limits.minimumLeaseSeconds...Limits.maximumLeaseSeconds ~= timeToLive else { throw MalformedBytes("snapshot: a lease's time") }
    leases.grant(id, timeToLive: timeToLive)
    lastLease = id
  }

  private mutating func addPair(_ reader: inout ByteReader, hasLease: Bool) throws(MalformedBytes) {
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

  /// The store with all pairs, to which changes are made. Taken out, so that they are made in place.
  private mutating func takeView() -> KeyValueView {
    if let view = view.take() { return view }
    var view = KeyValueView(revision: 1, tree: builder.finish())
    view.changes = ChangeLog(start: header.start)
    return view
  }

  private func readRevision(_ reader: inout ByteReader, after view: KeyValueView) throws(MalformedBytes) -> Revision {
    let revision = try reader.readInt64()
    let last = view.changes.end > header.start ? view.changes[view.changes.end - 1].item.modRevision : 2
    guard last <= revision, revision <= header.revision else { throw MalformedBytes("snapshot: a change's revision") }
    return revision
  }

  private mutating func put(_ reader: inout ByteReader, hasLease: Bool) throws(MalformedBytes) {
    var view = takeView()
    let revision = try readRevision(&reader, after: view)
    let lease = hasLease ? try reader.readLease() : 0
    let key = try reader.readPrefixed()
    let value = try reader.readPrefixed()
    try Item.checkSizes(key, value)
    let last = view.tree.item(for: key) ?? view.deleted.item(for: key)
    guard (last?.modRevision ?? 0) < revision else { throw MalformedBytes("snapshot: a key changed twice in one revision") }
    _ = view.store(key, at: revision) { _ in (Value(value), lease) }
    self.view = view
  }

  private mutating func delete(_ reader: inout ByteReader) throws(MalformedBytes) {
    var view = takeView()
    let revision = try readRevision(&reader, after: view)
    let key = try reader.readPrefixed()
    guard let item = view.tree.item(for: key) else { throw MalformedBytes("snapshot: a deleted key that was not there") }
    guard item.modRevision < revision else { throw MalformedBytes("snapshot: a key changed twice in one revision") }
    view.tree.remove(key)
    view.bury(item, at: revision)
    self.view = view
  }

  private mutating func finish() throws(MalformedBytes) -> KeyValueView {
    var view = takeView()
    view.revision = header.revision
    view.compactRevision = header.compactRevision
    view.firstChange = view.changes.first(from: header.compactRevision)
    view.compactedSize = view.changes.size(before: view.firstChange)
    view.settings = header.settings
    view.isOutOfSpace = header.isOutOfSpace
    view.leases = leases
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
