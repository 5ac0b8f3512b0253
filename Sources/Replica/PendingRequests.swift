import Raft

/// The requests that wait for an answer. Each gets exactly one: the code that takes it out answers it.
struct PendingRequests: Sendable {
  enum State: Sendable, Equatable {
    /// A command that has not left this node: it was not done.
    case queued
    /// A command that a log may hold: its outcome is open.
    case sent
    /// A read: never does anything.
    case read
    /// What an operator asked for: its outcome is open.
    case operatorRequest

    /// Whether it may have been done.
    var isOpen: Bool { self == .sent || self == .operatorRequest }
  }

  struct Item: Sendable {
    var state: State
    let bytes: Int
    let deadline: Instant
  }

  private struct Expiry {
    let deadline: Instant
    let id: RequestID
  }

  private var items: [RequestID: Item] = [:]
  /// A binary heap by deadline. Entries of answered requests stay until their time comes, or until they are most of the heap.
  private var expiries: [Expiry] = []
  private(set) var bytes = 0

  var count: Int { items.count }
  var isEmpty: Bool { items.isEmpty }
  /// Entries of the heap: those of answered requests too.
  var expiryCount: Int { expiries.count }
  /// The next moment at which a request may expire.
  var deadline: Instant { items.isEmpty ? .never : expiries.first?.deadline ?? .never }

  func contains(_ id: RequestID) -> Bool { items[id] != nil }

  mutating func add(_ id: RequestID, _ item: Item) {
    items[id] = item
    bytes += item.bytes
    push(Expiry(deadline: item.deadline, id: id))
    if expiries.count > 64, expiries.count > 4 * items.count { dropAnswered() }
  }

  mutating func mark(_ id: RequestID, _ state: State) { items[id]?.state = state }

  mutating func take(_ id: RequestID) -> Item? {
    guard let item = items.removeValue(forKey: id) else { return nil }
    bytes -= item.bytes
    return item
  }

  /// The requests whose deadline has passed, earliest first.
  mutating func takeExpired(now: Instant) -> [(id: RequestID, item: Item)] {
    var expired: [(RequestID, Item)] = []
    while let first = expiries.first, first.deadline <= now {
      pop()
      if let item = take(first.id) { expired.append((first.id, item)) }
    }
    return expired
  }

  /// All of them, in the order of their deadlines.
  mutating func takeAll() -> [(id: RequestID, item: Item)] { takeExpired(now: .never) }

  private mutating func dropAnswered() {
    let kept = expiries.filter { items[$0.id] != nil }
    expiries.removeAll(keepingCapacity: true)
    for expiry in kept { push(expiry) }
  }

  private static func isBefore(_ left: Expiry, _ right: Expiry) -> Bool {
    (left.deadline.nanoseconds, left.id) < (right.deadline.nanoseconds, right.id)
  }

  private mutating func push(_ expiry: Expiry) {
    expiries.append(expiry)
    var child = expiries.count - 1
    while child > 0, Self.isBefore(expiries[child], expiries[(child - 1) / 2]) {
      expiries.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  private mutating func pop() {
    expiries.swapAt(0, expiries.count - 1)
    expiries.removeLast()
    var parent = 0
    while true {
      let left = 2 * parent + 1
      guard left < expiries.count else { return }
      let right = left + 1
      let child = right < expiries.count && Self.isBefore(expiries[right], expiries[left]) ? right : left
      guard Self.isBefore(expiries[child], expiries[parent]) else { return }
      expiries.swapAt(parent, child)
      parent = child
    }
  }
}
