/// One row of a CSV file, or why it cannot be read.
public struct CSVRow<Content: Hashable & Sendable>: Hashable, Sendable {
  /// Where the row began; the first line is 1.
  public var line: Int
  public var content: Result<Content, LinkError>

  public init(line: Int, content: Result<Content, LinkError>) {
    self.line = line
    self.content = content
  }
}

/// Reads CSV after RFC 4180, chunk by chunk, holding at most one row.
///
/// Beyond the RFC: a line feed alone ends a line too, a byte order mark at the start and empty lines are skipped, and fields may be
/// separated by something else than a comma (`Limits.separators`). A row that breaks a rule is reported with the line it began
/// on; the rest of its line is skipped, and reading goes on at the next line. So one stray quotation mark costs a bounded number of rows,
/// not the rest of the file.
public struct CSVReader: Sendable {
  public typealias Row = CSVRow<[String]>

  public struct Limits: Hashable, Sendable {
    /// Of one row, without quotation marks and ends of lines.
    public var maximumRowBytes: Int
    public var maximumFields: Int
    /// What may separate fields: the one that comes first in the file, outside quotation marks, does so in all of it.
    public var separators: [UInt8]

    public init(maximumRowBytes: Int = 8192, maximumFields: Int = 16, separators: [UInt8] = [UInt8(ascii: ",")]) {
      self.maximumRowBytes = maximumRowBytes
      self.maximumFields = maximumFields
      self.separators = separators
    }
  }

  private enum State {
    /// Before the first byte of a field: here a quotation mark opens a quoted one.
    case fieldStart
    case unquoted
    case quoted
    /// After a quotation mark within a quoted field: its end, or the first of two.
    case quoteInQuoted
    /// After a carriage return outside quotation marks.
    case carriageReturn
    /// The row is refused: until the end of the line.
    case skipping
  }

  private let limits: Limits
  private var state = State.fieldStart
  /// The bytes of the row's fields, one after the other, and where each ended.
  private var bytes: [UInt8] = []
  private var ends: [Int] = []
  private var line = 1
  private var rowLine = 1
  /// Bytes of the byte order mark that were seen at the start of the file; `nil` once it is known to be there or not.
  private var markBytes: Int? = 0

  /// What separates the fields of this file; `nil` until the first one comes.
  private var separator: UInt8?

  private static let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]

  public init(limits: Limits = Limits()) { self.limits = limits }

  /// The rows that end in this chunk.
  public mutating func read(_ chunk: some Sequence<UInt8>) -> [Row] {
    var rows: [Row] = []
    for byte in chunk where !isByteOrderMark(byte, &rows) { take(byte, &rows) }
    return rows
  }

  /// The row that the file ends in, if its last line has no end of line.
  public mutating func finish() -> [Row] {
    var rows: [Row] = []
    replayMark(&rows)
    switch state {
    case .quoted: refuse(.openQuote, &rows)
    case .carriageReturn: refuse(.carriageReturn, &rows)
    case .fieldStart where ends.isEmpty: break
    case .fieldStart, .unquoted, .quoteInQuoted: endRow(&rows)
    case .skipping: break
    }
    return rows
  }
}

extension CSVReader {
  private mutating func isByteOrderMark(_ byte: UInt8, _ rows: inout [Row]) -> Bool {
    guard let seen = markBytes else { return false }
    if byte == Self.byteOrderMark[seen] {
      markBytes = seen + 1 == Self.byteOrderMark.count ? nil : seen + 1
      return true
    }
    replayMark(&rows)
    return false
  }

  /// What began like a byte order mark was none: it belongs to the first field.
  private mutating func replayMark(_ rows: inout [Row]) {
    guard let seen = markBytes else { return }
    markBytes = nil
    for byte in Self.byteOrderMark.prefix(seen) { take(byte, &rows) }
  }

  private mutating func take(_ byte: UInt8, _ rows: inout [Row]) {
    if byte == UInt8(ascii: "\n") { line += 1 }
    switch (state, byte) {
    case (.skipping, UInt8(ascii: "\n")): startRow()
    case (.skipping, _): break
    case (.quoted, UInt8(ascii: "\"")): state = .quoteInQuoted
    case (.quoted, _): append(byte, &rows)
    case (.quoteInQuoted, UInt8(ascii: "\"")):
      state = .quoted
      append(byte, &rows)
    case (.carriageReturn, UInt8(ascii: "\n")), (.fieldStart, UInt8(ascii: "\n")), (.unquoted, UInt8(ascii: "\n")),
      (.quoteInQuoted, UInt8(ascii: "\n")):
      endRow(&rows)
    case (.carriageReturn, _): refuse(.carriageReturn, &rows)
    case (_, UInt8(ascii: "\r")): state = .carriageReturn
    case (_, _) where isSeparator(byte):
      state = .fieldStart
      endField(&rows)
    case (.quoteInQuoted, _): refuse(.afterQuote, &rows)
    case (.fieldStart, UInt8(ascii: "\"")): state = .quoted
    case (.unquoted, UInt8(ascii: "\"")): refuse(.strayQuote, &rows)
    case (.fieldStart, _), (.unquoted, _):
      state = .unquoted
      append(byte, &rows)
    }
  }

  private mutating func isSeparator(_ byte: UInt8) -> Bool {
    if let separator { return byte == separator }
    guard limits.separators.contains(byte) else { return false }
    separator = byte
    return true
  }

  private mutating func append(_ byte: UInt8, _ rows: inout [Row]) {
    guard bytes.count < limits.maximumRowBytes else {
      refuse(.tooLong(maximumBytes: limits.maximumRowBytes), &rows)
      // The byte that was too many may itself have ended the line, within quotation marks.
      if byte == UInt8(ascii: "\n") { startRow() }
      return
    }
    bytes.append(byte)
  }

  private mutating func endField(_ rows: inout [Row]) {
    guard ends.count < limits.maximumFields else { return refuse(.tooManyFields(maximum: limits.maximumFields), &rows) }
    ends.append(bytes.count)
  }

  private mutating func endRow(_ rows: inout [Row]) {
    endField(&rows)
    defer { startRow() }
    guard state != .skipping, bytes.count > 0 || ends.count > 1 else { return }
    var fields: [String] = []
    var start = 0
    for end in ends {
      guard let field = String(validating: bytes[start..<end], as: UTF8.self) else { return refuse(.notUTF8, &rows) }
      fields.append(field)
      start = end
    }
    rows.append(Row(line: rowLine, content: .success(fields)))
  }

  private mutating func refuse(_ rule: RowRule, _ rows: inout [Row]) {
    rows.append(Row(line: rowLine, content: .failure(.row(rule))))
    state = .skipping
  }

  private mutating func startRow() {
    state = .fieldStart
    bytes.removeAll(keepingCapacity: true)
    ends.removeAll(keepingCapacity: true)
    rowLine = line
  }
}
