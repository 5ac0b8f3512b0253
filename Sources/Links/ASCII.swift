extension UInt8 {
  var isASCIIDigit: Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= self }
  var isASCIILetter: Bool { UInt8(ascii: "a")...UInt8(ascii: "z") ~= lowercasedASCII }
  var isASCIIHexDigit: Bool { isASCIIDigit || UInt8(ascii: "a")...UInt8(ascii: "f") ~= lowercasedASCII }

  /// Capital letters become small ones; everything else stays.
  var lowercasedASCII: UInt8 { UInt8(ascii: "A")...UInt8(ascii: "Z") ~= self ? self | 0x20 : self }
}

extension UInt64 {
  /// Decimal digits and nothing else, without leading zeros, so that each number has one form. `nil` for anything else, and beyond 64 bits.
  init?(decimal digits: some Collection<UInt8>) {
    guard let first = digits.first, first != UInt8(ascii: "0") || digits.count == 1 else { return nil }
    var value: UInt64 = 0
    for digit in digits {
      guard digit.isASCIIDigit else { return nil }
      let (shifted, tooLarge) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflow) = shifted.addingReportingOverflow(UInt64(digit - UInt8(ascii: "0")))
      guard !tooLarge, !overflow else { return nil }
      value = sum
    }
    self = value
  }

  /// Exactly sixteen small hexadecimal digits, as `hexadecimal` writes them.
  init?(hexadecimal digits: some Collection<UInt8>) {
    guard digits.count == 16, digits.allSatisfy({ $0.isASCIIHexDigit && $0 == $0.lowercasedASCII }) else { return nil }
    self = digits.reduce(0) { $0 << 4 | UInt64($1.isASCIIDigit ? $1 - UInt8(ascii: "0") : $1 - UInt8(ascii: "a") + 10) }
  }

  /// Sixteen digits, so that the order of the texts is the order of the numbers.
  var hexadecimal: String {
    let digits = String(self, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// The sum, or the largest number there is.
  func addingSaturated(_ other: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
