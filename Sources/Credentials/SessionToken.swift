import Crypto
import Foundation

/// What a user shows after a login: 32 random bytes in hexadecimal digits. The store keeps its digest alone.
public enum SessionToken {
  public static func random() -> String { SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }.hexadecimal }

  /// SHA-256.
  public static func digest(of token: String) -> [UInt8] { Array(SHA256.hash(data: Array(token.utf8))) }
}
