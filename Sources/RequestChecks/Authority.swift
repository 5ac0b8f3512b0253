/// A host, and perhaps a port: what stands in `Host` (RFC 9110, section 7.2) and in an address after `//` (RFC 3986, section 3.2).
package struct Authority: Hashable, Sendable {
  /// In small letters, since case does not matter; an IPv6 address with its brackets. Empty if the client has no name for the server.
  package let host: String
  /// `nil` if none is given.
  package let port: UInt16?

  /// `nil` for what is none, and for one with a user in it.
  package init?(_ text: some StringProtocol) {
    let bytes = Array(text.utf8)
    var end = bytes.startIndex
    if bytes.first == UInt8(ascii: "[") {
      guard let close = bytes.firstIndex(of: UInt8(ascii: "]")), close > 1, bytes[1..<close].allSatisfy(Self.isInIPv6) else { return nil }
      end = close + 1
    } else {
      end = bytes.firstIndex(of: UInt8(ascii: ":")) ?? bytes.endIndex
      guard bytes[..<end].allSatisfy(Self.isInName) else { return nil }
    }
    host = String(decoding: bytes[..<end].map(Self.lowercased), as: UTF8.self)
    guard end < bytes.endIndex else {
      port = nil
      return
    }
    let digits = bytes[(end + 1)...]
    guard bytes[end] == UInt8(ascii: ":"), digits.allSatisfy(Self.isDigit) else { return nil }
    // A colon without a port is no port.
    port = digits.isEmpty ? nil : UInt16(String(decoding: digits, as: UTF8.self))
    if port == nil, !digits.isEmpty { return nil }
  }

  /// It is an address of this machine's own, or a number: no one's name service had a say in where it leads. (A browser takes a host whose
  /// last label is a number for an IPv4 address or for nothing.)
  package var isNumericOrLocal: Bool {
    if host.hasPrefix("[") || host == "localhost" || host.hasSuffix(".localhost") { return true }
    guard let last = host.split(separator: ".").last else { return false }
    return last.utf8.allSatisfy(Self.isDigit)
  }

  /// Without the port that the scheme has anyhow.
  func matches(_ other: Authority, scheme: String) -> Bool {
    let usual: UInt16 = scheme == "https" ? 443 : 80
    return host == other.host && (port ?? usual) == (other.port ?? usual)
  }

  private static func lowercased(_ byte: UInt8) -> UInt8 { UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte ? byte | 0x20 : byte }
  private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }
  private static func isLetter(_ byte: UInt8) -> Bool { UInt8(ascii: "a")...UInt8(ascii: "z") ~= lowercased(byte) }

  /// `IP-literal`, without a zone.
  private static func isInIPv6(_ byte: UInt8) -> Bool {
    isDigit(byte) || UInt8(ascii: "a")...UInt8(ascii: "f") ~= lowercased(byte) || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".")
  }

  /// `reg-name`: letters, digits, and what an address may hold unescaped.
  private static func isInName(_ byte: UInt8) -> Bool { isDigit(byte) || isLetter(byte) || "-._~%!$&'()*+,;=".utf8.contains(byte) }
}
