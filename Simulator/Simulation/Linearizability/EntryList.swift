import Raft

/// The calls and returns of a history in the order of time, as a doubly linked list: placing an operation takes its entries out, and taking
/// it back puts them where they were, both in O(1) (Lowe, "Testing for linearizability", 2017, section 3).
///
/// Of what happened at the same instant the calls come first: operations that touch are concurrent.
struct EntryList {
  /// Two entries per operation: its call at twice its number, its return at one more. The last one is the list's own, before and after all.
  private var next: [Int]
  private var previous: [Int]

  /// `returned` is `nil` for an operation that has a call only.
  init(_ spans: [(called: Instant, returned: Instant?)]) {
    var entries: [(at: Instant, isReturn: Bool, entry: Int)] = []
    for (operation, span) in spans.enumerated() {
      entries.append((span.called, false, 2 * operation))
      if let returned = span.returned { entries.append((max(span.called, returned), true, 2 * operation + 1)) }
    }
    entries.sort { a, b in
      a.at != b.at ? a.at < b.at : a.isReturn != b.isReturn ? b.isReturn : a.entry < b.entry
    }
    let end = 2 * spans.count
    next = [Int](repeating: end, count: end + 1)
    previous = next
    var last = end
    for (_, _, entry) in entries {
      next[last] = entry
      previous[entry] = last
      last = entry
    }
    next[last] = end
    previous[end] = last
  }

  /// Appends the operations that may come next: those called before any other that is in the list returned. Returns the operation that
  /// returned first, which bounds them; `nil` if none in the list returned.
  func appendMinimal(to operations: inout [Int]) -> Int? {
    let end = next.count - 1
    var entry = next[end]
    while entry != end {
      if entry & 1 == 1 { return entry >> 1 }
      operations.append(entry >> 1)
      entry = next[entry]
    }
    return nil
  }

  mutating func remove(_ operation: Int, hasReturn: Bool) {
    unlink(2 * operation)
    if hasReturn { unlink(2 * operation + 1) }
  }

  /// Only in the reverse order of the removals.
  mutating func restore(_ operation: Int, hasReturn: Bool) {
    if hasReturn { link(2 * operation + 1) }
    link(2 * operation)
  }

  private mutating func unlink(_ entry: Int) {
    next[previous[entry]] = next[entry]
    previous[next[entry]] = previous[entry]
  }

  private mutating func link(_ entry: Int) {
    next[previous[entry]] = entry
    previous[next[entry]] = entry
  }
}
