import Raft

extension WriteAheadLog {
  /// Opens the log in `disk`, or makes an empty one, and gives back what it holds. What is given back is durable.
  ///
  /// Recovery cuts a torn batch at the end, which was never durable; it never cuts damage, but throws `.damaged`. One limit: a disk that
  /// dropped the last write although it had confirmed it cannot be told from a loss of power. A node whose identity says that it belongs to
  /// a cluster must have a log: otherwise it has lost what it promised, and is refused.
  public static func open(
    _ disk: D, identity: StorageIdentity, options: LogOptions = .init()
  ) throws(StorageError) -> (WriteAheadLog, Recovered) {
    // The last process may have ended before its directory was synced: names first, since what follows relies on them.
    try onDisk { () throws(DiskError) in try disk.syncDirectory() }
    let names = try onDisk { () throws(DiskError) in try disk.list() }
    let record = try IdentityRecord.read(disk, names: names)
    try record?.check(is: identity)
    var repairs: [String] = []
    let images = try readSegments(disk, names, repairs: &repairs)
    let vote = try openVote(disk, identity, hasLog: !images.isEmpty, repairs: &repairs)
    guard !images.isEmpty else {
      if let record, case .formed = record.phase {
        throw .damaged(file: NumberedName.make(Segment.prefix, 1), offset: 0, what: "the log is missing")
      }
      return try makeEmpty(disk, identity, options, vote: vote)
    }
    return try recover(images, disk, identity, options, vote: vote, repairs: repairs)
  }

  /// The segments, oldest first, without one at the end that was not finished.
  private static func readSegments(_ disk: D, _ names: [String], repairs: inout [String]) throws(StorageError) -> [SegmentImage] {
    var images: [SegmentImage] = []
    for number in NumberedName.parse(names, prefix: Segment.prefix) { images.append(try SegmentImage(number, on: disk)) }
    if let newest = images.last, newest.isBlank {
      try onDisk { () throws(DiskError) in
        try disk.remove(newest.name)
        try disk.syncDirectory()
      }
      images.removeLast()
      repairs.append("\(newest.name): it was not finished, and was removed")
    }
    return images
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

  private static func makeEmpty(
    _ disk: D, _ identity: StorageIdentity, _ options: LogOptions, vote: VoteFile<D>
  ) throws(StorageError) -> (WriteAheadLog, Recovered) {
    let header = SegmentHeader(segment: 1, firstBatch: 1, chain: Chain(), base: .zero, commit: 0)
    let (file, segment) = try create(header, on: disk, identity, options)
    let log = WriteAheadLog(
      disk, identity, options, vote: vote, file: file, nextSector: 1, nextBatch: 1, chain: Chain(), shape: LogShape(first: segment),
      commit: 0)
    return (log, Recovered(hardState: vote.hardState, start: .zero, entries: [], commit: 0, repairs: []))
  }

  private static func recover(
    _ images: [SegmentImage], _ disk: D, _ identity: StorageIdentity, _ options: LogOptions, vote: VoteFile<D>, repairs: [String]
  ) throws(StorageError) -> (WriteAheadLog, Recovered) {
    var repairs = repairs
    var replay = try LogReplay(images[0], identity: identity, isNewest: images.count == 1)
    for (position, image) in images.enumerated().dropFirst() {
      try replay.add(image, identity: identity, isNewest: position == images.count - 1)
    }
    let file = try settle(images[images.count - 1], replay.tail, disk, repairs: &repairs)
    let remains = try replay.dropUnreadable()
    for name in remains {
      try onDisk { () throws(DiskError) in
        try disk.remove(name)
        try disk.syncDirectory()
      }
    }
    let commit = min(replay.commit, replay.shape.last.index)
    let log = WriteAheadLog(
      disk, identity, options, vote: vote, file: file, nextSector: replay.tail.end, nextBatch: replay.nextBatch, chain: replay.chain,
      shape: replay.shape, commit: commit)
    let recovered = Recovered(
      hardState: vote.hardState, start: replay.shape.start, entries: replay.entries, commit: commit, repairs: repairs)
    return (log, recovered)
  }

  /// Makes the end of the log durable: writes the last batch again, since it may be in the page cache only (and, after a sync that failed,
  /// be taken for clean there), and zeros over a torn one.
  private static func settle(
    _ image: SegmentImage, _ tail: LogReplay.Tail, _ disk: D, repairs: inout [String]
  ) throws(StorageError) -> D.File {
    var bytes = image.raw(at: tail.lastWrite, sectors: tail.end - tail.lastWrite)
    if tail.tornEnd > tail.end {
      bytes.append(contentsOf: repeatElement(0, count: (tail.tornEnd - tail.end) * Sector.size))
      repairs.append("\(image.name): a batch at byte \(tail.end * Sector.size) that was never durable was cut")
    }
    return try onDisk { () throws(DiskError) in
      let file = try disk.open(image.name, create: false)
      try disk.write(file, offset: tail.lastWrite * Sector.size, bytes)
      try disk.sync(file)
      return file
    }
  }
}
