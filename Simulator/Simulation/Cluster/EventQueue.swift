import Raft

/// What will happen, in virtual time: a binary heap. Of two things at the same moment the one that was planned first comes first.
///
/// The heap moves keys only; what they stand for waits in a slot of its own.
struct EventQueue<Payload> {
  private struct Key {
    let at: Int64
    let number: UInt64
    let slot: Int
  }

  private var heap: [Key] = []
  private var slots: [Payload?] = []
  private var freeSlots: [Int] = []
  private(set) var planned: UInt64 = 0

  var nextInstant: Instant { heap.first.map { Instant(nanoseconds: $0.at) } ?? .never }

  mutating func plan(_ payload: Payload, at instant: Instant) {
    planned += 1
    let slot: Int
    if let free = freeSlots.popLast() {
      slot = free
      slots[slot] = payload
    } else {
      slot = slots.count
      slots.append(payload)
    }
    rise(Key(at: instant.nanoseconds, number: planned, slot: slot))
  }

  mutating func next() -> (at: Instant, payload: Payload)? {
    guard let first = heap.first, let payload = slots[first.slot].take() else { return nil }
    freeSlots.append(first.slot)
    let last = heap.removeLast()
    if !heap.isEmpty { sink(last) }
    return (Instant(nanoseconds: first.at), payload)
  }

  mutating func removeAll() { self = EventQueue() }

  /// Puts a key in at the end and moves it up to its place.
  private mutating func rise(_ key: Key) {
    var hole = heap.count
    heap.append(key)
    while hole > 0 {
      let parent = (hole - 1) / 2
      guard Self.isBefore(key, heap[parent]) else { break }
      heap[hole] = heap[parent]
      hole = parent
    }
    heap[hole] = key
  }

  /// Puts a key in at the top and moves it down to its place.
  private mutating func sink(_ key: Key) {
    var hole = 0
    while true {
      var child = 2 * hole + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, Self.isBefore(heap[child + 1], heap[child]) { child += 1 }
      guard Self.isBefore(heap[child], key) else { break }
      heap[hole] = heap[child]
      hole = child
    }
    heap[hole] = key
  }

  private static func isBefore(_ a: Key, _ b: Key) -> Bool {
    a.at != b.at ? a.at < b.at : a.number < b.number
  }
}
