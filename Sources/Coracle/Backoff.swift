import Raft

/// How long to wait before the next attempt: twice as long each time, up to a cap, and spread at random over the upper half, so that peers
/// which failed together do not come back together.
struct Backoff {
  static let shortest: Nanoseconds = .milliseconds(50)
  static let longest: Nanoseconds = .milliseconds(2000)

  private var ceiling = shortest
  private var random: PseudoRandom

  init(seed: UInt64) {
    random = PseudoRandom(seed: seed)
  }

  mutating func next() -> Nanoseconds {
    defer { ceiling = min(ceiling * 2, Self.longest) }
    return ceiling / 2 + Nanoseconds(random.below(UInt64(ceiling / 2) + 1))
  }

  mutating func reset() { ceiling = Self.shortest }
}
