import ByteCoding
import Raft

/// A node's log and hard state on one disk.
///
/// `append` and `sync` are apart, so that all that waits shares one sync. The rule behind the format: a batch is written only when the one
/// before is durable, and only over durable sectors that are marked free; so recovery can tell a batch that was torn from one that is
/// damaged or lost. `Docs/Formats.md` gives every byte.
///
/// After a failed write or sync the log is poisoned: what is durable is not known any more, and asking again would prove nothing (Rebello
/// et al., "Can Applications Recover from fsync Failures?", ATC 2020). Every later call throws `.poisoned`; `open` finds out what is there.
public struct LogStore<D: Disk> {
  let disk: D
  let identity: StorageIdentity
  let options: LogOptions
  var vote: VoteFile<D>
  /// The newest segment's file, and the first sector in it that was never written.
  var file: D.File
  var nextSector: Int
  /// Behind the last sector from there on that was marked free. They are durable unless `isDirty`.
  var freeEnd: Int
  /// An older release wrote the newest segment: nothing is added to it.
  var isClosed = false
  var nextBatch: UInt64
  var chain: Chain
  var shape: LogShape
  /// The newest commit index that speaks of what has been written or stands in the batch that is being made. Never beyond their end.
  var commit: LogIndex
  /// The same of what has been written: what stands in the batch may be still to replace what lies there.
  var writtenCommit: LogIndex
  /// A batch or free sectors were written, and not made durable.
  var isDirty = false
  /// What `open` found wrong and put right, for the operator.
  public internal(set) var repairs: [String] = []
  /// The segment that `read` looked at last.
  var lastRead: SegmentEntries?
  private var batch = BatchBuilder()
  private var failure: DiskError?

  init(
    _ disk: D, _ identity: StorageIdentity, _ options: LogOptions, vote: VoteFile<D>, file: D.File, nextSector: Int, freeEnd: Int,
    nextBatch: UInt64, chain: Chain, shape: LogShape, commit: LogIndex
  ) {
    self.disk = disk
    self.identity = identity
    self.options = options
    self.vote = vote
    self.file = file
    self.nextSector = nextSector
    self.freeEnd = freeEnd
    self.nextBatch = nextBatch
    self.chain = chain
    self.shape = shape
    self.commit = commit
    writtenCommit = commit
  }

  /// Writes, in order. A new hard state is durable when this returns, the rest after the next `sync`. The caller should give all that waits
  /// in one call: a call first makes durable what earlier ones wrote, and what exceeds `LogOptions.batchSize` is synced on the way.
  ///
  /// Throws `.refused`, with nothing written, if entries are not contiguous, begin at or before a snapshot's position, or are too large.
  /// Throws `.full` if there is no room: part of `writes` may have been written, and the same call may be made again.
  public mutating func append(_ writes: [LogWrite]) throws(StorageError) {
    try guarded { log throws(StorageError) in
      // What stands before a reset is void. Were it written, the call could not be made again: it would lie before the log.
      let valid = writes[(writes.lastIndex { $0.reset != nil } ?? 0)...]
      try log.check(valid)
      if let hardState = writes.last(where: { $0.hardState != nil })?.hardState, hardState != log.vote.hardState {
        try log.vote.update(log.disk, to: hardState)
      }
      defer { log.batch.removeAll() }
      for (write, kept) in zip(valid, Self.kept(of: valid)) { try log.add(write, only: kept) }
      try log.writeBatch()
    }
  }

  /// Makes durable all that was appended, with one sync.
  public mutating func sync() throws(StorageError) {
    try guarded { log throws(StorageError) in try log.makeDurable() }
  }

  /// Removes the oldest segments, as far as all their entries are at or before `index`: the caller has them in a durable snapshot.
  public mutating func compact(through index: LogIndex) throws(StorageError) {
    try guarded { log throws(StorageError) in
      try log.makeDurable()
      // One after the other, from the oldest: whatever survives a loss of power has no gap.
      for _ in 0..<log.shape.removable(through: index) {
        let name = log.shape.segments[0].name
        try onDisk { () throws(DiskError) in
          try log.disk.remove(name)
          try log.disk.syncDirectory()
        }
        log.shape.removeOldest()
      }
    }
  }

  /// Closes the files. The log must not be used afterwards; what was not synced may not be durable.
  public func close() {
    vote.close(disk)
    disk.close(file)
  }

  /// Index of the last entry, written or replaced by a snapshot.
  public var lastIndex: LogIndex { shape.last.index }
  /// Position before the first entry that the log keeps.
  public var start: LogPosition { shape.start }
  /// The newest hard state, durable.
  public var hardState: HardState { vote.hardState }
  /// Files that hold the log.
  public var segmentCount: Int { shape.segments.count }
  /// Bytes of these files.
  public var bytesOnDisk: Int { shape.segments.reduce(0) { $0 + $1.size } }
  /// What failed, once nothing more can be written.
  public var poison: DiskError? { failure }

