/// The newest part of the log, in memory. What lies before it is on the disk alone from `kept` on, and before that in a snapshot. The owner
/// bounds its size: it `forget`s what is applied, and `compact`s what a snapshot covers.
struct MemoryLog: Sendable {
  /// How much of the log lies before an index; one for each time that entries were forgotten.
  private struct Mark {
    let index: LogIndex
    /// Bytes of all entries up to `index` that were ever in memory.
    let bytes: Int
  }

  /// The position before the first entry in memory.
  private(set) var start: LogPosition
  /// The index before the first entry that the disk keeps. Never behind `start`.
  private(set) var kept: LogIndex
  private var entries: [Entry]
  /// Bytes of all entries' records, in memory.
  private(set) var bytes: Int
  /// What was in memory before `start`, bytes.
  private var forgottenBytes = 0
  /// Ascending. The first stands at `kept`, or before it.
  private var marks: [Mark]

  init(start: LogPosition, entries: [Entry]) {
    self.start = start
    kept = start.index
    self.entries = entries
    bytes = entries.reduce(0) { $0 + $1.record.count }
    marks = [Mark(index: start.index, bytes: 0)]
  }

  /// Most bytes that were forgotten at once, of those that the disk keeps.
  var largestForgotten: Int {
    var largest = 0
    for place in marks.indices.dropFirst() { largest = max(largest, marks[place].bytes - marks[place - 1].bytes) }
    return largest
  }

  /// Bytes of the entries in memory that follow `index`.
  func bytes(after index: LogIndex) -> Int {
    guard index < lastIndex else { return 0 }
    guard index > start.index else { return bytes }
    return entries[Int(index - start.index)...].reduce(0) { $0 + $1.record.count }
  }

  /// Bytes of the entries that the disk keeps: exact, or up to one mark more.
  var keptBytes: Int { forgottenBytes + bytes - marks[0].bytes }

  /// Bytes of entries that follow `index`: exact at a mark, else up to one mark more. What is in memory counts as nothing.
  func forgottenBytes(after index: LogIndex) -> Int {
    guard index < start.index else { return 0 }
    return forgottenBytes - (marks.last { $0.index <= index } ?? marks[0]).bytes
  }

  var lastIndex: LogIndex { start.index + UInt64(entries.count) }
  var last: LogPosition { entries.last?.position ?? start }

  /// `nil` for what is not in memory.
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

  /// The last index that is followed, up to `index`, by at least `bytes` of records; that of the last mark before it, where the entries are
  /// not in memory; `kept`, if there are fewer.
  func indexLeaving(bytes: Int, before index: LogIndex) -> LogIndex {
    var index = min(index, lastIndex)
    var left = bytes
    while left > 0, let entry = entry(at: index) {
      left -= entry.record.count
      index -= 1
    }
    guard index <= start.index, index > kept else { return max(index, kept) }
    guard left > 0 || index < start.index else { return index }
    let before = index == start.index ? forgottenBytes : (marks.last { $0.index <= index } ?? marks[0]).bytes
    return max(marks.last { $0.index <= index && $0.bytes <= before - left }?.index ?? kept, kept)
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

  /// Drops the entries up to and including `index` from memory: the disk has them.
  mutating func forget(through index: LogIndex) {
    guard index > start.index, index <= lastIndex, let term = term(at: index) else { return }
    let dropped = Int(index - start.index)
    let droppedBytes = entries[..<dropped].reduce(0) { $0 + $1.record.count }
    bytes -= droppedBytes
    forgottenBytes += droppedBytes
    entries.removeSubrange(..<dropped)
    start = LogPosition(index: index, term: term)
    marks.append(Mark(index: index, bytes: forgottenBytes))
  }

  /// The disk keeps nothing up to and including `index` any more.
  mutating func compact(through index: LogIndex) {
    guard index > kept, index <= lastIndex else { return }
    forget(through: index)
    kept = index
    let first = marks.lastIndex { $0.index <= index } ?? 0
    marks.removeSubrange(..<first)
  }

  /// Forgets everything; the next entry follows `position`.
  mutating func reset(to position: LogPosition) {
    self = MemoryLog(start: position, entries: [])
  }
}
