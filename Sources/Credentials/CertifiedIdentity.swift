import Foundation

/// Whom a certificate of the cluster's own authority names, as a URI in its subject alternative names:
/// `coracle://DOMAIN/node/ID` or `coracle://DOMAIN/client/NAME`.
///
/// The domain is a random number that was made with the cluster, so that no certificate means anything to another cluster.
public enum CertifiedIdentity: Hashable, Sendable, CustomStringConvertible {
  /// A server of the cluster, by the identity that its data directory was born with.
  case node(domain: TrustDomain, UInt64)
  /// A client. The name is also the certificate's common name, which is where etcd looks for a user.
  case client(domain: TrustDomain, String)

  /// Most bytes of a client's name.
  public static let maximumNameSize = 128

  public var domain: TrustDomain {
    switch self {
    case .node(let domain, _), .client(let domain, _): domain
    }
  }

  public var uri: String {
    switch self {
    case .node(let domain, let id): "\(Self.scheme)\(domain)/node/\(Self.hexadecimal(id))"
    case .client(let domain, let name): "\(Self.scheme)\(domain)/client/\(Self.escaped(name))"
    }
  }

  public var description: String {
    switch self {
    case .node(_, let id): "node \(Self.hexadecimal(id))"
    case .client(_, let name): "client \(name)"
    }
  }

  /// `nil` for what is no such URI, written exactly as `uri` writes it.
  public init?(uri: String) {
    guard uri.hasPrefix(Self.scheme) else { return nil }
    let parts = uri.dropFirst(Self.scheme.count).split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 3, let domain = TrustDomain(String(parts[0])) else { return nil }
    switch parts[1] {
    case "node":
      guard let id = UInt64(parts[2], radix: 16) else { return nil }
      self = .node(domain: domain, id)
    case "client":
      guard let name = String(parts[2]).removingPercentEncoding, Self.isValid(name: name) else { return nil }
      self = .client(domain: domain, name)
    default: return nil
    }
    guard self.uri == uri else { return nil }
  }

  /// 1 to 128 bytes of printable characters.
  public static func isValid(name: String) -> Bool {
    (1...maximumNameSize).contains(name.utf8.count) && name.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f }
  }

  private static let scheme = "coracle://"

  private static func hexadecimal(_ id: UInt64) -> String {
    let digits = String(id, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  private static func escaped(_ name: String) -> String {
    var escaped = ""
    for byte in name.utf8 {
      let scalar = Unicode.Scalar(byte)
      if scalar.isASCII, CharacterSet.alphanumerics.contains(scalar) || "-._~".unicodeScalars.contains(scalar) {
        escaped.unicodeScalars.append(scalar)
      } else {
        escaped += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
      }
    }
    return escaped
  }
}

/// The random name of a cluster in certificates: 16 bytes.
public struct TrustDomain: Hashable, Sendable, CustomStringConvertible {
  public static let size = 16

  public let bytes: [UInt8]

  public static func random() -> TrustDomain {
    TrustDomain(bytes: (0..<size).map { _ in .random(in: .min ... .max) })
  }

  /// From 32 hexadecimal digits in small letters.
  public init?(_ text: String) {
    guard let bytes = [UInt8](hexadecimal: text), bytes.count == Self.size else { return nil }
    self.bytes = bytes
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  public var description: String { bytes.hexadecimal }
}

extension [UInt8] {
  package var hexadecimal: String {
    map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// Of an even number of digits in small letters.
  package init?(hexadecimal text: String) {
    let digits = Array(text.utf8)
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = Self.digit(digits[index]), let low = Self.digit(digits[index + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    self = bytes
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    default: nil
    }
  }
}
