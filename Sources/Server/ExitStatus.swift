import ArgumentParser

/// What the command's exit status says.
enum ExitStatus {
  /// The key was not found, the request was refused, or a node could not start or had to stop: nothing was changed.
  static let failed = ExitCode(1)
  /// No node could do it; nothing was changed.
  static let unavailable = ExitCode(3)
  /// A write may have been done, or may still be: look before repeating it.
  static let unknown = ExitCode(4)
  /// The answer could not be written (EX_IOERR of sysexits.h). What was asked for was done.
  static let outputLost = ExitCode(74)

  static let discussion = """
    Exit status: 0 done; 1 not found, refused or failed, nothing was changed; 3 no node could do it, nothing was changed; \
    4 the outcome of a write is unknown: look before repeating it; 64 wrong usage; \
    74 done, but the answer could not be written.
    """
}
