import Testing

@testable import EtcdAPI

@Suite struct Base64Tests {
  @Test(
    "RFC 4648, section 10",
    arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")])
  func vectors(plain: String, encoded: String) throws {
    var output: [UInt8] = []
    Base64.encode(Array(plain.utf8), into: &output)
    #expect(String(decoding: output, as: UTF8.self) == encoded)
    #expect(try Base64.decode(encoded) == Array(plain.utf8))
  }

  @Test func everyByteComesBack() throws {
    for length in 0..<70 {
      let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 * 37 + length) }
      var output: [UInt8] = []
      Base64.encode(bytes, into: &output)
      #expect(try Base64.decode(String(decoding: output, as: UTF8.self)) == bytes)
    }
  }

  @Test(
    "Names the byte that etcd names",
    arguments: [
      ("%%", 0), ("YQ", 0), ("Y", 0), ("YQ=", 3), ("YQ===", 4), ("YQ==YQ==", 4), ("YWJj!", 4), ("-_-_", 0), ("YWJjZ", 4), ("Y===", 1),
      ("é", 0),
    ])
  func offsets(text: String, offset: Int) {
    #expect(throws: Base64.Malformed(offset: offset)) { try Base64.decode(text) }
  }

  @Test(arguments: ["Zm9v\r\nYmFyYQ==", "Zm9vYmFyYQ==\n", "Zm9vYmFyYQ=\r\n=\n", "\nZm9vYmFyYQ\n=="]) func lineBreaksAreSkipped(text: String)
    throws
  {
    #expect(try Base64.decode(text) == Array("foobara".utf8))
  }
}
