/// Reads what `ByteWriter` wrote. Every read checks its bounds: hostile bytes end in `MalformedBytes`, never in a trap.
public struct ByteReader: Sendable {
  private let bytes: Bytes
  private var position: Int

  public init(_ bytes: Bytes) {
    self.bytes = bytes
    position = bytes.startIndex
  }

  public var remaining: Int { bytes.endIndex - position }
  public var isAtEnd: Bool { remaining == 0 }

  public mutating func readUInt8() throws(MalformedBytes) -> UInt8 { try readInteger() }
  public mutating func readUInt16() throws(MalformedBytes) -> UInt16 { try readInteger() }
  public mutating func readUInt32() throws(MalformedBytes) -> UInt32 { try readInteger() }
  public mutating func readUInt64() throws(MalformedBytes) -> UInt64 { try readInteger() }
  public mutating func readInt64() throws(MalformedBytes) -> Int64 { try readInteger() }

  /// Strict: anything but 0 and 1 is malformed, so that each value has one encoding.
  public mutating func readBool() throws(MalformedBytes) -> Bool {
    switch try readUInt8() {
    case 0: return false
    case 1: return true
    default: throw MalformedBytes("boolean")
    }
  }

  /// The next `count` bytes, sharing the buffer.
  public mutating func read(count: Int) throws(MalformedBytes) -> Bytes {
    guard count >= 0, count <= remaining else { throw MalformedBytes("length: \(count) bytes announced, \(remaining) left") }
    defer { position += count }
    return bytes[position..<position + count]
  }

  /// A `UInt32` length and then the bytes.
  public mutating func readPrefixed() throws(MalformedBytes) -> Bytes {
    try read(count: Int(try readUInt32()))
  }

  public mutating func readString() throws(MalformedBytes) -> String {
    guard let string = String(validating: try readPrefixed(), as: UTF8.self) else { throw MalformedBytes("UTF-8") }
    return string
  }

  /// For the end of a message: bytes beyond the known fields are an error, not something to be skipped in silence.
  public func expectEnd() throws(MalformedBytes) {
    guard isAtEnd else { throw MalformedBytes("length: \(remaining) bytes too many") }
  }

  private mutating func readInteger<I: FixedWidthInteger>() throws(MalformedBytes) -> I {
    let size = MemoryLayout<I>.size
    guard remaining >= size else { throw MalformedBytes("length: \(size) bytes wanted, \(remaining) left") }
    let offset = position - bytes.startIndex
    position += size
    return I(littleEndian: bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: I.self) })
  }
}
