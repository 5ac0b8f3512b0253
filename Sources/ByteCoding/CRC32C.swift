/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) by slicing-by-16: the standard library has no access to the processor's instruction.
public enum CRC32C {
  /// The checksum of `bytes`, continuing from `seed`: `checksum(b, seed: checksum(a))` is the checksum of `a` followed by `b`.
  public static func checksum(_ bytes: Bytes, seed: UInt32 = 0) -> UInt32 {
    bytes.withUnsafeBytes { checksum($0, seed: seed) }
  }

  public static func checksum(_ bytes: [UInt8], seed: UInt32 = 0) -> UInt32 {
    bytes.withUnsafeBytes { checksum($0, seed: seed) }
  }

  public static func checksum(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
    tables.withUnsafeBufferPointer { table in
      var crc = ~seed
      var offset = 0
      while offset + 8 <= bytes.count {
        let next = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        if next == 0, isZeroRun(bytes, at: offset) {
          crc = advanceZeroRun(crc, table)
          offset += zeroRun
          continue
        }
        let word = UInt64(littleEndian: next) ^ UInt64(crc)
        if offset + 16 <= bytes.count {
          let second = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self))
          crc = advance(word, by: 8, table) ^ advance(second, by: 0, table)
          offset += 16
        } else {
          crc = advance(word, by: 0, table)
          offset += 8
        }
      }
      while offset < bytes.count {
        crc = table[Int((crc ^ UInt32(bytes[offset])) & 0xff)] ^ (crc >> 8)
        offset += 1
      }
      return ~crc
    }
  }

  /// The checksum of two byte strings, one behind the other, from the checksum of each: the second has `count` bytes, and is not looked at
  /// again. As zlib's `crc32_combine`.
  public static func combine(_ first: UInt32, _ second: UInt32, count: Int) -> UInt32 {
    tables.withUnsafeBufferPointer { table in
      var crc = first
      for _ in 0..<count / zeroRun { crc = advanceZeroRun(crc, table) }
      for _ in 0..<count % zeroRun { crc = table[Int(crc & 0xff)] ^ (crc >> 8) }
      return crc ^ second
    }
  }

  /// What a checksum becomes by a run of zeros.
  @inline(__always)
  private static func advanceZeroRun(_ crc: UInt32, _ table: UnsafeBufferPointer<UInt32>) -> UInt32 {
    table[16 * 256 + Int(crc & 0xff)] ^ table[17 * 256 + Int(crc >> 8 & 0xff)]
      ^ table[18 * 256 + Int(crc >> 16 & 0xff)] ^ table[19 * 256 + Int(crc >> 24)]
  }

  /// What eight bytes, with the checksum so far in the first of them, become after `count` further bytes.
  @inline(__always)
  private static func advance(_ word: UInt64, by count: Int, _ table: UnsafeBufferPointer<UInt32>) -> UInt32 {
    let table = UnsafeBufferPointer(rebasing: table[(count * 256)...])
    return table[7 * 256 + Int(word & 0xff)] ^ table[6 * 256 + Int(word >> 8 & 0xff)]
      ^ table[5 * 256 + Int(word >> 16 & 0xff)] ^ table[4 * 256 + Int(word >> 24 & 0xff)]
      ^ table[3 * 256 + Int(word >> 32 & 0xff)] ^ table[2 * 256 + Int(word >> 40 & 0xff)]
      ^ table[1 * 256 + Int(word >> 48 & 0xff)] ^ table[Int(word >> 56)]
  }

  /// So many zeros are taken in one step, since files are padded with them.
  private static let zeroRun = 32

  @inline(__always)
  private static func isZeroRun(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool {
    guard offset + zeroRun <= bytes.count else { return false }
    let first = bytes.loadUnaligned(fromByteOffset: offset, as: (UInt64, UInt64).self)
    let second = bytes.loadUnaligned(fromByteOffset: offset + 16, as: (UInt64, UInt64).self)
    return first.0 | first.1 | second.0 | second.1 == 0
  }

  /// Sixteen tables of 256: table `k` advances a byte by `k` further zero bytes. Then four: table `16 + k` advances byte `k` of a checksum
  /// by a run of zeros.
  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 20 * 256)
    for byte in 0..<256 {
      var crc = UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0x82f6_3b78 : crc >> 1 }
      tables[byte] = crc
    }
    for slice in 1..<16 {
      for byte in 0..<256 {
        let previous = tables[(slice - 1) * 256 + byte]
        tables[slice * 256 + byte] = tables[Int(previous & 0xff)] ^ (previous >> 8)
      }
    }
    // A checksum is linear: what a byte becomes is the sum of what its bits become.
    for bit in 0..<32 {
      var crc = UInt32(1) << UInt32(bit)
      for _ in 0..<zeroRun { crc = tables[Int(crc & 0xff)] ^ (crc >> 8) }
      for byte in 0..<256 where byte >> (bit % 8) & 1 == 1 { tables[(16 + bit / 8) * 256 + byte] ^= crc }
    }
    return tables
  }()
}