  /// Runs one call, unless an earlier one failed; if this one does, it is the last.
  @inline(__always)
  private mutating func guarded(_ call: (inout LogStore) throws(StorageError) -> Void) throws(StorageError) {
    if let failure { throw .poisoned(by: failure) }
    do {
      try call(&self)
    } catch {
      if case .disk(let failure) = error { self.failure = failure }
      throw error
    }
  }

  private func check(_ writes: ArraySlice<LogWrite>) throws(StorageError) {
    var start = shape.start.index
    var last = shape.last.index
    for write in writes {
      if let position = write.reset {
        start = position.index
        last = position.index
      }
      for entry in write.entries {
        guard entry.index > start, entry.index <= last &+ 1 else {
          throw .refused(what: "entry \(entry.index) cannot follow a log that begins after \(start) and ends with \(last)")
        }
        guard entry.term > 0, entry.record.count <= Entry.headerSize + Entry.maximumPayloadSize else {
          throw .refused(what: "entry \(entry.index) has term \(entry.term) and \(entry.record.count) bytes")
        }
        last = entry.index
      }
    }
  }

  /// How many entries of each write still count when all of them are done: what a later write of the call replaces is never written. So a
  /// call that is made again after a full disk writes nothing over what it wrote before, and the log goes forward only.
  private static func kept(of writes: ArraySlice<LogWrite>) -> [Int] {
    var lowest = LogIndex.max
    var kept: [Int] = []
    for write in writes.reversed() {
      guard let first = write.entries.first?.index else {
        kept.append(0)
        continue
      }
      kept.append(lowest > first ? Int(clamping: min(lowest - first, UInt64(write.entries.count))) : 0)
      lowest = min(lowest, first)
    }
    return kept.reversed()
  }

  /// The commit index speaks of the entries that it came with: it rises with them, never ahead. If what it has spoken of is written again,
  /// it falls with that.
  private mutating func add(_ write: LogWrite, only kept: Int) throws(StorageError) {
    if let position = write.reset {
      batch.append(reset: position)
      commit = max(min(commit, position.index), min(write.commit, position.index))
    }
    for entry in write.entries[..<kept] {
      if batch.recordBytes + entry.record.count > options.batchSize { try writeBatch() }
      batch.append(entry)
      commit = max(min(commit, entry.index - 1), min(write.commit, entry.index))
    }
    if write.entries.isEmpty { commit = max(commit, min(write.commit, batch.effect.end ?? shape.last.index)) }
  }

  mutating func makeDurable() throws(StorageError) {
    guard isDirty else { return }
    try onDisk { () throws(DiskError) in try disk.sync(file) }
    isDirty = false
  }

  private mutating func writeBatch() throws(StorageError) {
    guard !batch.isEmpty else { return }
    try makeDurable()
    try reserve(sectors: batch.sectors)
    chain = batch.seal(batch: nextBatch, segment: shape.current.number, first: nextSector, chain: chain, commit: commit)
    isDirty = true
    try onDisk { () throws(DiskError) in try disk.write(file, offset: nextSector * Sector.size, batch.bytes) }
    nextSector += batch.sectors
    nextBatch += 1
    writtenCommit = commit
    shape.apply(batch.effect)
    let written = batch.sectors
    batch.removeAll()
    try makeRoomAhead(sectors: written)
  }
}

extension LogStore: Sendable where D: Sendable {}

/// Sizes of the log's files and writes, in bytes. Out of range values are brought into range.
public struct LogOptions: Sendable {
  /// A segment that has reached this is not written any more: 4 KiB to 64 MiB. Only a batch that alone is larger makes a segment larger.
  public let segmentSize: Int
  /// The steps in which a segment grows, ahead of the records: 4 KiB to 1 MiB. The first step is all the disk that an empty log takes.
  public let fillStep: Int
  /// A batch that has reached this is written and made durable before more is added: up to 16 MiB.
  public let batchSize: Int

  public init(segmentSize: Int = 4 << 20, fillStep: Int = 256 << 10, batchSize: Int = 8 << 20) {
    self.segmentSize = Self.wholePages(min(max(segmentSize, 4 << 10), 64 << 20))
    self.fillStep = Self.wholePages(min(max(fillStep, 4 << 10), Self.largestFillStep))
    self.batchSize = min(max(batchSize, 1), 16 << 20)
  }

  static let largestFillStep = 1 << 20

  private static func wholePages(_ size: Int) -> Int { (size + 4095) / 4096 * 4096 }
}
