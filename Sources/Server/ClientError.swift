import ArgumentParser
import EtcdAPI
import Foundation

/// Why a request to a cluster has no answer.
enum ClientError: Error, Equatable, CustomStringConvertible {
  /// The cluster answered that it will not do it.
  case refused(String)
  /// No node could do it, each for its reason; nothing was changed.
  case unavailable([String])
  /// A node took a write, and what became of it is not known.
  case unknown(String, advice: String = "look before repeating it")
  /// A node answered something that is no answer.
  case malformed(String)
  /// What listens at an address is something else.
  case notANode(String)
  /// The answer came, and could not be written: the system's number for why.
  case outputLost(Int32)

  var exitCode: ExitCode {
    switch self {
    case .refused, .malformed, .notANode: ExitStatus.failed
    case .unavailable: ExitStatus.unavailable
    case .unknown: ExitStatus.unknown
    case .outputLost: ExitStatus.outputLost
    }
  }

  /// A reader that closes its end has read enough: no error message.
  var isQuiet: Bool { self == .outputLost(EPIPE) }

  var description: String {
    switch self {
    case .refused(let text): text
    case .unavailable(let reasons): "no node could do it; nothing was changed\n  " + reasons.joined(separator: "\n  ")
    case .unknown(let text, let advice): "outcome unknown: \(text)\n  It may have been done: \(advice)."
    case .malformed(let text): "the answer is not understood: \(text)"
    case .notANode(let text): "this is no Coracle node: \(text)"
    case .outputLost(let code): "the answer cannot be written: \(String(cString: strerror(code))); what was asked for was done"
    }
  }

  /// The same for programs, on one line.
  var json: String {
    if case .unavailable(let reasons) = self { return Self.json("no node could do it; nothing was changed", exitCode, reasons) }
    return Self.json(description, exitCode)
  }

  static func json(_ text: String, _ status: ExitCode, _ reasons: [String] = []) -> String {
    var writer = JSONWriter()
    writer.object {
      $0.field("error", text: text)
      $0.field("status", unquoted: status.rawValue)
      $0.array("reasons", reasons) { $0.element(text: $1) }
    }
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}

/// What the command's exit status says.
enum ExitStatus {
  /// The key was not found, the request was refused, or a node could not start or had to stop: nothing was changed.
  static let failed = ExitCode(1)
  /// No node could do it; nothing was changed.
  static let unavailable = ExitCode(3)
  /// A write may have been done, or may still be: look before repeating it.
  static let unknown = ExitCode(4)
  /// A lock or an election was lost while it was held: another may hold it.
  static let lost = ExitCode(5)
  /// The answer could not be written (EX_IOERR of sysexits.h). What was asked for was done.
  static let outputLost = ExitCode(74)

  static let discussion = """
    Exit status: 0 done; 1 not found, refused or failed, nothing was changed; 3 no node could do it, nothing was changed; \
    4 the outcome of a write is unknown: look before repeating it; 5 a lock was lost while it was held; 64 wrong usage; \
    74 done, but the answer could not be written.
    """
}
