import EtcdAPI

/// Bytes in a node's answer, in base64.
struct WireBytes: Decodable {
  let bytes: [UInt8]

  init(from decoder: any Decoder) throws { bytes = try Base64.decode(try decoder.singleValueContainer().decode(String.self)) }
}

/// A 64-bit integer in a node's answer: a string.
struct WireInteger<Value: FixedWidthInteger & Decodable & Sendable>: Decodable, Sendable {
  let value: Value

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let value = Value(try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "not an integer")
    }
    self.value = value
  }
}
