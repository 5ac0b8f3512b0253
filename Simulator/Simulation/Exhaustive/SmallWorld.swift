import Raft

/// A state of the exploration: everything in it is a number of the `StateInterner`.
struct SmallWorld: Equatable {
  var nodes: [StateInterner.Number] = []
  var ghostState: StateInterner.Number = 0
  /// What is left of the budget, four bits each, in the order of `Kind`.
  var budget: UInt32 = 0
  /// Messages in flight, in the order of their numbers; one that is there twice stands here twice.
  var messages: [StateInterner.Number] = []

  enum Kind: UInt32 {
    case timeOut, heartbeat, proposal, crash, loss, duplicate
  }

  func has(_ kind: Kind) -> Bool { budget >> (4 * kind.rawValue) & 15 > 0 }
  mutating func spend(_ kind: Kind) { budget -= 1 << (4 * kind.rawValue) }

  mutating func send(_ message: StateInterner.Number) {
    var place = messages.count
    while place > 0, messages[place - 1] > message { place -= 1 }
    messages.insert(message, at: place)
  }

  mutating func remove(_ message: StateInterner.Number) {
    if let place = messages.firstIndex(of: message) { messages.remove(at: place) }
  }

  /// Under each way of calling nodes and values the digest is a sum, as the order of messages means nothing. The least of them stands for
  /// all worlds that differ in names alone.
  func digest(_ interner: StateInterner) -> Digest {
    let variants = interner.symmetry.variants.count
    var least = Digest(low: .max, high: .max)
    for variant in 0..<variants {
      var sum = interner.ghostDigests[Int(ghostState) * variants + variant]
      for node in nodes { sum = sum &+ interner.nodeDigests[Int(node) * variants + variant] }
      for message in messages { sum = sum &+ interner.messageDigests[Int(message) * variants + variant] }
      if sum.low < least.low || (sum.low == least.low && sum.high < least.high) { least = sum }
    }
    // An odd factor loses nothing.
    least.low = least.low &+ UInt64(budget) &* 0x9e37_79b9_7f4a_7c15
    least.high = least.high &+ UInt64(budget) &* 0xd1b5_4a32_d192_ed03
    return least
  }
}
