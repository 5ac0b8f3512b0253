/// Base64 with the standard alphabet and padding (RFC 4648, section 4), with the error that etcd gives: the place of the first wrong byte.
package enum Base64 {
  package struct Malformed: Error, Equatable, CustomStringConvertible {
    package let offset: Int
    package var description: String { "illegal base64 data at input byte \(offset)" }
  }

  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  private static let padding = UInt8(ascii: "=")
  private static let invalid: UInt8 = 0xff

  private static let values: [UInt8] = {
    var values = [UInt8](repeating: invalid, count: 256)
    for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
    return values
  }()

  package static func encode(_ bytes: some Collection<UInt8>, into output: inout [UInt8]) {
    output.reserveCapacity(output.count + (bytes.count + 2) / 3 * 4)
    var group: UInt32 = 0
    var count = 0
    for byte in bytes {
      group = group << 8 | UInt32(byte)
      count += 1
      if count == 3 {
        append(group, characters: 4, to: &output)
        (group, count) = (0, 0)
      }
    }
    guard count > 0 else { return }
    append(group << UInt32(8 * (3 - count)), characters: count + 1, to: &output)
    for _ in count..<3 { output.append(padding) }
  }

  private static func append(_ group: UInt32, characters: Int, to output: inout [UInt8]) {
    for position in 0..<characters { output.append(alphabet[Int(group >> UInt32(18 - 6 * position) & 63)]) }
  }

  package static func decode(_ text: String) throws(Malformed) -> [UInt8] { try decode(Array(text.utf8)[...]) }

  package static func decode(_ input: ArraySlice<UInt8>) throws(Malformed) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(input.count / 4 * 3)
    var group: UInt32 = 0
    var count = 0
    var offset = input.startIndex
    while offset < input.endIndex {
      let character = input[offset]
      let value = values[Int(character)]
      if value != invalid {
        group = group << 6 | UInt32(value)
        count += 1
        if count == 4 {
          output.append(UInt8(truncatingIfNeeded: group >> 16))
          output.append(UInt8(truncatingIfNeeded: group >> 8))
          output.append(UInt8(truncatingIfNeeded: group))
          (group, count) = (0, 0)
        }
      } else if character == padding, count >= 2 {
        try expectPadding(input, from: offset, count: 4 - count)
        output.append(UInt8(truncatingIfNeeded: group >> UInt32(count == 2 ? 4 : 10)))
        if count == 3 { output.append(UInt8(truncatingIfNeeded: group >> 2)) }
        return output
      } else if character != UInt8(ascii: "\n"), character != UInt8(ascii: "\r") {
        throw malformed(offset, in: input)
      }
      offset += 1
    }
    guard count == 0 else { throw malformed(input.endIndex - count, in: input) }
    return output
  }

  /// The padding must be whole, and nothing but ends of lines may stand in it or come after it.
  private static func expectPadding(_ input: ArraySlice<UInt8>, from start: Int, count: Int) throws(Malformed) {
    var found = 0
    for offset in start..<input.endIndex where input[offset] != UInt8(ascii: "\n") && input[offset] != UInt8(ascii: "\r") {
      guard found < count, input[offset] == padding else { throw malformed(offset, in: input) }
      found += 1
    }
    guard found == count else { throw malformed(input.endIndex, in: input) }
  }

  private static func malformed(_ offset: Int, in input: ArraySlice<UInt8>) -> Malformed { Malformed(offset: offset - input.startIndex) }
}
