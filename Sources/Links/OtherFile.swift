/// What is sent instead of a CSV file in UTF-8 most often, and can be told by its first bytes.
public enum OtherFile: Hashable, Sendable {
  /// As some spreadsheets save "Unicode text".
  case utf16
  /// Made smaller by gzip.
  case gzip
  /// A zip archive, as a spreadsheet's own files are.
  case zip

  static let openingBytes = 4

  /// `nil` for what is none of these.
  init?(_ opening: [UInt8]) {
    let bytes = Array(opening.prefix(Self.openingBytes))
    if bytes.starts(with: [0xff, 0xfe]) || bytes.starts(with: [0xfe, 0xff]) || bytes.prefix(2).contains(0) {
      self = .utf16
    } else if bytes.starts(with: [0x1f, 0x8b]) {
      self = .gzip
    } else if bytes.starts(with: Array("PK".utf8) + [3, 4]) {
      self = .zip
    } else {
      return nil
    }
  }
}

extension OtherFile: CustomStringConvertible {
  public var description: String {
    switch self {
    case .utf16: "the file is UTF-16: save it as UTF-8, and import that"
    case .gzip: "the file is compressed (gzip): unpack it, and import the CSV file in it"
    case .zip: "the file is a zip archive or a spreadsheet's own format: save it as CSV in UTF-8, and import that"
    }
  }
}
