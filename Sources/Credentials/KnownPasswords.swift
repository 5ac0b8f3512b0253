import Crypto
import NIOConcurrencyHelpers

/// Passwords that were found right lately, so that one which is shown with every request is not hashed slowly each time. It is kept under a
/// key that ends with the process, together with what it was checked against: so a password that was changed is not known any more.
public final class KnownPasswords: Sendable {
  /// Passwords that are remembered; the one that was found right first goes.
  static let maximum = 1024
  /// How long.
  static let life = Duration.seconds(600)

  private let key = SymmetricKey(size: .bits256)
  private let known = NIOLockedValueBox<[[UInt8]: ContinuousClock.Instant]>([:])

  public init() {}

  public func contains(_ password: String, _ verifier: [UInt8], now: ContinuousClock.Instant = .now) -> Bool {
    let mark = mark(password, verifier)
    return known.withLockedValue { $0[mark].map { now - $0 < Self.life } ?? false }
  }

  public func insert(_ password: String, _ verifier: [UInt8], now: ContinuousClock.Instant = .now) {
    let mark = mark(password, verifier)
    known.withLockedValue { known in
      known[mark] = now
      guard known.count > Self.maximum, let oldest = known.min(by: { $0.value < $1.value }) else { return }
      known[oldest.key] = nil
    }
  }

  private func mark(_ password: String, _ verifier: [UInt8]) -> [UInt8] {
    var digest = HMAC<SHA256>(key: key)
    digest.update(data: withUnsafeBytes(of: UInt64(verifier.count)) { Array($0) } + verifier)
    digest.update(data: Array(password.utf8))
    return Array(digest.finalize())
  }
}
