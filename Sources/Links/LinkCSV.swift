/// One row of `slug,target[,visits][,created]`.
public struct LinkRow: Hashable, Sendable {
  public var slug: Slug
  public var target: Target
  /// `nil` if the file does not say: none.
  public var visits: UInt64?
  /// Seconds since 1970 UTC; `nil` if the file does not say: now.
  public var createdSeconds: UInt64?

  public init(slug: Slug, target: Target, visits: UInt64? = nil, createdSeconds: UInt64? = nil) {
    self.slug = slug
    self.target = target
    self.visits = visits
    self.createdSeconds = createdSeconds
  }

  /// The link to create for it.
  public func link(nowSeconds: UInt64) -> Link {
    Link(target: target, createdSeconds: createdSeconds ?? nowSeconds, carriedVisits: visits ?? 0)
  }
}

/// Reads links out of a CSV file, chunk by chunk: `CSVReader` with the columns' meaning. Commas, semicolons or tabs separate the fields, as
/// spreadsheets of different countries write them.
public struct LinkCSVReader: Sendable {
  public typealias Row = CSVRow<LinkRow>

  private struct Columns {
    let count: Int
    let visits: Int?
    let created: Int?
  }

  private enum Header {
    case awaited
    case known(Columns)
    /// Without it nothing can be read, and one error is enough.
    case refused(LinkError)
  }

  private var reader: CSVReader
  private var header = Header.awaited
  /// The first bytes of the file, by which other kinds of files are known.
  private var opening: [UInt8] = []

  public init(maximumRowBytes: Int = CSVReader.Limits().maximumRowBytes) {
    reader = CSVReader(limits: CSVReader.Limits(maximumRowBytes: maximumRowBytes, separators: Array(",;\t".utf8)))
  }

  /// Why nothing of the file is read: its first row, or the file as a whole. What comes after it need not be sent.
  public var headerError: LinkError? {
    if case .refused(let error) = header { error } else { nil }
  }

  /// The rows that end in this chunk.
  public mutating func read(_ chunk: some Collection<UInt8>) -> [Row] {
    opening += chunk.prefix(OtherFile.openingBytes - opening.count)
    return interpret(reader.read(chunk))
  }

  /// What is left at the end of the file. A file without a header is an error, also when it is empty.
  public mutating func finish() -> [Row] {
    var rows = interpret(reader.finish())
    if case .awaited = header { rows.append(refuseHeader(line: 1, .row(.header))) }
    return rows
  }

  private mutating func interpret(_ rows: [CSVReader.Row]) -> [Row] {
    var links: [Row] = []
    for row in rows {
      switch header {
      case .refused: return links
      case .awaited:
        do {
          header = .known(try Self.columns(try row.content.get()))
        } catch {
          links.append(refuseHeader(line: row.line, error))
        }
      case .known(let columns):
        do {
          links.append(Row(line: row.line, content: .success(try Self.link(try row.content.get(), columns))))
        } catch {
          links.append(Row(line: row.line, content: .failure(error)))
        }
      }
    }
    return links
  }

  private mutating func refuseHeader(line: Int, _ error: LinkError) -> Row {
    let error = OtherFile(opening).map { LinkError.row(.otherFile($0)) } ?? error
    header = .refused(error)
    return Row(line: line, content: .failure(error))
  }

  private static func columns(_ names: [String]) throws(LinkError) -> Columns {
    switch names {
    case ["slug", "target"]: return Columns(count: 2, visits: nil, created: nil)
    case ["slug", "target", "visits"]: return Columns(count: 3, visits: 2, created: nil)
    case ["slug", "target", "created"]: return Columns(count: 3, visits: nil, created: 2)
    case ["slug", "target", "visits", "created"]: return Columns(count: 4, visits: 2, created: 3)
    default: throw .row(.header)
    }
  }

  private static func link(_ fields: [String], _ columns: Columns) throws(LinkError) -> LinkRow {
    guard fields.count == columns.count else { throw .row(.fieldCount(expected: columns.count)) }
    return LinkRow(
      slug: try Slug(fields[0]), target: try Target(fields[1]), visits: try number(fields, columns.visits, "visits"),
      createdSeconds: try number(fields, columns.created, "created"))
  }

  /// An empty field says nothing, as a missing column does.
  private static func number(_ fields: [String], _ column: Int?, _ name: String) throws(LinkError) -> UInt64? {
    guard let column, !fields[column].isEmpty else { return nil }
    guard let number = UInt64(decimal: fields[column].utf8) else { throw .row(.number(column: name)) }
    return number
  }
}

/// Writes what `LinkCSVReader` reads: lines that end in CRLF, fields quoted where they have to be.
public enum LinkCSVWriter {
  public static let header = "slug,target,visits,created\r\n"

  public static func row(_ stored: StoredLink, visits: UInt64) -> String {
    "\(field(stored.slug.text)),\(field(stored.link.target.text)),\(visits),\(stored.link.createdSeconds)\r\n"
  }

  /// RFC 4180, section 2: quoted if it holds a comma, a quotation mark or an end of line; quotation marks are doubled.
  public static func field(_ text: String) -> String {
    let special = [UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(ascii: "\r"), UInt8(ascii: "\n")]
    guard text.utf8.contains(where: special.contains) else { return text }
    var quoted: [UInt8] = [UInt8(ascii: "\"")]
    for byte in text.utf8 {
      if byte == UInt8(ascii: "\"") { quoted.append(byte) }
      quoted.append(byte)
    }
    quoted.append(UInt8(ascii: "\""))
    return String(decoding: quoted, as: UTF8.self)
  }
}
