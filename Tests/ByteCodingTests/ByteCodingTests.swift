import ByteCoding
import Testing

@Suite struct CRC32CTests {
  /// Test vectors of RFC 3720, appendix B.4.
  @Test func matchesTheVectorsOfRFC3720() {
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
    #expect(CRC32C.checksum([UInt8](repeating: 0xff, count: 32)) == 0x62a8_ab43)
    #expect(CRC32C.checksum((0..<32).map { UInt8($0) }) == 0x46dd_794e)
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xe306_9283)
  }

  @Test func continuesFromASeed() {
    let bytes = (0..<100).map { UInt8($0) }
    for cut in [0, 1, 7, 8, 9, 50, 100] {
      #expect(CRC32C.checksum(bytes[cut...], seed: CRC32C.checksum(bytes[..<cut])) == CRC32C.checksum(bytes))
    }
  }

  @Test(arguments: [0, 1, 31, 32, 33, 500]) func combinesTheChecksumsOfTwoParts(count: Int) {
    let first: [UInt8] = [1, 2, 3]
    let second = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
    let combined = CRC32C.combine(CRC32C.checksum(first), CRC32C.checksum(second), count: count)
    #expect(combined == CRC32C.checksum(first + second))
  }

  @Test(arguments: [1, 15, 16, 17, 40, 500]) func takesSixteenBytesInOneStep(count: Int) {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 31 + 1) }
    #expect(CRC32C.checksum(bytes) == bytes.reduce(0) { CRC32C.checksum([$1], seed: $0) })
  }

  @Test(arguments: [1, 24, 31, 32, 33, 40, 500]) func takesRunsOfZerosInOneStep(count: Int) {
    for start in 0..<9 {
      let bytes = (0..<start).map { UInt8($0 + 1) } + [UInt8](repeating: 0, count: count) + [7, 0, 9]
      // Byte by byte there are no runs.
      #expect(CRC32C.checksum(bytes) == bytes.reduce(0) { CRC32C.checksum([$1], seed: $0) })
    }
  }
}

@Suite struct ByteReaderTests {
  @Test func readsBackWhatWasWritten() throws {
    var writer = ByteWriter()
    writer.write(UInt8(7))
    writer.write(UInt16.max)
    writer.write(UInt32(1 << 20))
    writer.write(UInt64.max - 1)
    writer.write(Int64(-5))
    writer.write(true)
    writer.write("körbe")
    writer.write(prefixed: [1, 2, 3])
    var reader = ByteReader(([9] + writer.bytes).dropFirst())
    #expect(try reader.readUInt8() == 7)
    #expect(try reader.readUInt16() == .max)
    #expect(try reader.readUInt32() == 1 << 20)
    #expect(try reader.readUInt64() == .max - 1)
    #expect(try reader.readInt64() == -5)
    #expect(try reader.readBool())
    #expect(try reader.readString() == "körbe")
    #expect(try reader.readPrefixed() == [1, 2, 3])
    try reader.expectEnd()
  }

  @Test func refusesWhatIsCutOrTooLong() {
    var short = ByteReader([1, 2, 3])
    #expect(throws: MalformedBytes.self) { try short.readUInt32() }
    var liar = ByteReader([255, 255, 255, 255, 1])
    #expect(throws: MalformedBytes.self) { try liar.readPrefixed() }
    #expect(throws: MalformedBytes.self) { try ByteReader([1]).expectEnd() }
    var badString = ByteReader([1, 0, 0, 0, 0xff])
    #expect(throws: MalformedBytes.self) { try badString.readString() }
    var badBool = ByteReader([2])
    #expect(throws: MalformedBytes.self) { try badBool.readBool() }
  }
}

@Suite struct BytesTests {
  @Test(arguments: [0, 1, 7, 8, 9, 16, 21]) func comparesAllBytes(count: Int) {
    let bytes = (0..<count).map { UInt8($0) }
    #expect(([9, 9] + bytes)[2...].isEqual(to: bytes[...]))
    #expect(!(bytes + [0])[...].isEqual(to: bytes[...]))
    for place in bytes.indices {
      var other = bytes
      other[place] ^= 0x80
      #expect(!other[...].isEqual(to: bytes[...]))
    }
  }
}
