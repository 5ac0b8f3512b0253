/// The syntax of hosts: names after RFC 1123, IPv4 and bracketed IPv6 addresses after RFC 3986, section 3.2.2.
extension Target {
  static func checkAuthority(_ authority: ArraySlice<UInt8>) throws(TargetRule) {
    if authority.contains(UInt8(ascii: "@")) { throw .userInformation }
    guard let first = authority.first else { throw .noHost }
    let host: ArraySlice<UInt8>
    if first == UInt8(ascii: "[") {
      guard let end = authority.firstIndex(of: UInt8(ascii: "]")) else { throw .ipv6 }
      host = authority[...end]
      guard isIPv6(host.dropFirst().dropLast()) else { throw .ipv6 }
    } else {
      host = authority.prefix { $0 != UInt8(ascii: ":") }
      guard !host.isEmpty else { throw .noHost }
      try checkName(host)
    }
    try checkPort(authority[host.endIndex...])
  }

  /// Nothing, or a colon and a number.
  private static func checkPort(_ bytes: ArraySlice<UInt8>) throws(TargetRule) {
    guard let colon = bytes.first else { return }
    guard colon == UInt8(ascii: ":"), let port = UInt64(decimal: bytes.dropFirst()), 1...65535 ~= port else { throw .port }
  }

  /// A name, with or without the dot of the root at its end; or an IPv4 address, if the last label could be read as a number (as browsers
  /// decide it: WHATWG URL, "ends in a number").
  private static func checkName(_ host: ArraySlice<UInt8>) throws(TargetRule) {
    let name = host.last == UInt8(ascii: ".") ? host.dropLast() : host
    guard name.count <= 253 else { throw .hostName }
    let labels = name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    if let last = labels.last, isNumber(last) {
      guard isIPv4(host) else { throw .ipv4 }
    } else {
      guard labels.allSatisfy(isLabel) else { throw .hostName }
    }
  }

  private static func isLabel(_ label: ArraySlice<UInt8>) -> Bool {
    1...63 ~= label.count && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
      && label.allSatisfy { $0.isASCIILetter || $0.isASCIIDigit || $0 == UInt8(ascii: "-") }
  }

  /// Decimal digits, or `0x` and hexadecimal ones.
  private static func isNumber(_ label: ArraySlice<UInt8>) -> Bool {
    if !label.isEmpty, label.allSatisfy(\.isASCIIDigit) { return true }
    return label.starts(with: "0x".utf8, by: { $0.lowercasedASCII == $1 }) && label.dropFirst(2).allSatisfy(\.isASCIIHexDigit)
  }

  private static func isIPv4(_ bytes: ArraySlice<UInt8>) -> Bool {
    let numbers = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return numbers.count == 4 && numbers.allSatisfy { number in UInt64(decimal: number).map { $0 <= 255 } ?? false }
  }

  /// Eight groups of one to four hexadecimal digits, of which `::` stands for one or more zero ones, and an IPv4 address for the last
  /// two. No zone: it means something on the caller's machine alone.
  private static func isIPv6(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard let gap = firstGap(in: bytes) else { return groups(in: bytes) == 8 }
    guard let left = groups(in: bytes[..<gap], isLast: false), let right = groups(in: bytes[(gap + 2)...]) else { return false }
    return left + right <= 7
  }

  /// Where `::` begins.
  private static func firstGap(in bytes: ArraySlice<UInt8>) -> Int? {
    bytes.indices.dropLast().first { bytes[$0] == UInt8(ascii: ":") && bytes[$0 + 1] == UInt8(ascii: ":") }
  }

  /// How many groups these are, or `nil` if one of them is none. An IPv4 address counts as two and stands only at the end of all.
  private static func groups(in bytes: ArraySlice<UInt8>, isLast: Bool = true) -> Int? {
    if bytes.isEmpty { return 0 }
    var count = 0
    let parts = bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    for (offset, part) in parts.enumerated() {
      if 1...4 ~= part.count, part.allSatisfy(\.isASCIIHexDigit) {
        count += 1
      } else if isLast, offset == parts.count - 1, isIPv4(part) {
        count += 2
      } else {
        return nil
      }
    }
    return count
  }
}
