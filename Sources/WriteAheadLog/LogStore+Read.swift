import Raft

/// Entries that follow each other, read back from the log.
public struct LogPiece: Sendable, Equatable {
  /// The position before the first of `entries`.
  public let previous: LogPosition
  /// Contiguous; at least one.
  public let entries: [Entry]

  public init(previous: LogPosition, entries: [Entry]) {
    self.previous = previous
    self.entries = entries
  }
}

/// What one segment holds that still counted when it was read: kept, since a reader of the log continues where it stopped.
struct SegmentEntries {
  let number: UInt64
  /// The log's next batch then: the newest segment may have grown since.
  let nextBatch: UInt64
  private(set) var entries: [Entry] = []

  /// Reads and verifies the whole segment.
  init(_ image: SegmentImage, identity: StorageIdentity, nextBatch: UInt64) throws(StorageError) {
    number = image.number
    self.nextBatch = nextBatch
    let header = try image.header(for: identity)
    var (batch, chain, sector) = (header.firstBatch, header.chain, 1)
    while batch != nextBatch, case .batch(let sectors, let next) = try image.next(at: sector, batch: batch, chain: chain) {
      for record in try image.records(at: sector, sectors: sectors, batch: batch, chain: chain).records {
        switch record {
        case .reset: entries.removeAll()
        case .entry(let entry):
          // What it overwrites here is void; what it overwrites in older segments is not known here.
          if let last = entries.last, entry.index <= last.index {
            entries.removeLast(min(entries.count, Int(last.index - entry.index) + 1))
          }
          entries.append(entry)
        }
      }
      chain = next
      sector += sectors
      batch &+= 1
    }
  }

  subscript(index: LogIndex) -> Entry? {
    guard let first = entries.first?.index, index >= first, index - first < UInt64(entries.count) else { return nil }
    return entries[Int(index - first)]
  }
}

extension LogStore {
  /// Entries that follow `index`, up to `last`: as many as one segment holds of them and as fit in `limit` bytes, but at least one.
  ///
  /// `nil` if the log no longer holds what is asked for, or not yet. Throws `.damaged` if it does not verify: the log itself goes on. Costs
  /// the reading of a segment, unless the last call read the same one.
  public mutating func read(after index: LogIndex, through last: LogIndex, limit: Int) throws(StorageError) -> LogPiece? {
    guard index < last, let previous = try position(at: index) else { return nil }
    guard let segment = shape.segment(holding: index + 1) else { return nil }
    let held = try entries(of: segment)
    var entries: [Entry] = []
    var bytes = 0
    var next = index + 1
    while next <= min(last, segment.highest), let entry = held[next], entries.isEmpty || bytes + entry.record.count <= limit {
      entries.append(entry)
      bytes += entry.record.count
      next += 1
    }
    return entries.isEmpty ? nil : LogPiece(previous: previous, entries: entries)
  }

  private mutating func position(at index: LogIndex) throws(StorageError) -> LogPosition? {
    if index == shape.start.index { return index > 0 && shape.start.term == 0 ? nil : shape.start }
    guard let segment = shape.segment(holding: index) else { return nil }
    // Where a segment begins, its header has the answer, and the older one need not be read.
    if let next = shape.segments.first(where: { $0.base.index == index && !$0.baseIsVoid && $0.number > segment.number }) {
      return next.base
    }
    return try entries(of: segment)[index]?.position
  }

  private mutating func entries(of segment: Segment) throws(StorageError) -> SegmentEntries {
    if let lastRead, lastRead.number == segment.number, segment.number != shape.current.number || lastRead.nextBatch == nextBatch {
      return lastRead
    }
    lastRead = nil
    let read = try SegmentEntries(SegmentImage(segment.number, on: disk), identity: identity, nextBatch: nextBatch)
    lastRead = read
    return read
  }
}
