import Credentials
import Foundation

/// What the cluster keeps of a token: not its secret.
struct TokenRecord: Codable, Sendable {
  /// A server that was let in, so that it may ask again if the answer was lost.
  struct Admission: Codable, Equatable, Sendable {
    var node: String
    /// SHA-256 of its public key. Signing requests for the same key differ.
    var key: String
  }

  static let prefix = "token/"
  /// How many are kept, those that have ended included.
  static let most = 256
  /// Servers that one token lets in at most.
  static let mostUses = 16
  static let longestLife: TimeInterval = 30 * 86400

  /// SHA-256 of the secret, in hexadecimal digits.
  var digest: String
  /// In seconds since 1970.
  var expires: Int64
  /// How many more servers it lets in.
  var uses: Int
  var admissions: [Admission] = []

  static func name(_ number: [UInt8]) -> String { prefix + number.hexadecimal }

  init(_ token: JoinToken, uses: Int, life: TimeInterval, now: Date) {
    digest = token.digest.hexadecimal
    expires = Int64(now.timeIntervalSince1970 + life)
    self.uses = uses
  }

  init(decoding bytes: [UInt8]) throws { self = try JSONDecoder().decode(Self.self, from: Data(bytes)) }

  func encoded() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return Array(try encoder.encode(self))
  }

  /// Throws why a server is not let in; else takes it down. Not again if it asks once more, because the answer was lost: `false` then.
  ///
  /// - Parameter digest: of the secret that it showed.
  @discardableResult
  mutating func admit(_ admission: Admission, digest shown: [UInt8], now: Date) throws(TokenRefusal) -> Bool {
    // In a time that does not tell how much of it was right.
    let known = [UInt8](hexadecimal: digest) ?? []
    guard known.count == shown.count, zip(known, shown).reduce(0, { $0 | ($1.0 ^ $1.1) }) == 0 else { throw .wrongSecret }
    guard Int64(now.timeIntervalSince1970) <= expires else { throw .expired }
    if admissions.contains(admission) { return false }
    guard uses > 0 else { throw .used }
    uses -= 1
    admissions.append(admission)
    return true
  }
}

/// Why a token lets nobody in.
enum TokenRefusal: Error, CustomStringConvertible {
  case unknown, wrongSecret, expired, used

  var description: String {
    let cure = "make another with `coracle token create` on a server of the cluster"
    return switch self {
    case .unknown: "the cluster does not know this token, or no longer: \(cure)"
    case .wrongSecret: "this token is not the cluster's: \(cure)"
    case .expired: "this token's time is over: \(cure)"
    case .used: "this token was used before: \(cure)"
    }
  }
}
