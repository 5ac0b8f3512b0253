import Credentials
import KeyValue
import NIOCore

/// Judges the passwords of users for all ports of a node: those of logins on the client port, and those that come with every request, as in
/// HTTP's Basic authentication. All share the thread that hashes, and the count of wrong ones.
public final class PasswordCheck: Sendable {
  public enum Verdict: Hashable, Sendable {
    case right
    case wrong
    /// Nothing was judged: there were too many wrong ones lately.
    case tooManyWrong
    /// Nothing was judged: too many wait for it.
    case busy
  }

  let logins = Logins()
  private let known = KnownPasswords()

  public init() {}

  /// Judges a password that comes with a request. It takes the time of a slow hash, unless it was found right a little while ago.
  ///
  /// - Parameter host: from where it comes: a client's address, or the network that holds so many of them.
  public func judge(_ user: AccessName, _ password: String, from host: String, in access: Access) async -> Verdict {
    guard user.bytes.count <= Limits.accessNameBytes, password.utf8.count <= PasswordVerifier.maximumPasswordSize else { return .wrong }
    let verifier = access.user(user)?.verifier
    if let verifier, known.contains(password, verifier) { return .right }
    let guesser = Logins.Guesser(user: user, host: host)
    guard logins.mayTry(guesser, now: .now()) else { return .tooManyWrong }
    let isRight = await withCheckedContinuation { (continuation: CheckedContinuation<Bool?, Never>) in
      let isTaken = logins.hashing.submit(for: host) { continuation.resume(returning: PasswordVerifier.matches(password, verifier)) }
      if !isTaken { continuation.resume(returning: nil) }
    }
    guard let isRight else { return .busy }
    guard isRight, let verifier else {
      logins.wasWrong(guesser, now: .now())
      return .wrong
    }
    known.insert(password, verifier)
    return .right
  }
}
