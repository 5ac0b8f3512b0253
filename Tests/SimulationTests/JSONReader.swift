/// Just enough of JSON (RFC 8259) to see that a page's data is well-formed, and what it says.
indirect enum JSONValue: Equatable {
  case null
  case bool(Bool)
  case number(String)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  subscript(_ name: String) -> JSONValue? { if case .object(let members) = self { members[name] } else { nil } }
  var array: [JSONValue] { if case .array(let elements) = self { elements } else { [] } }
  var string: String? { if case .string(let text) = self { text } else { nil } }

  struct Malformed: Error { let position: Int }

  init(parsing text: String) throws {
    var reader = JSONReader(scalars: Array(text.unicodeScalars))
    self = try reader.whole()
  }
}

private struct JSONReader {
  let scalars: [Unicode.Scalar]
  var position = 0

  mutating func whole() throws -> JSONValue {
    let value = try value()
    skipSpace()
    guard position == scalars.count else { throw malformed }
    return value
  }

  private var malformed: JSONValue.Malformed { JSONValue.Malformed(position: position) }
  private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

  private mutating func skipSpace() {
    while let next, [" ", "\n", "\r", "\t"].contains(next) { position += 1 }
  }

  private mutating func take(_ text: String) -> Bool {
    skipSpace()
    guard scalars[position...].starts(with: text.unicodeScalars) else { return false }
    position += text.unicodeScalars.count
    return true
  }

  private mutating func value() throws -> JSONValue {
    if take("null") { return .null }
    if take("true") { return .bool(true) }
    if take("false") { return .bool(false) }
    if take("\"") { return .string(try restOfString()) }
    if take("[") { return .array(try list(until: "]") { try $0.value() }) }
    if take("{") { return .object(try members()) }
    return try number()
  }

  private mutating func members() throws -> [String: JSONValue] {
    let pairs = try list(until: "}") { reader in
      guard reader.take("\"") else { throw reader.malformed }
      let name = try reader.restOfString()
      guard reader.take(":") else { throw reader.malformed }
      return (name, try reader.value())
    }
    return Dictionary(pairs) { first, _ in first }
  }

  private mutating func list<Element>(until end: String, _ element: (inout Self) throws -> Element) throws -> [Element] {
    if take(end) { return [] }
    var elements = [try element(&self)]
    while !take(end) {
      guard take(",") else { throw malformed }
      elements.append(try element(&self))
    }
    return elements
  }

  private mutating func number() throws -> JSONValue {
    let start = position
    if next == "-" { position += 1 }
    while let next, ("0"..."9").contains(next) { position += 1 }
    let digits = String(String.UnicodeScalarView(scalars[start..<position]))
    guard Int64(digits) != nil, digits == "0" || digits.drop(while: { $0 == "-" }).first != "0" else { throw malformed }
    return .number(digits)
  }

  private mutating func restOfString() throws -> String {
    var text = String.UnicodeScalarView()
    while let scalar = next, scalar != "\"" {
      guard scalar.value >= 0x20 else { throw malformed }
      position += 1
      text.append(scalar == "\\" ? try escape() : scalar)
    }
    guard take("\"") else { throw malformed }
    return String(text)
  }

  private mutating func escape() throws -> Unicode.Scalar {
    guard let scalar = next else { throw malformed }
    position += 1
    if scalar == "\"" || scalar == "\\" || scalar == "/" { return scalar }
    guard scalar == "u", position + 4 <= scalars.count,
      let code = UInt32(String(String.UnicodeScalarView(scalars[position..<position + 4])), radix: 16),
      let escaped = Unicode.Scalar(code)
    else { throw malformed }
    position += 4
    return escaped
  }
}
