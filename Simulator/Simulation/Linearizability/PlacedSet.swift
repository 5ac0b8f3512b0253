/// Which operations of a history have been placed.
///
/// Those with a return are numbered in the order of their calls, so that the placed ones are all up to some number and a few after it: a
/// configuration keeps the words between, not all of them, and yet the exact set. Those without a return may stay out for good, and have
/// words of their own behind.
struct PlacedSet {
  private var words: [UInt64]
  private let returningWords: Int
  private let returning: Int
  /// The first word with a place left, and the last one with a place taken.
  private var firstOpen = 0
  private var lastUsed = 0

  /// Operations below `returning` have a return, the others have none.
  init(count: Int, returning: Int) {
    self.returning = returning
    returningWords = (returning + 63) / 64
    words = [UInt64](repeating: 0, count: returningWords + (count - returning + 63) / 64)
  }

  mutating func insert(_ operation: Int) {
    let bit = bit(of: operation)
    words[bit >> 6] |= 1 << UInt64(bit & 63)
    guard operation < returning else { return }
    lastUsed = max(lastUsed, bit >> 6)
    while firstOpen < returningWords, words[firstOpen] == .max { firstOpen += 1 }
  }

  mutating func remove(_ operation: Int) {
    let bit = bit(of: operation)
    words[bit >> 6] &= ~(1 << UInt64(bit & 63))
    guard operation < returning else { return }
    firstOpen = min(firstOpen, bit >> 6)
    while lastUsed > 0, words[lastUsed] == 0 { lastUsed -= 1 }
  }

  /// Equal for equal sets of one history, and for no others.
  var key: [UInt64] {
    var key = [UInt64(firstOpen)]
    if firstOpen <= lastUsed, firstOpen < returningWords { key += words[firstOpen...lastUsed] }
    key += words[returningWords...]
    return key
  }

  private func bit(of operation: Int) -> Int {
    operation < returning ? operation : returningWords * 64 + operation - returning
  }
}
