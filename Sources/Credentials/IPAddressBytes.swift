import NIOCore

/// The bytes of an IPv4 or IPv6 address, as certificates have them.
struct IPAddressBytes {
  let bytes: [UInt8]

  /// `nil` for what is a name.
  init?(_ text: String) {
    guard let address = try? SocketAddress(ipAddress: text, port: 0) else { return nil }
    switch address {
    case .v4(let v4): bytes = withUnsafeBytes(of: v4.address.sin_addr) { Array($0) }
    case .v6(let v6): bytes = withUnsafeBytes(of: v6.address.sin6_addr) { Array($0) }
    case .unixDomainSocket: return nil
    }
  }
}
