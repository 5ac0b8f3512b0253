/// The fields of a message, by their names in protobuf; at most 32.
protocol MessageField: CaseIterable, RawRepresentable<String>, Sendable {
  static var names: FieldNames<Self> { get }
}

/// The two spellings of each field of a message: protobuf's, with underscores, and that of its JSON, in camel case. A name is one of them
/// to the letter, or it is unknown.
struct FieldNames<Field: MessageField>: Sendable {
  private let spellings: [(name: [UInt8], field: Field, number: UInt32)]

  init() {
    spellings = zip(Field.allCases, 0...).flatMap { field, number in
      Set([field.rawValue, Self.camelCase(field.rawValue)]).sorted().map { (Array($0.utf8), field, UInt32(number)) }
    }
  }

  /// The field, and its place among the fields.
  func find(_ name: ArraySlice<UInt8>) -> (field: Field, number: UInt32)? {
    for spelling in spellings where spelling.name.count == name.count && name.elementsEqual(spelling.name) {
      return (spelling.field, spelling.number)
    }
    return nil
  }

  private static func camelCase(_ name: String) -> String {
    let words = name.split(separator: "_")
    return words.prefix(1).joined() + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
  }
}

/// Values that a message names, or numbers in this order from zero.
protocol WireNamed: Sendable {
  static var wireNames: [(name: String, value: Self)] { get }
}
