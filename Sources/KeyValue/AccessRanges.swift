import ByteCoding

/// A set of keys as intervals: in order, apart from each other, each from a key on and up to another, which is not in it. So ranges that
/// touch are one, and whether a key or a whole range is in the set is one binary search.
struct AccessRanges: Sendable {
  struct Interval: Sendable {
    let start: Key
    /// Exclusive; `nil` for no end.
    var end: Key?
  }

  private var intervals: [Interval] = []

  init() {}

  /// Ranges in any order, that may overlap; those without a key are left out. O(n log n).
  init(_ ranges: some Sequence<KeyRange>) {
    let sorted = ranges.compactMap(Interval.init).sorted { ByteOrder.compare($0.start, $1.start) < 0 }
    for interval in sorted {
      guard let last = intervals.last else {
        intervals.append(interval)
        continue
      }
      guard let end = last.end else { return }
      if ByteOrder.compare(interval.start, end) > 0 {
        intervals.append(interval)
      } else if interval.end.map({ ByteOrder.compare($0, end) > 0 }) ?? true {
        intervals[intervals.count - 1].end = interval.end
      }
    }
  }

  var isEmpty: Bool { intervals.isEmpty }
  var count: Int { intervals.count }

  /// The interval that a key is in. O(log n).
  func interval(around key: Key) -> Interval? {
    var (low, high) = (0, intervals.count)
    while low < high {
      let middle = low + (high - low) / 2
      if ByteOrder.compare(intervals[middle].start, key) <= 0 { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return nil }
    guard let end = intervals[low - 1].end, ByteOrder.compare(key, end) >= 0 else { return intervals[low - 1] }
    return nil
  }

  /// Whether each key of a range is in the set. O(log n).
  func contains(_ range: KeyRange) -> Bool {
    guard let end = range.end else { return interval(around: range.start) != nil }
    // No key is in it.
    if !range.isUnbounded, ByteOrder.compare(range.start, end) >= 0 { return true }
    guard let interval = interval(around: range.start) else { return false }
    guard let last = interval.end else { return true }
    return !range.isUnbounded && ByteOrder.compare(end, last) <= 0
  }
}

extension AccessRanges.Interval {
  /// `nil` if no key is in the range.
  fileprivate init?(_ range: KeyRange) {
    guard let end = range.end else {
      // Up to the next key that there can be.
      self.init(start: range.start, end: range.start + [0])
      return
    }
    guard range.isUnbounded || ByteOrder.compare(range.start, end) < 0 else { return nil }
    self.init(start: range.start, end: range.isUnbounded ? nil : end)
  }
}
