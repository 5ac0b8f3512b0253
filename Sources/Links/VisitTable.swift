/// Visits by link, with a bound on both.
struct VisitTable: Sendable {
  struct Entry: Hashable, Sendable {
    var link: LinkIdentity
    var visits: UInt64
  }

  private(set) var entries: [Entry] = []
  private(set) var visits: UInt64 = 0
  private var offsets: [LinkIdentity: Int] = [:]

  /// False, and nothing is added, if the table holds `maximumLinks` others or `maximumVisits` of this one. O(1).
  mutating func record(_ link: LinkIdentity, maximumLinks: Int, maximumVisits: UInt64) -> Bool {
    if let offset = offsets[link] {
      guard entries[offset].visits < maximumVisits else { return false }
      entries[offset].visits += 1
    } else {
      guard entries.count < maximumLinks, maximumVisits > 0 else { return false }
      offsets[link] = entries.count
      entries.append(Entry(link: link, visits: 1))
    }
    visits = visits.addingSaturated(1)
    return true
  }
}
