import NIOCore

#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// An address as people write it: `host:port`, `192.0.2.1:2380` or `[2001:db8::1]:2380`. Names are resolved when used, not here.
///
/// Spellings of one address are equal: names are kept in small letters, numbers as the system would write them.
public struct HostPort: Hashable, Sendable, CustomStringConvertible {
  /// A name or an IP address, without brackets.
  public let host: String
  /// 0 where the system may choose.
  public let port: Int

  /// Longest name that DNS knows (RFC 1035, section 2.3.4).
  public static let maximumHostLength = 253

  /// Throws `HostPortError` for anything that is not exactly one address.
  public init(_ text: String) throws(HostPortError) {
    guard !text.contains("://") else { throw HostPortError(text, .isURL) }
    guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else { throw HostPortError(text, .noPort) }
    var host = text[..<colon]
    let digits = text[text.utf8.index(after: colon)...]
    guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      let port = UInt16(digits)
    else { throw HostPortError(text, .badPort) }
    let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
    if isBracketed { host = host.dropFirst().dropLast() }
    guard !host.isEmpty else { throw HostPortError(text, .noHost) }
    if isBracketed {
      guard Self.isIPv6(host) else { throw HostPortError(text, .badHost) }
    } else {
      guard !host.utf8.contains(UInt8(ascii: ":")) else { throw HostPortError(text, .bracketsMissing) }
      guard Self.isName(host) else { throw HostPortError(text, .badHost) }
    }
    self.host = isBracketed ? Self.canonicalIPv6(host) : Self.canonicalName(host)
    self.port = Int(port)
  }

  /// With another port: where a listener that asked for port 0 got one.
  func with(port: Int) -> HostPort { HostPort(host: host, port: port) }

  private init(host: String, port: Int) {
    self.host = host
    self.port = port
  }

  public var description: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// Whether it names this machine alone: `localhost`, 127.0.0.0/8 or ::1. A name that merely resolves to one of them does not count.
  public var isLoopback: Bool {
    if host == "localhost" { return true }
    switch try? SocketAddress(ipAddress: host, port: port) {
    case .v4: return host.hasPrefix("127.")
    case .v6(let address): return withUnsafeBytes(of: address.address.sin6_addr) { $0.dropLast().allSatisfy { $0 == 0 } && $0.last == 1 }
    default: return false
    }
  }

  /// Whether it stands for all addresses of this machine, and so is none that others could use: 0.0.0.0 or ::.
  public var isUnspecified: Bool {
    switch try? SocketAddress(ipAddress: host, port: port) {
    case .v4(let address): address.address.sin_addr.s_addr == 0
    case .v6(let address): withUnsafeBytes(of: address.address.sin6_addr) { $0.allSatisfy { $0 == 0 } }
    default: false
    }
  }

  /// Names and IPv4 addresses. Underscores are no host names by the book, but container networks use them.
  private static func isName(_ text: Substring) -> Bool {
    text.utf8.count <= maximumHostLength
      && text.utf8.allSatisfy {
        switch $0 {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): true
        default: false
        }
      }
  }

  /// In small letters. What resolvers take for numbers is one: `127.1`, and `0`, which is every address of this machine.
  private static func canonicalName(_ text: Substring) -> String {
    var address = in_addr()
    guard inet_aton(String(text), &address) != 0 else { return text.lowercased() }
    return withUnsafeBytes(of: address.s_addr) { $0.map(String.init).joined(separator: ".") }
  }

  /// As RFC 5952 has it; the zone as it is.
  private static func canonicalIPv6(_ text: Substring) -> String {
    let parts = text.split(separator: "%", maxSplits: 1)
    guard let address = (try? SocketAddress(ipAddress: String(parts[0]), port: 0))?.ipAddress else { return String(text) }
    return parts.count == 2 ? "\(address)%\(parts[1])" : address
  }

  private static func isIPv6(_ text: Substring) -> Bool {
    guard text.utf8.count <= maximumHostLength, !text.utf8.contains(0) else { return false }
    let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    if parts.count == 2, !isName(parts[1]) || parts[1].isEmpty { return false }
    guard case .v6 = try? SocketAddress(ipAddress: String(parts[0]), port: 0) else { return false }
    return true
  }
}

/// Why a text is no address, and what to write instead.
public struct HostPortError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    case noPort, badPort, noHost, badHost, bracketsMissing, isURL
  }

  public let text: String
  public let reason: Reason

  init(_ text: String, _ reason: Reason) {
    self.text = text
    self.reason = reason
  }

  public var description: String {
    let why =
      switch reason {
      case .noPort: "the port is missing: write host:port"
      case .badPort: "the port must be a number from 0 to 65535"
      case .noHost: "the host is missing: write host:port (a server that is to listen on all addresses of this machine: 0.0.0.0 or [::])"
      case .badHost: "the host is neither a name nor an IP address"
      case .isURL: "it is a URL: write host:port, without http:// and without a path"
      case .bracketsMissing: "an IPv6 address needs brackets: [::1]:2380"
      }
    return "\"\(text.prefix(300).filter { !$0.isNewline })\" is no address: \(why)"
  }
}
