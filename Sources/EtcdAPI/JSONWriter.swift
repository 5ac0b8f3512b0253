/// Writes JSON with its fields in the order in which they are given, as etcd does (`JSONEncoder` promises no order), in protobuf's manner:
/// 64-bit integers are strings, bytes are base64, and a field that has its default is left out.
package struct JSONWriter {
  package private(set) var bytes: [UInt8] = []
  private var needsComma: Bool

  /// - Parameter continuing: Begin with a comma: what is written goes on after an element.
  package init(continuing: Bool = false) { needsComma = continuing }

  /// What was written so far; the writer goes on from there.
  package mutating func takeBytes() -> [UInt8] {
    defer { bytes = [] }
    return bytes
  }

  // MARK: Structure

  package mutating func object(_ name: StaticString? = nil, _ fields: (inout JSONWriter) -> Void) {
    openObject(name)
    fields(&self)
    closeObject()
  }

  package mutating func openObject(_ name: StaticString? = nil) { begin(name, UInt8(ascii: "{")) }
  package mutating func closeObject() { end(UInt8(ascii: "}")) }
  package mutating func openArray(_ name: StaticString) { begin(name, UInt8(ascii: "[")) }
  package mutating func closeArray() { end(UInt8(ascii: "]")) }

  /// Left out when empty.
  package mutating func array<Element>(_ name: StaticString, _ elements: [Element], _ write: (inout JSONWriter, Element) -> Void) {
    guard !elements.isEmpty else { return }
    openArray(name)
    for element in elements { write(&self, element) }
    closeArray()
  }

  private mutating func begin(_ name: StaticString?, _ bracket: UInt8) {
    if let name { key(name) } else { comma() }
    bytes.append(bracket)
    needsComma = false
  }

  private mutating func end(_ bracket: UInt8) {
    bytes.append(bracket)
    needsComma = true
  }

  private mutating func key(_ name: StaticString) {
    comma()
    quote { $0.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)) }
    bytes.append(UInt8(ascii: ":"))
  }

  private mutating func comma() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = true
  }

  private mutating func quote(_ write: (inout [UInt8]) -> Void) {
    bytes.append(UInt8(ascii: "\""))
    write(&bytes)
    bytes.append(UInt8(ascii: "\""))
  }

  // MARK: Fields

  package mutating func field(_ name: StaticString, _ number: some FixedWidthInteger) {
    guard number != 0 else { return }
    key(name)
    quote { $0.append(contentsOf: String(number).utf8) }
  }

  /// A number of 32 bits, which goes without quotes and is never left out.
  package mutating func field(_ name: StaticString, unquoted number: some FixedWidthInteger) {
    key(name)
    bytes.append(contentsOf: String(number).utf8)
  }

  package mutating func field(_ name: StaticString, _ flag: Bool) {
    guard flag else { return }
    key(name)
    bytes.append(contentsOf: "true".utf8)
  }

  package mutating func field(_ name: StaticString, base64 value: some Collection<UInt8>) {
    guard !value.isEmpty else { return }
    key(name)
    quote { Base64.encode(value, into: &$0) }
  }

  /// A string that is written in parts.
  mutating func openText(_ name: StaticString) {
    key(name)
    bytes.append(UInt8(ascii: "\""))
  }

  /// A part of such a string: all but the last a multiple of three bytes.
  mutating func appendBase64(_ value: some Collection<UInt8>) { Base64.encode(value, into: &bytes) }

  mutating func closeText() { bytes.append(UInt8(ascii: "\"")) }

  /// Never left out.
  package mutating func field(_ name: StaticString, text: String) {
    key(name)
    string(text)
  }

  package mutating func element(base64 value: some Collection<UInt8>) {
    comma()
    bytes.append(UInt8(ascii: "\""))
    appendBase64(value)
    closeText()
  }

  package mutating func element(text: String) {
    comma()
    string(text)
  }

  private mutating func string(_ text: String) {
    quote { output in
      for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): output.append(contentsOf: [UInt8(ascii: "\\"), byte])
        case 0..<0x20: output.append(contentsOf: Array((byte < 16 ? "\\u000" : "\\u00").utf8) + String(byte, radix: 16).utf8)
        default: output.append(byte)
        }
      }
    }
  }
}
