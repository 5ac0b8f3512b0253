/// The fields of a message, by their names in protobuf; at most 32.
protocol MessageField: CaseIterable, RawRepresentable<String>, Sendable {
  static var names: FieldNames<Self> { get }
}

/// The two spellings of each field of a message: protobuf's, with underscores, and that of its JSON, in camel case. A name is one of them
/// to the letter, or it is unknown.
struct FieldNames<Field: MessageField>: Sendable {
  private typealias Spelling = (name: [UInt8], field: Field, number: UInt32)

  /// By the length of the name: most names that are unknown are not even compared.
  private let spellings: [[Spelling]]

  init() {
    let all: [Spelling] = zip(Field.allCases, 0...).flatMap { field, number in
      Set([field.rawValue, Self.camelCase(field.rawValue)]).sorted().map { (Array($0.utf8), field, UInt32(number)) }
    }
    let longest = all.map(\.name.count).max() ?? 0
    spellings = (0...longest).map { length in all.filter { $0.name.count == length } }
  }

  /// The field, and its place among the fields.
  func find(_ name: ArraySlice<UInt8>) -> (field: Field, number: UInt32)? {
    guard name.count < spellings.count else { return nil }
    return spellings[name.count].first { name.elementsEqual($0.name) }.map { ($0.field, $0.number) }
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
