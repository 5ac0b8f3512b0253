import Raft

/// Room for batches: free sectors ahead, and going on in a new file.
extension LogStore {
  /// Sees to it that the next batch, of `sectors` sectors, finds durable free sectors at `nextSector`, and one more behind them: so zeros
  /// there prove that something was lost. As a rule they are there already.
  mutating func reserve(sectors: Int) throws(StorageError) {
    let end = nextSector + sectors + 1
    if isClosed || nextSector > 1 && end * Sector.size > options.segmentSize { return try beginSegment(sectors: sectors) }
    guard end > freeEnd else { return }
    try fill(through: Self.fillTarget(end, options))
    try makeDurable()
  }

  /// Marks sectors free for the batches to come, so that the sync of this one, of `sectors` sectors, makes them durable: at least for
  /// another of its size. A full disk is for the batch to find that has no room.
  mutating func makeRoomAhead(sectors: Int) throws(StorageError) {
    let wanted = nextSector + max(sectors, options.fillStep / Sector.size / 2) + 1
    guard freeEnd < min(wanted, options.segmentSize / Sector.size) else { return }
    do throws(StorageError) {
      try fill(through: min(Self.fillTarget(wanted, options), options.segmentSize / Sector.size))
    } catch {
      guard case .full = error else { throw error }
    }
  }

  private mutating func fill(through end: Int) throws(StorageError) {
    isDirty = true
    while freeEnd < end {
      let next = min(end, freeEnd + options.fillStep / Sector.size)
      do {
        try disk.fill(file, offset: freeEnd * Sector.size, Sector.free(segment: shape.current.number, freeEnd..<next))
      } catch {
        throw error.isShortage ? .full(error) : .disk(error)
      }
      freeEnd = next
      shape.growCurrent(to: freeEnd * Sector.size)
    }
  }

  /// How far a segment is filled of which `end` sectors are needed: a whole number of steps, but not beyond its size, as long as they fit.
  private static func fillTarget(_ end: Int, _ options: LogOptions) -> Int {
    let step = options.fillStep / Sector.size
    return max(min((end + step - 1) / step * step, options.segmentSize / Sector.size), end)
  }

  /// Makes the next segment, with room for a batch of `sectors` sectors, and goes on there. All that was written before must be durable.
  private mutating func beginSegment(sectors: Int) throws(StorageError) {
    let header = SegmentHeader(
      segment: shape.current.number + 1, firstBatch: nextBatch, chain: chain, base: shape.last, commit: writtenCommit)
    let (file, segment) = try Self.create(header, sectors: sectors, on: disk, identity, options)
    disk.close(self.file)
    self.file = file
    nextSector = 1
    freeEnd = segment.size / Sector.size
    isClosed = false
    // What was read of the segment before may lack what was written to it since.
    lastRead = nil
    shape.add(segment)
  }

  /// A segment's file, with its header and free sectors. It has its name when all of that is durable: whatever is missing of a segment has
  /// been lost. Throws `.full` if there is no room: the same call may be made again.
  static func create(
    _ header: SegmentHeader, sectors: Int, on disk: D, _ identity: StorageIdentity, _ options: LogOptions
  ) throws(StorageError) -> (D.File, Segment) {
    let end = fillTarget(1 + sectors + 1, options)
    let segment = Segment(number: header.segment, base: header.base, size: end * Sector.size)
    let temporary = segment.name + Segment.temporarySuffix
    let bytes = header.encoded(for: identity) + Sector.free(segment: header.segment, 1..<end)
    return try making { () throws(StorageError) in
      try onDisk { () throws(DiskError) in
        do {
          let file = try disk.open(temporary, create: true)
          defer { disk.close(file) }
          try disk.fill(file, offset: 0, bytes)
          try disk.sync(file)
        }
        try disk.rename(temporary, to: segment.name)
        try disk.syncDirectory()
        return (try disk.open(segment.name, create: false), segment)
      }
    }
  }
}
