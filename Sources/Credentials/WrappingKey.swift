import Crypto
import Foundation

/// The key under which secrets stand in the replicated state: it is in a file of every voter, and in no log, snapshot or backup.
///
/// AES-256 in GCM (RFC 5116): a nonce of 12 bytes, the secret, a tag of 16.
public struct WrappingKey: Sendable {
  public static let size = 32

  private let key: SymmetricKey

  public static func random() -> WrappingKey { WrappingKey(key: SymmetricKey(size: .bits256)) }

  /// `nil` if there are not 32 bytes.
  public init?(bytes: [UInt8]) {
    guard bytes.count == Self.size else { return nil }
    key = SymmetricKey(data: bytes)
  }

  private init(key: SymmetricKey) { self.key = key }

  public var bytes: [UInt8] { key.withUnsafeBytes { Array($0) } }

  /// - Parameter purpose: what the secret is; `open` must name the same.
  public func seal(_ secret: [UInt8], for purpose: String) throws -> [UInt8] {
    let box = try AES.GCM.seal(secret, using: key, authenticating: Array(purpose.utf8))
    return Array(box.nonce) + Array(box.ciphertext) + Array(box.tag)
  }

  /// `nil` if it was sealed under another key, for another purpose, or changed.
  public func open(_ sealed: [UInt8], for purpose: String) -> [UInt8]? {
    guard let box = try? AES.GCM.SealedBox(combined: sealed) else { return nil }
    return (try? AES.GCM.open(box, using: key, authenticating: Array(purpose.utf8))).map { Array($0) }
  }
}
