/// A slice of one immutable buffer: copying it shares the buffer, so a batch is reference-counted once, not per entry.
public typealias Bytes = ArraySlice<UInt8>

extension Bytes {
  /// What `==` says, in steps of eight bytes instead of one.
  public func hasSameBytes(as other: Bytes) -> Bool {
    guard count == other.count else { return false }
    return withUnsafeBytes { these in
      other.withUnsafeBytes { those in
        var offset = 0
        while offset + 8 <= these.count {
          let word = these.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
          guard word == those.loadUnaligned(fromByteOffset: offset, as: UInt64.self) else { return false }
          offset += 8
        }
        return these[offset...].elementsEqual(those[offset...])
      }
    }
  }
}

/// What was read is not what the format says. Never fatal: the caller refuses the message, file or command that held it.
public struct MalformedBytes: Error, Equatable, CustomStringConvertible, Sendable {
  /// What was being read, in the words of `Docs/Formats.md`.
  public let what: String

  public init(_ what: String) { self.what = what }

  public var description: String { "malformed \(what)" }
}
