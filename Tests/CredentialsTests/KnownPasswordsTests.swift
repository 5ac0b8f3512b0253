import Testing

@testable import Credentials

@Suite struct KnownPasswordsTests {
  private let known = KnownPasswords()
  private let now = ContinuousClock.now

  @Test func knowsWhatWasRightForAWhile() {
    #expect(!known.contains("a", [1], now: now))
    known.insert("a", [1], now: now)
    #expect(known.contains("a", [1], now: now + .seconds(599)))
    #expect(!known.contains("a", [1], now: now + .seconds(600)))
    #expect(!known.contains("b", [1], now: now), "another password")
    #expect(!known.contains("a", [2], now: now), "the same password, after it was set anew")
    #expect(!known.contains("", [1, 0x61], now: now) && !known.contains("\u{1}a", [], now: now))
  }

  @Test func forgetsTheOldestOfTooMany() {
    for number in 0...KnownPasswords.maximum { known.insert("\(number)", [1], now: now + .milliseconds(number)) }
    #expect(!known.contains("0", [1], now: now) && known.contains("1", [1], now: now))
  }
}
