/// Splits Swift text into tokens and comments. Enough of the language for the checks of the house, not more.
struct SwiftLexer {
  private(set) var tokens: [Token] = []
  private(set) var comments: [Int: [UInt8]] = [:]

  private let bytes: [UInt8]
  private var position = 0
  private var line = 1

  init(_ text: String) { bytes = Array(text.utf8) }

  mutating func run() { lexCode(untilParenthesisCloses: false) }

  /// Up to the end of the file, or to the parenthesis that ends an interpolation.
  private mutating func lexCode(untilParenthesisCloses interpolated: Bool) {
    var depth = 0
    while let byte = peek() {
      if starts("//") {
        lexLineComment()
      } else if starts("/*") {
        lexBlockComment()
      } else if let hashes = hashesBeforeQuote() {
        lexString(hashes: hashes)
      } else if Self.isWord(byte) {
        lexWord()
      } else {
        if byte == UInt8(ascii: "(") { depth += 1 }
        if byte == UInt8(ascii: ")") { depth -= 1 }
        if interpolated, depth < 0 { return advance() }
        if byte > UInt8(ascii: " ") { tokens.append(Token(text: String(decoding: [byte], as: UTF8.self), line: line)) }
        advance()
      }
    }
  }

  private mutating func lexWord() {
    let start = position
    while let byte = peek(), Self.isWord(byte) { advance() }
    tokens.append(Token(text: String(decoding: bytes[start..<position], as: UTF8.self), line: line))
  }

  private mutating func lexLineComment() {
    while let byte = peek(), byte != UInt8(ascii: "\n") { advanceInComment() }
  }

  private mutating func lexBlockComment() {
    var depth = 0
    repeat {
      if starts("/*") {
        depth += 1
        advanceInComment()
      } else if starts("*/") {
        depth -= 1
        advanceInComment()
      }
      advanceInComment()
    } while depth > 0 && peek() != nil
  }

  private mutating func lexString(hashes: Int) {
    advance(by: hashes)
    let quotes = starts("\"\"\"") ? "\"\"\"" : "\""
    let fence = String(repeating: "#", count: hashes)
    let (end, escape) = (quotes + fence, "\\" + fence)
    tokens.append(Token(text: "\"", line: line))
    advance(by: quotes.utf8.count)
    while peek() != nil, !starts(end) {
      if starts(escape), starts(escape + "(") {
        advance(by: hashes + 2)
        lexCode(untilParenthesisCloses: true)
      } else {
        advance(by: starts(escape) ? hashes + 2 : 1)
      }
    }
    advance(by: quotes.utf8.count + hashes)
  }

  /// How many `#` stand before the quotation mark that begins a string here; nil if none begins.
  private func hashesBeforeQuote() -> Int? {
    var end = position
    while end < bytes.count, bytes[end] == UInt8(ascii: "#") { end += 1 }
    return end < bytes.count && bytes[end] == UInt8(ascii: "\"") ? end - position : nil
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
    case UInt8(ascii: "_"), 0x80...: true
    default: false
    }
  }

  private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

  /// The first byte is compared before all others: this runs for every byte, in a debug build.
  private func starts(_ text: String) -> Bool {
    position < bytes.count && bytes[position] == text.utf8.first && bytes[position...].starts(with: text.utf8)
  }

  private mutating func advance(by count: Int = 1) {
    for _ in 0..<count where position < bytes.count {
      if bytes[position] == UInt8(ascii: "\n") { line += 1 }
      position += 1
    }
  }

  private mutating func advanceInComment() {
    if let byte = peek(), byte != UInt8(ascii: "\n") { comments[line, default: []].append(byte) }
    advance()
  }
}
