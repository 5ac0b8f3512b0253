/// The best items by a request's order, at most as many as its limit: a heap while they come in, whose root is the worst; another one while
/// they go out, whose root is the best. So nothing is sorted, and items that are not taken cost no more than their place.
struct Ranking: Sendable {
  /// Bytes of a place.
  static let placeBytes = MemoryLayout<Item>.stride

  private let request: RangeRequest
  private let capacity: Int
  private var items: [Item] = []
  private(set) var hasLeftOut = false
  /// Roots below this place are still to be put in order; `nil` while items come in.
  private var unordered: Int?

  init(_ range: StoredRange) {
    request = range.request
    capacity = Ranking.capacity(of: range)
  }

  /// Most items that it will hold.
  static func capacity(of range: StoredRange) -> Int {
    let limit = range.request.limit
    return limit > 0 ? min(range.candidates, Int(clamping: limit)) : range.candidates
  }

  private var isCut: Bool { request.limit > 0 }

  mutating func add(_ item: Item, _ work: inout Int) {
    if items.isEmpty { items.reserveCapacity(capacity) }
    if items.count < capacity {
      items.append(item)
      // Without a limit all are taken, so the worst is not needed.
      if isCut { moveUp(items.count - 1, &work) }
    } else {
      hasLeftOut = true
      guard request.precedes(item, items[0]) else { return }
      items[0] = item
      moveDown(0, &work, worstFirst: true)
    }
  }

  /// Turns the heap around. Whether that is done.
  mutating func prepare(_ work: inout Int) -> Bool {
    var next = unordered ?? items.count / 2
    while next > 0, work > 0 {
      next -= 1
      work -= 1
      moveDown(next, &work)
    }
    unordered = next
    return next == 0
  }

  /// The best of what is left.
  mutating func next(_ work: inout Int) -> Item? {
    guard let best = items.first, let last = items.popLast() else { return nil }
    if !items.isEmpty {
      items[0] = last
      moveDown(0, &work)
    }
    return best
  }

  private mutating func moveUp(_ start: Int, _ work: inout Int) {
    var child = start
    while child > 0, request.precedes(items[(child - 1) / 2], items[child]) {
      items.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
      work -= 1
    }
  }

  private mutating func moveDown(_ start: Int, _ work: inout Int, worstFirst: Bool = false) {
    var parent = start
    while true {
      let left = 2 * parent + 1
      guard left < items.count else { return }
      let right = left + 1
      let child = right < items.count && isAbove(right, left, worstFirst) ? right : left
      work -= 1
      guard isAbove(child, parent, worstFirst) else { return }
      items.swapAt(child, parent)
      parent = child
    }
  }

  private func isAbove(_ a: Int, _ b: Int, _ worstFirst: Bool) -> Bool {
    worstFirst ? request.precedes(items[b], items[a]) : request.precedes(items[a], items[b])
  }
}
