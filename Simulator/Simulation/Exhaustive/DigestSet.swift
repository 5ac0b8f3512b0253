import Raft

/// Which digests were seen: open addressing, 16 bytes a slot, at most two thirds full.
struct DigestSet {
  private var slots: [Digest]
  private(set) var count = 0

  init() { slots = Array(repeating: Digest(), count: 1 << 12) }

  /// True the first time.
  mutating func insert(_ digest: Digest) -> Bool {
    // An empty slot is zero: the one digest in 2^128 that is zero too gets another name.
    let digest = digest == Digest() ? Digest(low: 1, high: 1) : digest
    if 3 * count >= 2 * slots.count { grow() }
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: digest.low) & mask
    while slots[slot] != Digest() {
      if slots[slot] == digest { return false }
      slot = (slot + 1) & mask
    }
    slots[slot] = digest
    count += 1
    return true
  }

  private mutating func grow() {
    let old = slots
    slots = Array(repeating: Digest(), count: 2 * old.count)
    let mask = slots.count - 1
    for digest in old where digest != Digest() {
      var slot = Int(truncatingIfNeeded: digest.low) & mask
      while slots[slot] != Digest() { slot = (slot + 1) & mask }
      slots[slot] = digest
    }
  }
}
