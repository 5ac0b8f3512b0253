import ByteCoding
import Raft

/// Reads the segments from the oldest to the newest, and does again what their batches did.
struct LogReplay {
  private(set) var shape: LogShape
  private(set) var entries: [Entry] = []
  private(set) var commit: LogIndex
  /// Number of the next batch, and the chain before it.
  private(set) var nextBatch: UInt64
  private(set) var chain: Chain
  private(set) var tail: Tail

  /// The end of the newest segment: what may be in the page cache only, and has to be made durable.
  struct Tail {
    /// First sector of the last batch; the header's, when there is none.
    var lastWrite: Int
    /// First sector after it.
    var end: Int
    /// First sector after a torn batch that follows; `end`, when there is none.
    var tornEnd: Int
  }

  /// Begins with the oldest segment.
  init(_ image: SegmentImage, identity: StorageIdentity, isNewest: Bool) throws(StorageError) {
    let header = try image.header(for: identity)
    shape = LogShape(first: Segment(number: header.segment, base: header.base, size: image.size))
    commit = min(header.commit, header.base.index)
    nextBatch = header.firstBatch
    chain = header.chain
    tail = Tail(lastWrite: 0, end: 1, tornEnd: 1)
    try read(image, isNewest: isNewest)
  }

  /// Goes on with the next one.
  mutating func add(_ image: SegmentImage, identity: StorageIdentity, isNewest: Bool) throws(StorageError) {
    let header = try image.header(for: identity)
    guard header.segment == shape.current.number &+ 1 else {
      let missing = NumberedName.make(Segment.prefix, shape.current.number &+ 1)
      throw .damaged(file: missing, offset: 0, what: "the file is missing between \(shape.current.name) and \(image.name)")
    }
    guard header.firstBatch == nextBatch, header.chain == chain else {
      throw image.damage(at: 0, "it follows batch \(header.firstBatch &- 1), but \(shape.current.name) ends with batch \(nextBatch &- 1)")
    }
    guard header.base == shape.last else {
      throw image.damage(at: 0, "it follows entry \(header.base.index), but \(shape.current.name) ends with entry \(shape.last.index)")
    }
    shape.add(Segment(number: header.segment, base: header.base, size: image.size))
    commit = max(commit, min(header.commit, header.base.index))
    tail = Tail(lastWrite: 0, end: 1, tornEnd: 1)
    try read(image, isNewest: isNewest)
  }

  /// Drops what a removal of old segments has left, when the power went in the middle of it: segments from which no log can be read.
  /// Returns their names.
  mutating func dropUnreadable() throws(StorageError) -> [String] {
    guard let first = shape.firstReadable else {
      throw .damaged(file: shape.segments[0].name, offset: 0, what: "segments before it are missing")
    }
    let names = shape.segments[..<first].map(\.name)
    let before = shape.start.index
    for _ in 0..<first { shape.removeOldest() }
    entries.removeFirst(min(entries.count, Int(clamping: shape.start.index - before)))
    return names
  }

  private mutating func read(_ image: SegmentImage, isNewest: Bool) throws(StorageError) {
    while true {
      switch try image.next(at: tail.end, batch: nextBatch, chain: chain) {
      case .batch(let sectors, let chain):
        try replay(image, sectors: sectors)
        self.chain = chain
        nextBatch &+= 1
        tail = Tail(lastWrite: tail.end, end: tail.end + sectors, tornEnd: tail.end + sectors)
      case .torn(let end):
        guard isNewest else { throw image.damage(at: tail.end, "batch \(nextBatch) is not complete, but a later segment follows") }
        tail.tornEnd = end
        return
      case .end:
        return
      }
    }
  }

  private mutating func replay(_ image: SegmentImage, sectors: Int) throws(StorageError) {
    let (records, hint) = try image.records(at: tail.end, sectors: sectors, batch: nextBatch, chain: chain)
    var effect = BatchEffect()
    do throws(MalformedBytes) {
      for record in records {
        switch record {
        case .reset(let position):
          entries.removeAll()
          commit = min(commit, position.index)
          effect.reset(to: position)
        case .entry(let entry):
          try append(entry, following: effect)
          effect.append(entry.position)
        }
      }
    } catch {
      throw image.damage(at: tail.end, error.description)
    }
    shape.apply(effect)
    guard hint <= shape.last.index || image.isOfVersion1 else {
      throw image.damage(at: tail.end, "entries up to \(hint) are committed, but the log ends with entry \(shape.last.index)")
    }
    // What lies beyond the end of the log then is not what the commit index spoke of, if it ever comes.
    commit = max(commit, min(hint, shape.last.index))
  }

  /// Adds an entry; those at and behind its index are void.
  private mutating func append(_ entry: Entry, following effect: BatchEffect) throws(MalformedBytes) {
    let last = effect.last ?? effect.reset ?? shape.last
    guard entry.index <= last.index &+ 1 else { throw MalformedBytes("entry \(entry.index): it follows entry \(last.index)") }
    entries.removeLast(min(entries.count, Int(clamping: last.index - (entry.index - 1))))
    entries.append(entry)
    // It may have been written before, and be written again behind what follows it: what was said of that has to be said again.
    commit = min(commit, entry.index - 1)
  }
}
