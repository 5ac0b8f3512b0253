/// Reads JSON (RFC 8259) once, from the front to the end, as protobuf's messages are written in it, and makes only the values that it is
/// asked for. What is not asked for is read over, without a trace in memory; so time is linear in the bytes, whatever they are.
///
/// It is as strict as etcd's gateway: no comma before a closing bracket, no control character in a string, no byte order mark, no leading
/// zero, no plus sign. It is stricter where `Docs/ClientInterface.md` says so.
struct JSONReader {
  private let bytes: [UInt8]
  private let maximumNesting: Int
  private var position = 0
  private var nesting = 0
  /// The field that is being read, for errors.
  private var field = ""

  init(_ bytes: [UInt8], maximumNesting: Int) {
    self.bytes = bytes
    self.maximumNesting = maximumNesting
  }

  /// How far an object has been read, and which of its fields were there.
  struct Message<Field: MessageField> {
    fileprivate var isFirst = true
    fileprivate var isEmpty = false
    fileprivate var seen: UInt32 = 0
  }

  /// How far an array has been read.
  struct List {
    fileprivate var isFirst = true
  }

  // MARK: Structure

  /// Begins the message that is the whole body. No bytes at all and `null` are an empty message, as with etcd's gateway.
  mutating func openBody<Field: MessageField>(_ type: Field.Type = Field.self) throws(APIError) -> Message<Field> {
    skipSpace()
    if position == bytes.count { return Message(isEmpty: true) }
    return try skipNull() ? Message(isEmpty: true) : try openMessage()
  }

  /// Whether nothing but space follows: of the messages of a stream, that was the last.
  var isAtEnd: Bool {
    mutating get {
      skipSpace()
      return position == bytes.count
    }
  }

  /// Goes past a value that does not matter.
  mutating func skip() throws(APIError) { try skipValue() }

  /// Goes past a body of which no field matters.
  mutating func skipBody() throws(APIError) {
    skipSpace()
    if position == bytes.count { return }
    if try skipNull() { return }
    guard peek == UInt8(ascii: "{") else { throw missing("an object") }
    try skipValue()
  }

  /// Nothing may follow the body's message.
  mutating func closeBody() throws(APIError) {
    skipSpace()
    field = ""
    guard position == bytes.count else { throw error("something follows the end of the message") }
  }

  mutating func openMessage<Field: MessageField>(_ type: Field.Type = Field.self) throws(APIError) -> Message<Field> {
    try open(UInt8(ascii: "{"), "an object")
    return Message()
  }

  mutating func openList() throws(APIError) -> List {
    try open(UInt8(ascii: "["), "an array")
    return List()
  }

  /// The next field that is known and not `null`; its value comes next. `nil` at the end of the message.
  mutating func next<Field: MessageField>(_ message: inout Message<Field>) throws(APIError) -> Field? {
    guard !message.isEmpty else { return nil }
    while try advance(&message.isFirst, to: UInt8(ascii: "}")) {
      field = ""
      let start = position
      let name = try readString("the name of a field in quotation marks")
      try expect(UInt8(ascii: ":"), "a colon")
      guard let (known, number) = Field.names.find(name) else {
        try skipValue()
        continue
      }
      field = known.rawValue
      guard message.seen & 1 << number == 0 else { throw error("the field is given twice, perhaps in its other spelling", at: start) }
      message.seen |= 1 << number
      if try !skipNull() { return known }
    }
    return nil
  }

  /// Whether there is another element; it comes next.
  mutating func next(_ list: inout List) throws(APIError) -> Bool { try advance(&list.isFirst, to: UInt8(ascii: "]")) }

  private mutating func open(_ bracket: UInt8, _ what: String) throws(APIError) {
    skipSpace()
    guard take(bracket) else { throw missing(what) }
    nesting += 1
    guard nesting <= maximumNesting else {
      throw APIError(.invalidArgument, "JSON is nested deeper than \(maximumNesting) levels, at byte \(position - 1)")
    }
  }

  /// Goes past the comma before the next element, or past the closing bracket: then there is none.
  private mutating func advance(_ isFirst: inout Bool, to close: UInt8) throws(APIError) -> Bool {
    skipSpace()
    if !isFirst, take(UInt8(ascii: ",")) {
      skipSpace()
      return true
    }
    if take(close) {
      nesting -= 1
      return false
    }
    guard isFirst else { throw missing(close == UInt8(ascii: "}") ? "a comma or }" : "a comma or ]") }
    isFirst = false
    return true
  }

  // MARK: Values

