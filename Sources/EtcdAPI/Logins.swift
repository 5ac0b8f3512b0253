import KeyValue
import NIOCore
import Synchronization

/// What all logins of a port share: the thread on which passwords are hashed, one after the other, and who guessed wrong lately.
final class Logins: Sendable {
  /// Who guesses. Where from belongs to it: otherwise a stranger could keep a user out by guessing.
  struct Guesser: Hashable {
    var user: AccessName
    var host: String
  }

  /// Guessers who are remembered for wrong passwords; the one whose last wrong one is longest ago goes.
  static let maximumGuessers = 1024
  /// Wrong passwords that cost nothing but the time of the hash; each further one makes the guesser wait twice as long.
  static let free = 5
  static let longestWait = TimeAmount.seconds(30)

  private struct Guesses {
    var count = 0
    var last: NIODeadline

    /// Until when no other password is looked at.
    var wait: NIODeadline {
      guard count > Logins.free else { return last }
      let seconds = Int64(1) << min(count - Logins.free - 1, 5)
      return last + min(.seconds(seconds), Logins.longestWait)
    }
  }

  let hashing = LongLooks()
  private let guesses = Mutex<[Guesser: Guesses]>([:])

  /// Whether a password is looked at now. It is not for a while after many wrong ones, not even a right one.
  func mayTry(_ guesser: Guesser, now: NIODeadline) -> Bool {
    guesses.withLock { $0[guesser].map { $0.wait <= now } ?? true }
  }

  func wasWrong(_ guesser: Guesser, now: NIODeadline) {
    guesses.withLock { guesses in
      var known = guesses[guesser] ?? Guesses(last: now)
      // What is long past is forgotten.
      if now - known.last > .minutes(5) { known.count = 0 }
      known.count += 1
      known.last = now
      guesses[guesser] = known
      guard guesses.count > Self.maximumGuessers, let oldest = guesses.min(by: { $0.value.last < $1.value.last }) else { return }
      guesses[oldest.key] = nil
    }
  }
}
