import Raft

/// One segment, as far as it must be known to decide when it can go.
struct Segment: Equatable {
  let number: UInt64
  /// The end of the log when the segment was begun: recovery starts there when all older segments are gone.
  var base: LogPosition
  /// The entry at `base` was overwritten later: recovery cannot start here.
  var baseIsVoid = false
  /// The highest index among its entries that still count; 0 when there is none.
  var highest: LogIndex = 0
  /// Bytes of the file.
  var size: Int

  var name: String { NumberedName.make(Self.prefix, number) }

  static let prefix = "log-"
  /// Behind the name of one that is being made.
  static let temporarySuffix = ".part"

  /// Those of `names` that segments had while they were made.
  static func unfinished(_ names: [String]) -> [String] {
    names.filter { $0.hasSuffix(temporarySuffix) && NumberedName.parse(String($0.dropLast(temporarySuffix.count)), prefix: prefix) != nil }
  }
}

/// Where the log begins and ends, and what its segments hold: the same when writing and when replaying.
struct LogShape: Equatable {
  /// Before the first entry kept. Without its term (0) while a replay knows only what overwrote its first segment's base.
  private(set) var start: LogPosition
  private(set) var last: LogPosition
  private(set) var segments: [Segment]

  /// A log that begins with this segment.
  init(first segment: Segment) {
    start = segment.base
    last = segment.base
    segments = [segment]
  }

  var current: Segment { segments[segments.count - 1] }

  mutating func add(_ segment: Segment) { segments.append(segment) }

  mutating func growCurrent(to size: Int) { segments[segments.count - 1].size = max(current.size, size) }

  /// A batch was written to the current segment.
  mutating func apply(_ effect: BatchEffect) {
    if let position = effect.reset { reset(to: position) }
    guard let end = effect.last else { return }
    if effect.lowest <= last.index { void(from: effect.lowest) }
    last = end
    segments[segments.count - 1].highest = max(current.highest, end.index)
  }

  /// Which segment holds the entry at `index`; `nil` if none does any more, or yet.
  ///
  /// What was overwritten does not count, so the indexes that count go up from segment to segment: each holds what is above the highest of
  /// those before it.
  func segment(holding index: LogIndex) -> Segment? {
    guard index > start.index, index <= last.index else { return nil }
    return segments.first { $0.highest >= index }
  }

  /// How many of the oldest segments hold nothing beyond `index`. Never all; and only as many as leave a segment whose base stands.
  func removable(through index: LogIndex) -> Int {
    var count = 0
    for next in 1..<max(segments.count, 1) {
      guard segments[next - 1].highest <= index else { break }
      if !segments[next].baseIsVoid { count = next }
    }
    return count
  }

  mutating func removeOldest() {
    segments.removeFirst()
    if segments[0].base.index > start.index, !segments[0].baseIsVoid { start = segments[0].base }
  }

  /// The oldest segment from which the log can be read. A power cut within a removal may leave older ones; nil when there is none.
  var firstReadable: Int? { segments.firstIndex { !$0.baseIsVoid } }

  private mutating func reset(to position: LogPosition) {
    start = position
    last = position
    for i in segments.indices {
      segments[i].base = position
      segments[i].baseIsVoid = false
      segments[i].highest = 0
    }
  }

  private mutating func void(from index: LogIndex) {
    if index <= start.index { start = LogPosition(index: index - 1, term: 0) }
    for i in segments.indices {
      segments[i].highest = min(segments[i].highest, index - 1)
      if segments[i].base.index >= index { segments[i].baseIsVoid = true }
    }
  }
}
