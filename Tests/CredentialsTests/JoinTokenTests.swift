import Credentials
import Testing

@Suite struct JoinTokenTests {
  private static let pin = (0..<32).map { UInt8($0) }

  @Test(arguments: ["a:1", "10.77.0.1:2379", "[2001:db8::1]:2379", "node.example:2379", String(repeating: "a", count: 255)])
  func isReadAsItWasWritten(address: String) throws {
    let token = JoinToken(pin: Self.pin, address: address)
    #expect(try JoinToken(token.text) == token)
    #expect(try JoinToken(" \(token.text)\n") == token, "as a file or a terminal hands it on")
    #expect(token.text.utf8.count <= JoinToken.maximumSize)
    #expect(token.text.utf8.allSatisfy { (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "'") && $0 != UInt8(ascii: "$") })
  }

  @Test func noTwoAreTheSame() {
    let (one, other) = (JoinToken(pin: Self.pin, address: "a:1"), JoinToken(pin: Self.pin, address: "a:1"))
    #expect(one.secret != other.secret && one.number != other.number && one.digest != other.digest)
    #expect(one.digest == JoinToken.digest(of: one.secret) && one.digest != one.secret)
  }

  /// Of each length, so that each number of bits that stand for nothing occurs.
  @Test(arguments: ["a:1", "ab:1", "abc:1"]) func everyCutIsRefused(address: String) {
    let text = JoinToken(pin: Self.pin, address: address).text
    for count in 0..<text.count {
      #expect(throws: JoinTokenError.self) { try JoinToken(String(text.prefix(count))) }
      #expect(throws: JoinTokenError.self) { try JoinToken(String(text.suffix(count))) }
    }
    for more in ["A", "=", "==", "-", text] { #expect(throws: JoinTokenError.self) { try JoinToken(text + more) } }
  }

  @Test(arguments: ["a:1", "ab:1", "abc:1"]) func everyChangedCharacterIsRefused(address: String) {
    let text = Array(JoinToken(pin: Self.pin, address: address).text)
    for index in text.indices {
      for other in ["A", "B", "x", "_", "+", "/", "é"] as [Character] where text[index] != other {
        var changed = text
        changed[index] = other
        #expect(throws: JoinTokenError.self) { try JoinToken(String(changed)) }
      }
    }
    // The last character has bits that stand for nothing; each of the others is one of 64.
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" where text.last != other {
      #expect(throws: JoinTokenError.self) { try JoinToken(String(text.dropLast() + [other])) }
    }
  }

  @Test func whatIsTooLongIsNotLookedAt() {
    let token = JoinToken(pin: Self.pin, address: String(repeating: "a", count: 500))
    #expect(throws: JoinTokenError.noToken) { try JoinToken(token.text) }
    #expect(throws: JoinTokenError.damaged) { try JoinToken(JoinToken(pin: Self.pin, address: String(repeating: "a", count: 256)).text) }
  }
}
