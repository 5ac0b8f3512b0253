import Foundation

/// Signals that are sent by habit, and would end a process that does not expect them.
enum HarmlessSignals {
  /// Log rotation (HUP, USR1, USR2), timers of whoever started us, and writing to somebody who is gone. The log goes to standard error, so
  /// there is no file to open anew.
  private static let all = [SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE]

  /// - Returns: Whether SIGHUP means the end: the terminal in which the program runs was closed.
  static func ignore() -> Bool {
    for number in all { signal(number, SIG_IGN) }
    let hasTerminal = isatty(STDIN_FILENO) == 1
    if !hasTerminal { signal(SIGHUP, SIG_IGN) }
    return hasTerminal
  }
}
