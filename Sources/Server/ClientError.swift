import ArgumentParser

/// Why a request to a cluster has no answer.
enum ClientError: Error, CustomStringConvertible {
  /// The cluster answered that it will not do it.
  case refused(String)
  /// No node could do it, each for its reason; nothing was changed.
  case unavailable([String])
  /// A node took a write, and what became of it is not known.
  case unknown(String)
  /// A node answered something that is no answer.
  case malformed(String)

  var exitCode: ExitCode {
    switch self {
    case .refused, .malformed: ExitStatus.failed
    case .unavailable: ExitStatus.unavailable
    case .unknown: ExitStatus.unknown
    }
  }

  var description: String {
    switch self {
    case .refused(let text): text
    case .unavailable(let reasons): "no node could do it; nothing was changed\n  " + reasons.joined(separator: "\n  ")
    case .unknown(let text): "outcome unknown: \(text)\n  The write may have been done: look before repeating it."
    case .malformed(let text): "the answer is not understood: \(text)"
    }
  }
}
