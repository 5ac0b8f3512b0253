import Raft

/// Room for batches: filling ahead, and going on in a new file.
extension WriteAheadLog {
  /// Sees to it that the next batch, of `sectors` sectors, can be written at `nextSector` without the file growing.
  mutating func reserve(sectors: Int) throws(StorageError) {
    if nextSector > 1, (nextSector + sectors) * Sector.size > options.segmentSize { try beginSegment() }
    let end = (nextSector + sectors) * Sector.size
    let size = shape.current.size
    guard end > size else { return }
    // A whole number of steps, but not beyond the segment's size, as long as the batch fits.
    let steps = (end + options.fillStep - 1) / options.fillStep * options.fillStep
    let target = max(min(steps, options.segmentSize), end)
    try Self.fill(disk, file, from: size, to: target)
    shape.resizeCurrent(to: target)
  }

  /// Makes the next segment and goes on there. All that was written before must be durable.
  private mutating func beginSegment() throws(StorageError) {
    let header = SegmentHeader(
      segment: shape.current.number + 1, firstBatch: nextBatch, chain: chain, base: shape.last, commit: writtenCommit)
    let (file, segment) = try Self.create(header, on: disk, identity, options)
    disk.close(self.file)
    self.file = file
    nextSector = 1
    // What was read of the segment before may lack what was written to it since.
    lastRead = nil
    shape.add(segment)
  }

  /// A segment's file with its header: durable, under its name, before anything is written into it.
  static func create(
    _ header: SegmentHeader, on disk: D, _ identity: StorageIdentity, _ options: LogOptions
  ) throws(StorageError) -> (D.File, Segment) {
    let segment = Segment(number: header.segment, base: header.base, size: options.fillStep)
    let file: D.File
    do {
      file = try disk.open(segment.name, create: true)
    } catch {
      throw error.isShortage ? .full(error) : .disk(error)
    }
    do {
      // The room first: a full disk leaves a file of zeros, which says nothing and which recovery removes.
      try fill(disk, file, from: 0, to: options.fillStep)
      try onDisk { () throws(DiskError) in
        try disk.write(file, offset: 0, header.encoded(for: identity))
        try disk.sync(file)
        try disk.syncDirectory()
      }
    } catch {
      disk.close(file)
      throw error
    }
    return (file, segment)
  }

  /// Writes zeros. A full disk is not a failure here: zeros can be written again.
  private static func fill(_ disk: D, _ file: D.File, from start: Int, to end: Int) throws(StorageError) {
    do {
      try disk.fill(file, from: start, to: end)
    } catch {
      throw error.isShortage ? .full(error) : .disk(error)
    }
  }
}