  /// Bytes, in base64.
  mutating func readBytes() throws(APIError) -> [UInt8] {
    let text = try readString("bytes in base64, in quotation marks,")
    do {
      return try Base64.decode(text)
    } catch {
      throw APIError(.invalidArgument, error.description)
    }
  }

  /// A 64-bit integer: a string, as protobuf's JSON has it, or a number.
  mutating func readInteger() throws(APIError) -> Int64 {
    skipSpace()
    let start = position
    let text = peek == UInt8(ascii: "\"") ? try readString("") : try readNumber("a 64-bit integer")
    guard let value = Int64(plain: text) else { throw error("a 64-bit integer is wanted", at: start) }
    return value
  }

  /// An unsigned 64-bit integer, as an identity is.
  mutating func readUnsigned() throws(APIError) -> UInt64 {
    skipSpace()
    let start = position
    let text = peek == UInt8(ascii: "\"") ? try readString("") : try readNumber("an unsigned 64-bit integer")
    guard let value = UInt64(plain: text) else { throw error("an unsigned 64-bit integer is wanted", at: start) }
    return value
  }

  /// A text. What is not UTF-8 in it becomes U+FFFD.
  mutating func readText() throws(APIError) -> String { String(decoding: try readString("a text in quotation marks"), as: UTF8.self) }

  mutating func readFlag() throws(APIError) -> Bool {
    skipSpace()
    if peek == UInt8(ascii: "t") {
      try expect("true")
      return true
    }
    guard peek == UInt8(ascii: "f") else { throw missing("true or false") }
    try expect("false")
    return false
  }

  /// One of a few values: its name, or its number. `nil`: a name or number that is not known.
  mutating func readChoice<Value: WireNamed>(_ type: Value.Type = Value.self) throws(APIError) -> Value? {
    skipSpace()
    let names = Value.wireNames
    if peek == UInt8(ascii: "\"") {
      let name = try readString("")
      return names.first { name.elementsEqual($0.name.utf8) }?.value
    }
    let start = position
    guard let number = Int32(plain: try readNumber("a name or an integer")) else { throw error("a 32-bit integer is wanted", at: start) }
    return names.indices.contains(Int(number)) ? names[Int(number)].value : nil
  }

  // MARK: What is not asked for

  private mutating func skipNull() throws(APIError) -> Bool {
    skipSpace()
    guard peek == UInt8(ascii: "n") else { return false }
    try expect("null")
    return true
  }

  private mutating func skipValue() throws(APIError) {
    skipSpace()
    switch peek {
    case UInt8(ascii: "\""): _ = try scanString()
    case UInt8(ascii: "{"):
      try open(UInt8(ascii: "{"), "")
      var isFirst = true
      while try advance(&isFirst, to: UInt8(ascii: "}")) {
        guard peek == UInt8(ascii: "\"") else { throw missing("the name of a field in quotation marks") }
        _ = try scanString()
        try expect(UInt8(ascii: ":"), "a colon")
        try skipValue()
      }
    case UInt8(ascii: "["):
      try open(UInt8(ascii: "["), "")
      var isFirst = true
      while try advance(&isFirst, to: UInt8(ascii: "]")) { try skipValue() }
    case UInt8(ascii: "t"): try expect("true")
    case UInt8(ascii: "f"): try expect("false")
    case UInt8(ascii: "n"): try expect("null")
    default: _ = try readNumber("a value")
    }
  }
}

// MARK: Tokens

