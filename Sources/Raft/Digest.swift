/// 128 bits that stand for a state: equal for equal states, in every process; different for different ones, as far as 128 bits can.
package struct Digest: Hashable, Sendable {
  package var low: UInt64
  package var high: UInt64

  package init(low: UInt64 = 0, high: UInt64 = 0) {
    self.low = low
    self.high = high
  }

  /// The sum of the digests of some items does not depend on their order.
  package static func &+ (left: Digest, right: Digest) -> Digest {
    Digest(low: left.low &+ right.low, high: left.high &+ right.high)
  }
}

/// What nodes and payloads are called in a digest: states that differ in names alone have the same digest, each under its own names.
package struct DigestNames: Sendable {
  package let node: @Sendable (NodeID) -> UInt64
  package let payload: @Sendable (Entry) -> UInt64

  package init(node: @escaping @Sendable (NodeID) -> UInt64, payload: @escaping @Sendable (Entry) -> UInt64) {
    self.node = node
    self.payload = payload
  }
}

/// Makes a digest of one value after the other: two lanes, each mixed by a finalizer of its own (SplitMix64's, MurmurHash3's).
package struct DigestWriter {
  private let names: DigestNames
  private var low: UInt64 = 0xcbf2_9ce4_8422_2325
  private var high: UInt64 = 0x9e37_79b9_7f4a_7c15

  package init(_ names: DigestNames) { self.names = names }

  package var digest: Digest { Digest(low: low, high: high) }

  package mutating func write(_ value: UInt64) {
    var z = (low ^ value) &+ 0x9e37_79b9_7f4a_7c15
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    low = z ^ (z >> 31)
    var y = (high &* 3) &+ (value ^ 0x5851_f42d_4c95_7f2d)
    y = (y ^ (y >> 33)) &* 0xff51_afd7_ed55_8ccd
    y = (y ^ (y >> 33)) &* 0xc4ce_b9fe_1a85_ec53
    high = y ^ (y >> 33)
  }

  package mutating func write(_ value: Int) { write(UInt64(bitPattern: Int64(value))) }
  package mutating func write(_ value: Bool) { write(value ? 1 as UInt64 : 0) }

  /// A node's name; `nil` differs from all of them.
  package mutating func write(_ node: NodeID?) {
    write(node != nil)
    if let node { write(names.node(node)) }
  }

  package mutating func write(_ position: LogPosition) {
    write(position.index)
    write(position.term)
  }

  package mutating func write(_ state: HardState) {
    write(state.term)
    write(state.vote)
  }

  package mutating func write(_ entries: [Entry]) {
    write(entries.count)
    for entry in entries {
      write(entry.position)
      write(UInt64(entry.kind.rawValue))
      write(names.payload(entry))
    }
  }

  package mutating func write<Item>(_ items: [Item], each: (Item, inout DigestWriter) -> Void) {
    write(items.count)
    for item in items { each(item, &self) }
  }

  /// Items whose order means nothing.
  package mutating func write<Item>(unordered items: [Item], each: (Item, inout DigestWriter) -> Void) {
    var sum = Digest()
    for item in items {
      var writer = DigestWriter(names)
      each(item, &writer)
      sum = sum &+ writer.digest
    }
    write(items.count)
    write(sum.low)
    write(sum.high)
  }
}
