/// Appends integers (little-endian, fixed width) and byte strings to one growing buffer.
public struct ByteWriter: Sendable {
  @usableFromInline var buffer: [UInt8] = []

  @inlinable public var bytes: [UInt8] { buffer }

  public init(capacity: Int = 0) {
    buffer.reserveCapacity(capacity)
  }

  public var count: Int { buffer.count }

  /// The bytes written so far, as a slice that shares the buffer.
  public var slice: Bytes { buffer[...] }

  public mutating func write(_ value: UInt8) { buffer.append(value) }
  public mutating func write(_ value: UInt16) { writeInteger(value) }
  public mutating func write(_ value: UInt32) { writeInteger(value) }
  public mutating func write(_ value: UInt64) { writeInteger(value) }
  public mutating func write(_ value: Int64) { writeInteger(value) }
  public mutating func write(_ value: Bool) { buffer.append(value ? 1 : 0) }

  /// The bytes alone: the reader must know how many there are.
  @inlinable public mutating func write(raw: some Collection<UInt8>) { buffer.append(contentsOf: raw) }

  /// A `UInt32` length and then the bytes.
  @inlinable
  public mutating func write(prefixed: some Collection<UInt8>) {
    write(UInt32(prefixed.count))
    buffer.append(contentsOf: prefixed)
  }

  /// A `UInt32` length and then the UTF-8 of the string.
  public mutating func write(_ string: String) { write(prefixed: string.utf8) }

  /// Overwrites four bytes that were written before, for lengths and checksums known only afterwards.
  public mutating func patch(_ value: UInt32, at offset: Int) {
    for i in 0..<4 { buffer[offset + i] = UInt8(truncatingIfNeeded: value >> UInt32(8 * i)) }
  }

  private mutating func writeInteger(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.littleEndian) { buffer.append(contentsOf: $0) }
  }
}
