/// A slice of one immutable buffer: copying it shares the buffer, so a batch is reference-counted once, not per entry.
public typealias Bytes = ArraySlice<UInt8>

extension Bytes {
  /// The same bytes? Eight at a time: `==` on slices goes byte by byte.
  @inlinable
  public func isEqual(to other: Bytes) -> Bool {
    guard count == other.count else { return false }
    return withUnsafeBytes { left in
      other.withUnsafeBytes { right in
        guard left.baseAddress != right.baseAddress else { return true }
        var offset = 0
        while offset + 8 <= left.count {
          guard left.loadUnaligned(fromByteOffset: offset, as: UInt64.self) == right.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
          else { return false }
          offset += 8
        }
        return left[offset...].elementsEqual(right[offset...])
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

extension Array {
  /// `removeAll(keepingCapacity: true)`, which takes its time even where there is nothing to remove, as there mostly is not in bundles of
  /// effects.
  @inlinable
  package mutating func clear() {
    if !isEmpty { removeAll(keepingCapacity: true) }
  }
}