extension JSONReader {
  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard position < bytes.count, bytes[position] == byte else { return false }
    position += 1
    return true
  }

  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): position += 1
      default: return
      }
    }
  }

  private mutating func expect(_ byte: UInt8, _ what: String) throws(APIError) {
    skipSpace()
    guard take(byte) else { throw missing(what) }
  }

  private mutating func expect(_ literal: StaticString) throws(APIError) {
    let start = position
    for offset in 0..<literal.utf8CodeUnitCount {
      guard take(literal.utf8Start[offset]) else { throw error("\(literal) is wanted", at: start) }
    }
  }

  /// A number of any kind; its text.
  private mutating func readNumber(_ what: String) throws(APIError) -> ArraySlice<UInt8> {
    let start = position
    _ = take(UInt8(ascii: "-"))
    if !take(UInt8(ascii: "0")) { try skipDigits(start, what) }
    if take(UInt8(ascii: ".")) { try skipDigits(start, "a digit") }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
      try skipDigits(start, "a digit")
    }
    return bytes[start..<position]
  }

  private mutating func skipDigits(_ start: Int, _ what: String) throws(APIError) {
    let first = position
    while let byte = peek, UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte { position += 1 }
    guard position > first else { throw position == bytes.count ? missing(what) : error("\(what) is wanted", at: start) }
  }

  /// A string's text: UTF-8, if the client keeps to it.
  private mutating func readString(_ what: String) throws(APIError) -> ArraySlice<UInt8> {
    skipSpace()
    guard peek == UInt8(ascii: "\"") else { throw missing(what) }
    let (text, hasEscapes) = try scanString()
    return hasEscapes ? unescaped(text) : bytes[text]
  }

  /// Goes past a string; where its text is, and whether there are escapes in it.
  private mutating func scanString() throws(APIError) -> (text: Range<Int>, hasEscapes: Bool) {
    position += 1
    let start = position
    var hasEscapes = false
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "\""):
        position += 1
        return (start..<position - 1, hasEscapes)
      case UInt8(ascii: "\\"):
        hasEscapes = true
        try skipEscape()
      case 0..<0x20: throw error("a control character in a string must be escaped")
      default: position += 1
      }
    }
    throw missing("the end of a string")
  }

  private mutating func skipEscape() throws(APIError) {
    let start = position
    position += 1
    switch peek {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"),
      UInt8(ascii: "r"), UInt8(ascii: "t"):
      position += 1
    case UInt8(ascii: "u"):
      position += 1
      for _ in 0..<4 {
        guard let byte = peek, hexadecimal(byte) != nil else { throw error("\\u needs four hexadecimal digits", at: start) }
        position += 1
      }
    default: throw error("an escape that there is not", at: start)
    }
  }

  /// The text that a checked string with escapes stands for. Half of a surrogate pair is U+FFFD, as with etcd's gateway.
  private func unescaped(_ range: Range<Int>) -> ArraySlice<UInt8> {
    var text: [UInt8] = []
    text.reserveCapacity(range.count)
    var position = range.lowerBound
    while position < range.upperBound {
      guard bytes[position] == UInt8(ascii: "\\") else {
        text.append(bytes[position])
        position += 1
        continue
      }
      let kind = bytes[position + 1]
      position += 2
      switch kind {
      case UInt8(ascii: "b"): text.append(0x08)
      case UInt8(ascii: "f"): text.append(0x0c)
      case UInt8(ascii: "n"): text.append(0x0a)
      case UInt8(ascii: "r"): text.append(0x0d)
      case UInt8(ascii: "t"): text.append(0x09)
      case UInt8(ascii: "u"): text.append(contentsOf: String(scalar(at: &position, before: range.upperBound)).utf8)
      default: text.append(kind)
      }
    }
    return text[...]
  }

  /// The character of one `\u` escape, or of two that make a pair. The position is after the first `u`.
  private func scalar(at position: inout Int, before end: Int) -> Unicode.Scalar {
    let first = codeUnit(at: position)
    position += 4
    if let scalar = Unicode.Scalar(first) { return scalar }
    if first < 0xdc00, position + 6 <= end, bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u") {
      let second = codeUnit(at: position + 2)
      if 0xdc00...0xdfff ~= second, let scalar = Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00)) {
        position += 6
        return scalar
      }
    }
    return "\u{fffd}"
  }

  private func codeUnit(at position: Int) -> UInt32 { bytes[position..<position + 4].reduce(0) { $0 << 4 | (hexadecimal($1) ?? 0) } }

  private func hexadecimal(_ byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
    default: nil
    }
  }

  // MARK: Errors

  /// Bytes are counted from 0.
  private func error(_ problem: String, at offset: Int? = nil) -> APIError {
    APIError(.invalidArgument, "invalid JSON at byte \(offset ?? position)\(field.isEmpty ? "" : ", in \(field)"): \(problem)")
  }

  private func missing(_ what: String) -> APIError {
    position == bytes.count ? error("the body ends too early") : error("\(what) is wanted")
  }
}

extension FixedWidthInteger {
  /// Decimal digits without leading zeros, perhaps after a minus sign; nothing else.
  fileprivate init?(plain text: ArraySlice<UInt8>) {
    let isNegative = text.first == UInt8(ascii: "-")
    let digits = isNegative ? text.dropFirst() : text
    guard let first = digits.first, first != UInt8(ascii: "0") || digits.count == 1 else { return nil }
    var value: Self = 0
    for digit in digits {
      guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= digit else { return nil }
      let (shifted, isTooLarge) = value.multipliedReportingOverflow(by: 10)
      let amount = Self(digit - UInt8(ascii: "0"))
      // Downwards for a negative number: the least one has no counterpart above zero.
      let (sum, overflows) = isNegative ? shifted.subtractingReportingOverflow(amount) : shifted.addingReportingOverflow(amount)
      guard !isTooLarge, !overflows else { return nil }
      value = sum
    }
    self = value
  }
}
