/// Bytes of a format, written down by hand from `Docs/Formats.md`: what is encoded today must be exactly these, and these must be read.
///
/// Groups of hexadecimal digits, two for each byte, as the fields go; `00*455` is 455 times that byte; what follows `#` in a line is a
/// remark.
public struct Golden: Equatable, Sendable, CustomStringConvertible {
  /// What to do when a comparison with golden bytes fails.
  public static let advice = """
    The format has changed: files and nodes of the last release do not fit any more. If that was not meant, mend the encoder. If it was, \
    raise the format's version, read the old one too (or refuse it by name, and say in Docs/Operations.md how to upgrade), keep these \
    bytes as a test of the old version, and add the new ones here and in Docs/Formats.md.
    """

  public let bytes: [UInt8]

  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// - Precondition: the text is of the form above.
  public init(_ text: String) {
    let lines = text.split(separator: "\n").map { $0.prefix { $0 != "#" } }
    bytes = lines.flatMap { $0.split(separator: " ") }.flatMap(Self.group)
  }

  private static func group(_ text: Substring) -> [UInt8] {
    let parts = text.split(separator: "*")
    guard parts.count == 2, let byte = UInt8(parts[0], radix: 16), let count = Int(parts[1]) else { return digits(text) }
    return [UInt8](repeating: byte, count: count)
  }

  private static func digits(_ text: Substring) -> [UInt8] {
    let digits = text.map { digit in
      guard let value = digit.hexDigitValue else { preconditionFailure("\(text) is not hexadecimal") }
      return UInt8(value)
    }
    precondition(digits.count.isMultiple(of: 2), "\(text) has half a byte")
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }

  /// Lines of 32 bytes, each with its offset: so that two of them can be compared by eye.
  public var description: String {
    stride(from: 0, to: bytes.count, by: 32).map { offset in
      "\n\(offset): " + bytes[offset..<min(offset + 32, bytes.count)].map(Self.text).joined()
    }.joined()
  }

  private static func text(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }
}
