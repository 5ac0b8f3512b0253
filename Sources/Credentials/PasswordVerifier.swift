import Crypto
import CryptoExtras
import Foundation

/// What a password is checked against: scrypt (RFC 7914) with a random salt. Making and checking one takes some 50 ms and 16 MiB on
/// purpose, so it belongs on a thread that nobody waits for.
///
/// Bytes: version (1), logarithm of the cost (1), salt (16), key (32).
public enum PasswordVerifier {
  /// Most bytes of a password.
  public static let maximumPasswordSize = 1024
  private static let version: UInt8 = 1
  private static let costLogarithm: UInt8 = 14
  private static let blockSize = 8
  private static let saltSize = 16
  private static let keySize = 32

  public static func make(_ password: String) throws -> [UInt8] {
    let salt = SymmetricKey(size: .bits128).withUnsafeBytes { Array($0) }
    return [version, costLogarithm] + salt + (try derive(password, salt, costLogarithm))
  }

  /// Takes its time also if there is nothing to check against, so that nobody learns which users there are.
  public static func matches(_ password: String, _ verifier: [UInt8]?) -> Bool {
    let isUsable = verifier.map { $0.count == 2 + saltSize + keySize && $0[0] == version && (10...20).contains($0[1]) } ?? false
    let known = isUsable ? verifier ?? [] : [version, costLogarithm] + [UInt8](repeating: 0, count: saltSize + keySize)
    guard let key = try? derive(password, Array(known[2..<2 + saltSize]), known[1]) else { return false }
    // In a time that does not tell how much of it was right.
    let difference = zip(key, known[(2 + saltSize)...]).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) }
    return isUsable && difference == 0
  }

  private static func derive(_ password: String, _ salt: [UInt8], _ costLogarithm: UInt8) throws -> [UInt8] {
    let key = try KDF.Scrypt.deriveKey(
      from: Array(password.utf8), salt: salt, outputByteCount: keySize, rounds: 1 << Int(costLogarithm), blockSize: blockSize,
      parallelism: 1, maxMemory: 256 << 20)
    return key.withUnsafeBytes { Array($0) }
  }
}
