import Testing

@testable import KeyValue

@Suite struct AccessRangesTests {
  private static func set(_ ranges: (String, String?)...) -> AccessRanges { AccessRanges(ranges.map { KeyRange($0.0, $0.1) }) }

  @Test func whatTouchesIsOne() {
    #expect(Self.set(("a", "c"), ("c", "e")).count == 1)
    #expect(Self.set(("c", "e"), ("a", "d"), ("b", "c")).count == 1)
    #expect(Self.set(("a", "c"), ("c\0", "e")).count == 2)
    // A key, and what begins right after it.
    #expect(Self.set(("a", nil), ("a\0", "b")).count == 1)
    #expect(Self.set(("a", nil), ("b", nil)).count == 2)
    #expect(Self.set(("a", "\0"), ("b", "c"), ("x", nil)).count == 1)
    #expect(Self.set(("b", "a"), ("a", "a")).isEmpty)
  }

  @Test func boundsAreExact() {
    let set = Self.set(("b", "d"), ("f", nil), ("h", "\0"))
    for (key, isIn) in [
      ("a", false), ("b", true), ("b\0", true), ("cz", true), ("d", false), ("f", true), ("f\0", false), ("g", false), ("h", true),
      ("zzz", true),
    ] { #expect(set.contains(KeyRange(key)) == isIn, "\(key)") }
    for (start, end, isIn) in [
      ("b", "d", true), ("b", "d\0", false), ("a", "c", false), ("b", "c", true), ("c", "f", false), ("f", "f\0", true),
      ("f", "g", false), ("h", "\0", true), ("b", "\0", false), ("d", "f", false), ("d", "b", true), ("x", "x", true), ("i", "z", true),
    ] { #expect(set.contains(KeyRange(start, end)) == isIn, "\(start) \(end)") }
    #expect(!AccessRanges().contains(.all))
    #expect(AccessRanges([.all]).contains(.all))
    #expect(AccessRanges([.all]).contains(KeyRange(start: [0], end: [1])))
    // All keys but the least.
    #expect(!AccessRanges([KeyRange(start: [0, 0], end: [0])]).contains(.all))
    #expect(AccessRanges([KeyRange(start: [0, 0], end: [0]), KeyRange([0])]).contains(.all))
  }
}
