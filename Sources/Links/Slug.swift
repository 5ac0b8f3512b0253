/// The short name of a link, as it stands in the path: 1 to 64 of `A-Z a-z 0-9 - _`, where upper and lower case differ.
///
/// These characters need no escaping in a path, a key, a shell or a CSV file. The first one is a letter or a digit: a leading underscore
/// is kept for the service's own paths (`/_links`, `/_health`), so that a later version can add some without taking anybody's link; a
/// leading hyphen looks like an option to a command line and like a formula to a spreadsheet.
public struct Slug: Hashable, Sendable {
  public static let maximumBytes = 64

  public let text: String

  /// - Throws: `LinkError.slug` with the first rule that is broken.
  public init(_ text: String) throws(LinkError) {
    let bytes = text.utf8
    guard let first = bytes.first else { throw .slug(.empty) }
    guard bytes.count <= Self.maximumBytes else { throw .slug(.tooLong(bytes: bytes.count)) }
    if first == UInt8(ascii: "_") { throw .slug(.reserved) }
    if first == UInt8(ascii: "-") { throw .slug(.leadingHyphen) }
    for (offset, byte) in bytes.enumerated() where !Self.allows(byte) { throw .slug(.character(offset: offset)) }
    self.text = text
  }

  private static func allows(_ byte: UInt8) -> Bool {
    byte.isASCIILetter || byte.isASCIIDigit || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
  }
}

extension Slug {
  /// Characters in a random slug.
  public static let randomLength = 7

  /// Digits and letters that are not mistaken for one another when read aloud or copied by hand: without 0, O, o, 1, I and l.
  public static let randomAlphabet = Array("23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz".utf8)

  /// A slug of seven characters from a random integer of the caller's.
  ///
  /// There are 56⁷, about 1.7 · 10¹², of them: among a million links, one in 1.7 million slugs made is taken already. The caller then
  /// tries again with another integer, a bounded number of times. The modulus favours no slug by more than one in ten million.
  public init(random: UInt64) {
    let alphabet = Self.randomAlphabet
    var rest = random
    var text = ""
    for _ in 0..<Self.randomLength {
      let (quotient, digit) = rest.quotientAndRemainder(dividingBy: UInt64(alphabet.count))
      text.unicodeScalars.append(Unicode.Scalar(alphabet[Int(digit)]))
      rest = quotient
    }
    self.text = text
  }
}

extension Slug: Comparable, CustomStringConvertible {
  /// The order of the bytes, which is the order of the keys in the store.
  public static func < (left: Slug, right: Slug) -> Bool { left.text.utf8.lexicographicallyPrecedes(right.text.utf8) }

  public var description: String { text }
}
