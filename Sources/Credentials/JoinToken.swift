import Crypto
import Foundation

/// What an operator carries from a cluster to a server that is to join it: where the cluster is, a secret that says that the server may,
/// and by what the cluster is known, so that the first connection is authenticated both ways.
///
/// As text: `coracle-1-` and base64url (RFC 4648) of number, secret, pin, address, and the first four bytes of the SHA-256 of all that.
public struct JoinToken: Hashable, Sendable {
  public static let numberSize = 8
  public static let secretSize = 16
  static let pinSize = 32
  /// Most bytes of the address.
  public static let maximumAddressSize = 255
  /// Most characters of a token that is looked at.
  public static let maximumSize = 600

  /// By which the cluster finds what it knows of the token; no secret.
  public let number: [UInt8]
  public let secret: [UInt8]
  /// SHA-256 of the authority's public key.
  public let pin: [UInt8]
  /// Where clients reach the node that made it, as host:port.
  public let address: String

  /// A new one, with a random number and secret.
  public init(pin: [UInt8], address: String) {
    number = (0..<Self.numberSize).map { _ in .random(in: .min ... .max) }
    secret = SymmetricKey(size: .bits128).withUnsafeBytes { Array($0) }
    self.pin = pin
    self.address = address
  }

  /// What the cluster keeps, in place of the secret.
  public var digest: [UInt8] { Self.digest(of: secret) }

  public static func digest(of secret: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: secret)) }

  public var text: String {
    let body = number + secret + pin + Array(address.utf8)
    return Self.prefix + Base64URL.encode(body + Self.checksum(body))
  }

  public init(_ text: String) throws(JoinTokenError) {
    let text = text.trimmingCharacters(in: .whitespacesAndNewlines)
    guard text.utf8.count <= Self.maximumSize, text.hasPrefix(Self.prefix) else { throw .noToken }
    guard let bytes = Base64URL.decode(String(text.dropFirst(Self.prefix.count))) else { throw .damaged }
    let fixed = Self.numberSize + Self.secretSize + Self.pinSize
    guard bytes.count > fixed + 4 else { throw .damaged }
    let body = Array(bytes.dropLast(4))
    guard Self.checksum(body) == Array(bytes.suffix(4)), let address = String(validating: body[fixed...], as: UTF8.self),
      address.utf8.count <= Self.maximumAddressSize
    else { throw .damaged }
    number = Array(body[..<Self.numberSize])
    secret = Array(body[Self.numberSize..<Self.numberSize + Self.secretSize])
    pin = Array(body[Self.numberSize + Self.secretSize..<fixed])
    self.address = address
  }

  private static let prefix = "coracle-1-"

  private static func checksum(_ body: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: body).prefix(4)) }
}

/// A text that is not a whole token.
public enum JoinTokenError: Error, Hashable, Sendable, CustomStringConvertible {
  case noToken
  case damaged

  public var description: String {
    switch self {
    case .noToken: "this is no token: it begins with coracle-1-, as `coracle token create` prints it"
    case .damaged: "this token is cut short or changed: copy all of it"
    }
  }
}

enum Base64URL {
  static func encode(_ bytes: [UInt8]) -> String {
    Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
  }

  static func decode(_ text: String) -> [UInt8]? {
    guard text.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "=") }) else { return nil }
    let standard = text.replacing("-", with: "+").replacing("_", with: "/")
    let padded = standard + String(repeating: "=", count: (4 - standard.utf8.count % 4) % 4)
    // The last character may have bits that stand for nothing: there is one text for the same bytes all the same.
    return Data(base64Encoded: padded).map { Array($0) }.flatMap { encode($0) == text ? $0 : nil }
  }
}
