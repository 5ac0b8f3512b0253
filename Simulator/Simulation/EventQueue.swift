import Raft

/// What will happen, in virtual time: a binary heap. Of two things at the same moment the one that was planned first comes first.
struct EventQueue<Payload> {
  private struct Item {
    let at: Instant
    let number: UInt64
    let payload: Payload
  }

  private var heap: [Item] = []
  private var planned: UInt64 = 0

  var nextInstant: Instant { heap.first?.at ?? .never }

  mutating func plan(_ payload: Payload, at instant: Instant) {
    planned += 1
    heap.append(Item(at: instant, number: planned, payload: payload))
    var child = heap.count - 1
    while child > 0, isBefore(child, (child - 1) / 2) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func next() -> (at: Instant, payload: Payload)? {
    guard !heap.isEmpty else { return nil }
    heap.swapAt(0, heap.count - 1)
    let item = heap.removeLast()
    var parent = 0
    while true {
      let left = 2 * parent + 1
      guard left < heap.count else { break }
      let child = left + 1 < heap.count && isBefore(left + 1, left) ? left + 1 : left
      guard isBefore(child, parent) else { break }
      heap.swapAt(parent, child)
      parent = child
    }
    return (item.at, item.payload)
  }

  mutating func removeAll() { heap.removeAll() }

  private func isBefore(_ a: Int, _ b: Int) -> Bool {
    (heap[a].at.nanoseconds, heap[a].number) < (heap[b].at.nanoseconds, heap[b].number)
  }
}
