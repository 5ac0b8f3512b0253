import NIOCore

extension SocketAddress {
  /// What one client is counted by: its address, or, since a host is given that many of them (RFC 6177), the first 64 bits of its address
  /// in version 6. `nil` for what has no address.
  public var network: String? {
    switch self {
    case .v4, .unixDomainSocket: return ipAddress
    case .v6(let address):
      let bytes = withUnsafeBytes(of: address.address.sin6_addr) { Array($0) }
      // An address of version 4, as a port for both versions sees it.
      if bytes.prefix(12) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff] { return bytes.suffix(4).map(String.init).joined(separator: ".") }
      let groups = stride(from: 0, to: 8, by: 2).map { String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16) }
      return groups.joined(separator: ":") + "::/64"
    }
  }
}
