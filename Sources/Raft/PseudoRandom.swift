/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): deterministic for a seed, on every platform.
public struct PseudoRandom: Sendable {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// Uniform in `0..<bound`, without the bias of a remainder (Lemire's multiplication). `bound` must not be zero.
  public mutating func below(_ bound: UInt64) -> UInt64 {
    var product = next().multipliedFullWidth(by: bound)
    if product.low < bound {
      let threshold = (0 &- bound) % bound
      while product.low < threshold { product = next().multipliedFullWidth(by: bound) }
    }
    return product.high
  }

  /// Uniform from zero up to, but not including, `bound`, which must be positive.
  public mutating func below(_ bound: Nanoseconds) -> Nanoseconds { Nanoseconds(below(UInt64(bound.count))) }
}
