/// A slice of one immutable buffer: copying it shares the buffer, so a batch is reference-counted once, not per entry.
public typealias Bytes = ArraySlice<UInt8>

/// What was read is not what the format says. Never fatal: the caller refuses the message, file or command that held it.
public struct MalformedBytes: Error, Equatable, CustomStringConvertible, Sendable {
  /// What was being read, in the words of `Docs/Formats.md`.
  public let what: String

  public init(_ what: String) { self.what = what }

  public var description: String { "malformed \(what)" }
}
