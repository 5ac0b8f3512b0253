/// The part of the log that is still needed, in memory: what lies before `start` is in a snapshot. Its size is bounded by the owner, who
/// compacts it.
struct MemoryLog: Sendable {
  /// The position before the first entry.
  private(set) var start: LogPosition
  private var entries: [Entry]
  /// Bytes of all entries' records.
  private(set) var bytes: Int

  init(start: LogPosition, entries: [Entry]) {
    self.start = start
    self.entries = entries
    bytes = entries.reduce(0) { $0 + $1.record.count }
  }

  var lastIndex: LogIndex { start.index + UInt64(entries.count) }
  var last: LogPosition { entries.last?.position ?? start }

  /// `nil` for what is compacted or not there yet.
  func term(at index: LogIndex) -> Term? {
    if index == start.index { return start.term }
    return entry(at: index)?.term
  }

  func entry(at index: LogIndex) -> Entry? {
    guard index > start.index, index <= lastIndex else { return nil }
    return entries[Int(index - start.index) - 1]
  }

  /// Entries from `index` on, up to `last`, as many as fit in `limit` bytes, but at least one if there is one: an entry that is larger than
  /// the limit goes alone, and nothing is skipped.
  func slice(from index: LogIndex, through last: LogIndex = .max, limit: Int) -> [Entry] {
    let last = min(last, lastIndex)
    guard index > start.index, index <= last else { return [] }
    let first = Int(index - start.index) - 1
    let bound = Int(last - start.index)
    var end = first + 1
    var size = entries[first].record.count
    while end < bound, size + entries[end].record.count <= limit {
      size += entries[end].record.count
      end += 1
    }
    return Array(entries[first..<end])
  }

  /// All entries from `index` on.
  func suffix(from index: LogIndex) -> [Entry] {
    guard index > start.index, index <= lastIndex else { return [] }
    return Array(entries[(Int(index - start.index) - 1)...])
  }

  /// The last position at or before `index` whose term is at most `term`: where a log that differs may agree with this one again.
  /// One question for each term that differs, not for each entry.
  func lastPosition(atOrBefore index: LogIndex, withTermAtMost term: Term) -> LogPosition {
    var index = min(index, lastIndex)
    while index > start.index, let entry = entry(at: index), entry.term > term { index -= 1 }
    return LogPosition(index: max(index, start.index), term: self.term(at: max(index, start.index)) ?? start.term)
  }

  /// The last index that is followed, up to `index`, by at least `bytes` of records; the start if there are fewer.
  func indexLeaving(bytes: Int, before index: LogIndex) -> LogIndex {
    var index = min(index, lastIndex)
    var left = bytes
    while left > 0, let entry = entry(at: index) {
      left -= entry.record.count
      index -= 1
    }
    return max(index, start.index)
  }

  mutating func append(_ new: [Entry]) {
    entries.append(contentsOf: new)
    bytes += new.reduce(0) { $0 + $1.record.count }
  }

  /// Forgets the entries from `index` on.
  mutating func truncate(from index: LogIndex) {
    guard index > start.index, index <= lastIndex else { return }
    let kept = Int(index - start.index) - 1
    bytes -= entries[kept...].reduce(0) { $0 + $1.record.count }
    entries.removeSubrange(kept...)
  }

  /// Forgets the entries up to and including `index`.
  mutating func compact(through index: LogIndex) {
    guard index > start.index, index <= lastIndex, let term = term(at: index) else { return }
    let dropped = Int(index - start.index)
    bytes -= entries[..<dropped].reduce(0) { $0 + $1.record.count }
    entries.removeSubrange(..<dropped)
    start = LogPosition(index: index, term: term)
  }

  /// Forgets everything; the next entry follows `position`.
  mutating func reset(to position: LogPosition) {
    entries.removeAll()
    bytes = 0
    start = position
  }
}
