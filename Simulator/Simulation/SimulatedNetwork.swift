import Raft

/// How long frames take, and which are lost.
public struct SimulatedNetwork: Sendable {
  /// The shortest and the longest way of a frame. Each takes its own time, so frames overtake each other.
  public var latency: ClosedRange<Nanoseconds> = .milliseconds(1) ... .milliseconds(10)
  /// Of a thousand frames, how many are lost, and how many come twice.
  public var lossPerMille: UInt64 = 0
  public var duplicatesPerMille: UInt64 = 0
  /// One-way cuts, by name.
  private var cuts: [(from: String, to: String)] = []

  public init() {}

  /// Nothing goes from `source` to `destination` any more.
  public mutating func cut(from source: String, to destination: String) { cuts.append((source, destination)) }

  public mutating func cut(_ a: String, _ b: String) {
    cut(from: a, to: b)
    cut(from: b, to: a)
  }

  public mutating func isolate(_ name: String, from others: [String]) {
    for other in others where other != name { cut(name, other) }
  }

  /// Ends all cuts.
  public mutating func heal() { cuts.removeAll() }

  /// When the copies of a frame that is sent now arrive: none, one or two.
  func arrivals(from source: String, to destination: String, now: Instant, using random: inout PseudoRandom) -> [Instant] {
    if cuts.contains(where: { $0.from == source && $0.to == destination }) { return [] }
    if random.below(1000) < lossPerMille { return [] }
    let copies = random.below(1000) < duplicatesPerMille ? 2 : 1
    return (0..<copies).map { _ in now + random.nanoseconds(in: latency) }
  }
}

extension PseudoRandom {
  mutating func nanoseconds(in range: ClosedRange<Nanoseconds>) -> Nanoseconds {
    range.lowerBound + Nanoseconds(below(UInt64(range.upperBound - range.lowerBound) + 1))
  }
}
