import Foundation

/// What goes to standard output and standard error.
enum Output {
  /// Bytes as they are.
  static func write(_ bytes: some Sequence<UInt8>) { FileHandle.standardOutput.write(Data(bytes)) }

  /// A value as it is; on a terminal, on a line of its own.
  static func writeValue(_ bytes: [UInt8]) {
    write(bytes)
    if isatty(STDOUT_FILENO) == 1 { write([UInt8(ascii: "\n")]) }
  }

  static func line(_ text: String) { write((text + "\n").utf8) }

  static func complain(_ text: String) { FileHandle.standardError.write(Data("coracle: \(text)\n".utf8)) }
}
