/// Appends integers (little-endian, fixed width) and byte strings to one growing buffer.
public struct ByteWriter: Sendable {
  public private(set) var bytes: [UInt8]

  public init(capacity: Int = 0) {
    bytes = []
    bytes.reserveCapacity(capacity)
  }

  public var count: Int { bytes.count }

  /// The bytes written so far, as a slice that shares the buffer.
  public var slice: Bytes { bytes[...] }

  public mutating func write(_ value: UInt8) { bytes.append(value) }
  public mutating func write(_ value: UInt16) { writeInteger(value) }
  public mutating func write(_ value: UInt32) { writeInteger(value) }
  public mutating func write(_ value: UInt64) { writeInteger(value) }
  public mutating func write(_ value: Int64) { writeInteger(value) }
  public mutating func write(_ value: Bool) { bytes.append(value ? 1 : 0) }

  /// The bytes alone: the reader must know how many there are.
  public mutating func write(raw: some Collection<UInt8>) { bytes.append(contentsOf: raw) }

  /// A `UInt32` length and then the bytes.
  public mutating func write(prefixed: UnsafeRawBufferPointer) {
    write(UInt32(prefixed.count))
    bytes.append(contentsOf: prefixed)
  }

  /// A `UInt32` length and then the bytes.
  public mutating func write(prefixed: Bytes) { prefixed.withUnsafeBytes { write(prefixed: $0) } }

  /// A `UInt32` length and then the bytes.
  public mutating func write(prefixed: [UInt8]) { prefixed.withUnsafeBytes { write(prefixed: $0) } }

  /// A `UInt32` length and then the UTF-8 of the string.
  public mutating func write(_ string: String) { write(prefixed: Array(string.utf8)) }

  /// Overwrites four bytes that were written before, for lengths and checksums known only afterwards.
  public mutating func patch(_ value: UInt32, at offset: Int) {
    for i in 0..<4 { bytes[offset + i] = UInt8(truncatingIfNeeded: value >> UInt32(8 * i)) }
  }

  private mutating func writeInteger(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }
}
