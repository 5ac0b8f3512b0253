/// Bytes, in base64.
package struct WireBytes: Decodable {
  package let bytes: [UInt8]

  package init(from decoder: any Decoder) throws {
    bytes = try Base64.decode(try decoder.singleValueContainer().decode(String.self))
  }
}

/// A 64-bit integer: a string, as protobuf's JSON has it, or a number.
package struct WireInteger<Value: FixedWidthInteger & Decodable>: Decodable {
  package let value: Value

  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let text = try? container.decode(String.self) {
      guard let value = Value(text) else { throw DecodingError.dataCorruptedError(in: container, debugDescription: "not an integer") }
      self.value = value
    } else {
      value = try container.decode(Value.self)
    }
  }
}

/// Values that a message names, or numbers in this order from zero.
protocol WireNamed: Sendable {
  static var wireNames: [(name: String, value: Self)] { get }
}

/// One of a few values: its name or its number.
struct WireChoice<Value: WireNamed>: Decodable {
  /// `nil`: a name or number that is not known.
  let value: Value?

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let name = try? container.decode(String.self) {
      value = Value.wireNames.first { $0.name == name }?.value
    } else {
      let number = try container.decode(Int.self)
      value = Value.wireNames.indices.contains(number) ? Value.wireNames[number].value : nil
    }
  }
}
