import Raft

extension LogStore {
  /// Opens the log in `disk`, or makes an empty one, and gives back what it holds. What is given back is durable.
  ///
  /// Recovery cuts a torn batch at the end, which was never durable; it never cuts damage, but throws `.damaged`. One limit: a disk that
  /// dropped the last write although it had confirmed it, and has what lay there before, cannot be told from a loss of power. Whether there
  /// must be a log already, since the node is a member of a cluster, is for the identity to say: read it before, with `DataDirectory.load`.
  public static func open(
    _ disk: D, identity: StorageIdentity, options: LogOptions = .init()
  ) throws(StorageError) -> (LogStore, DurableState) {
    // The last process may have ended before its directory was synced: names first, since what follows relies on them.
    try onDisk { () throws(DiskError) in try disk.syncDirectory() }
    let names = try onDisk { () throws(DiskError) in try disk.list() }
    var repairs: [String] = []
    var images = try readSegments(disk, names)
    let unfinished = takeUnfinished(from: &images)
    let vote = try openVote(disk, identity, hasLog: !images.isEmpty, repairs: &repairs)
    guard !images.isEmpty else {
      try remove(Segment.unfinished(names), disk)
      return try makeEmpty(disk, identity, options, vote: vote)
    }
    if let unfinished { repairs.append("\(unfinished): it was not finished, and was removed") }
    return try recover(
      images, disk, identity, options, vote: vote, repairs: repairs, unfinished: Segment.unfinished(names) + [unfinished].compactMap(\.self)
    )
  }

  /// The segments, oldest first.
  private static func readSegments(_ disk: D, _ names: [String]) throws(StorageError) -> [SegmentImage] {
    var images: [SegmentImage] = []
    for number in NumberedName.parse(names, prefix: Segment.prefix) { images.append(try SegmentImage(number, on: disk)) }
    return images
  }

  /// Version 1 made a segment under its own name, and could leave zeros there: of the first one, or behind one that it wrote. Whether the
  /// first may be missing is for the vote to say.
  private static func takeUnfinished(from images: inout [SegmentImage]) -> String? {
    guard let newest = images.last, newest.isUnfinished, images.dropLast().last?.isOfVersion1 ?? (newest.number == 1) else { return nil }
    images.removeLast()
    return newest.name
  }

  /// The hard state is older than the log, and the log older than the first update of the hard state: none can be there without the other.
  private static func openVote(
    _ disk: D, _ identity: StorageIdentity, hasLog: Bool, repairs: inout [String]
  ) throws(StorageError) -> VoteFile<D> {
    if let vote = try VoteFile.open(disk, identity: identity, repairs: &repairs) {
      guard hasLog || vote.sequence == 1 else {
        throw .damaged(file: NumberedName.make(Segment.prefix, 1), offset: 0, what: "the log is missing, although the node has voted")
      }
      return vote
    }
    guard !hasLog else { throw .damaged(file: VoteFile<D>.name, offset: 0, what: "the vote is missing, although there is a log") }
    return try VoteFile.create(disk, identity: identity)
  }

  /// One after the other: whatever survives a loss of power has no gap.
  private static func remove(_ names: [String], _ disk: D) throws(StorageError) {
    for name in names {
      try onDisk { () throws(DiskError) in
        try disk.remove(name)
        try disk.syncDirectory()
      }
    }
  }

  /// An attempt that failed has left nothing: a file whose sync failed may lack what it seems to hold.
  private static func makeEmpty(
    _ disk: D, _ identity: StorageIdentity, _ options: LogOptions, vote: VoteFile<D>
  ) throws(StorageError) -> (LogStore, DurableState) {
    let header = SegmentHeader(segment: 1, firstBatch: 1, chain: Chain(), base: .zero, commit: 0)
    let (file, segment) = try create(header, sectors: 0, on: disk, identity, options)
    let log = LogStore(
      disk, identity, options, vote: vote, file: file, nextSector: 1, freeEnd: segment.size / Sector.size, nextBatch: 1, chain: Chain(),
      shape: LogShape(first: segment), commit: 0)
    return (log, DurableState(hardState: vote.hardState))
  }

  private static func recover(
    _ images: [SegmentImage], _ disk: D, _ identity: StorageIdentity, _ options: LogOptions, vote: VoteFile<D>, repairs: [String],
    unfinished: [String]
  ) throws(StorageError) -> (LogStore, DurableState) {
    var repairs = repairs
    var replay = try LogReplay(images[0], identity: identity, isNewest: images.count == 1)
    for (position, image) in images.enumerated().dropFirst() {
      try replay.add(image, identity: identity, isNewest: position == images.count - 1)
    }
    let remains = try replay.dropUnreadable()
    let newest = images[images.count - 1]
    let (file, freeEnd) = try settle(newest, replay.tail, disk, options, repairs: &repairs)
    try remove(unfinished + remains, disk)
    let commit = min(replay.commit, replay.shape.last.index)
    var log = LogStore(
      disk, identity, options, vote: vote, file: file, nextSector: replay.tail.end, freeEnd: freeEnd, nextBatch: replay.nextBatch,
      chain: replay.chain, shape: replay.shape, commit: commit)
    log.isClosed = newest.isOfVersion1
    log.repairs = repairs
    return (log, DurableState(hardState: vote.hardState, start: replay.shape.start, entries: replay.entries, commit: commit))
  }

  /// Makes the end of the log durable: writes the last batch again, since it may be in the page cache only (and, after a sync that failed,
  /// be taken for clean there), and behind it free sectors, over a torn one too. Gives the first sector that is not known to be free.
  private static func settle(
    _ image: SegmentImage, _ tail: LogReplay.Tail, _ disk: D, _ options: LogOptions, repairs: inout [String]
  ) throws(StorageError) -> (D.File, freeEnd: Int) {
    var bytes = image.raw(at: tail.lastWrite, sectors: tail.end - tail.lastWrite)
    if tail.tornEnd > tail.end {
      repairs.append("\(image.name): a batch at byte \(tail.end * Sector.size) that was never durable was cut")
    }
    var freeEnd = tail.tornEnd
    if image.isOfVersion1 {
      bytes.append(contentsOf: repeatElement(0, count: (tail.tornEnd - tail.end) * Sector.size))
    } else {
      // No more than the file has: a full disk must not keep a node from its start.
      freeEnd = max(freeEnd, min(image.sectorCount, tail.end + options.fillStep / Sector.size))
      bytes += Sector.free(segment: image.number, tail.end..<freeEnd)
    }
    return try onDisk { () throws(DiskError) in
      let file = try disk.open(image.name, create: false)
      try disk.write(file, offset: tail.lastWrite * Sector.size, bytes)
      try disk.sync(file)
      return (file, freeEnd)
    }
  }
}
