import Credentials
import Testing

@Suite struct WrappingKeyTests {
  private let key = WrappingKey.random()
  private let secret: [UInt8] = [1, 2, 3, 4]

  @Test func opensWhatItSealed() throws {
    let sealed = try key.seal(secret, for: "purpose")
    #expect(key.open(sealed, for: "purpose") == secret)
    #expect(try #require(WrappingKey(bytes: key.bytes)).open(sealed, for: "purpose") == secret, "it is kept in a file")
    #expect(sealed.count == 12 + secret.count + 16)
    #expect(try key.seal(secret, for: "purpose") != sealed)
  }

  @Test func nothingElseIsOpened() throws {
    let sealed = try key.seal(secret, for: "purpose")
    #expect(WrappingKey.random().open(sealed, for: "purpose") == nil)
    #expect(key.open(sealed, for: "another purpose") == nil && key.open(sealed, for: "") == nil)
    for index in sealed.indices {
      var changed = sealed
      changed[index] ^= 1
      #expect(key.open(changed, for: "purpose") == nil)
      #expect(key.open(Array(sealed.prefix(index)), for: "purpose") == nil)
    }
    #expect(key.open(sealed + [0], for: "purpose") == nil)
  }

  @Test(arguments: [0, 16, 31, 33]) func aKeyHas32Bytes(count: Int) {
    #expect(WrappingKey(bytes: [UInt8](repeating: 1, count: count)) == nil)
  }
}
