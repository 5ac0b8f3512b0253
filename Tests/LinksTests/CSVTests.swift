import Links
import Testing

@Suite struct CSVReaderTests {
  private func rows(_ text: String, chunk: Int = .max, limits: CSVReader.Limits = CSVReader.Limits()) -> [CSVReader.Row] {
    rows(Array(text.utf8), chunk: chunk, limits: limits)
  }

  private func rows(_ bytes: [UInt8], chunk: Int = .max, limits: CSVReader.Limits = CSVReader.Limits()) -> [CSVReader.Row] {
    var reader = CSVReader(limits: limits)
    var rows: [CSVReader.Row] = []
    var start = 0
    while start < bytes.count {
      let end = chunk < bytes.count - start ? start + chunk : bytes.count
      rows += reader.read(bytes[start..<end])
      start = end
    }
    return rows + reader.finish()
  }

  private func row(_ line: Int, _ fields: String...) -> CSVReader.Row { .init(line: line, content: .success(fields)) }
  private func bad(_ line: Int, _ rule: RowRule) -> CSVReader.Row { .init(line: line, content: .failure(.row(rule))) }

  @Test(arguments: [1, 2, 3, .max]) func readsTheExamplesOfTheRFC(chunk: Int) {
    #expect(rows("aaa,bbb,ccc\r\nzzz,yyy,xxx\r\n", chunk: chunk) == [row(1, "aaa", "bbb", "ccc"), row(2, "zzz", "yyy", "xxx")])
    #expect(rows("aaa,bbb,ccc\r\nzzz,yyy,xxx", chunk: chunk) == [row(1, "aaa", "bbb", "ccc"), row(2, "zzz", "yyy", "xxx")])
    #expect(rows("\"aaa\",\"b\r\nbb\",\"ccc\"\r\nzzz", chunk: chunk) == [row(1, "aaa", "b\r\nbb", "ccc"), row(3, "zzz")])
    #expect(rows("\"aaa\",\"b\"\"bb\",\"ccc\"", chunk: chunk) == [row(1, "aaa", "b\"bb", "ccc")])
    #expect(rows("a,,\n,\n", chunk: chunk) == [row(1, "a", "", ""), row(2, "", "")])
    #expect(rows("\n\r\na\n\n", chunk: chunk) == [row(3, "a")])
    #expect(rows("", chunk: chunk) == [])
    #expect(rows("\u{feff}a,b\n", chunk: chunk) == [row(1, "a", "b")])
    #expect(rows([0xef, 0xbb, 0x0a, 0x61], chunk: chunk) == [bad(1, .notUTF8), row(2, "a")])
    #expect(rows([0xef, 0xbb], chunk: chunk) == [bad(1, .notUTF8)])
  }

  @Test(arguments: [1, 2, .max]) func reportsABadRowAndGoesOn(chunk: Int) {
    #expect(rows("a\"b,c\nd\n", chunk: chunk) == [bad(1, .strayQuote), row(2, "d")])
    #expect(rows("\"a\"b\nd\n", chunk: chunk) == [bad(1, .afterQuote), row(2, "d")])
    #expect(rows("a\rb\nd\n", chunk: chunk) == [bad(1, .carriageReturn), row(2, "d")])
    #expect(rows("d\n\"a\n\n", chunk: chunk) == [row(1, "d"), bad(2, .openQuote)])
    #expect(rows("a\r", chunk: chunk) == [bad(1, .carriageReturn)])
    #expect(rows([0xff, 0x0a, 0x61], chunk: chunk) == [bad(1, .notUTF8), row(2, "a")])
  }

  @Test func boundsARow() {
    let limits = CSVReader.Limits(maximumRowBytes: 4, maximumFields: 2)
    #expect(rows("abcd\nabcde\nx\n", limits: limits) == [row(1, "abcd"), bad(2, .tooLong(maximumBytes: 4)), row(3, "x")])
    #expect(rows("a,b\na,b,c\na,b,c,d\nx", limits: limits).map(\.line) == [1, 2, 3, 4])
    #expect(rows("\"abc\nd\ne\nx\n", limits: limits) == [bad(1, .tooLong(maximumBytes: 4)), row(3, "e"), row(4, "x")])
    #expect(rows("\"abcd\ne\nx\n", limits: limits) == [bad(1, .tooLong(maximumBytes: 4)), row(2, "e"), row(3, "x")])
  }

  @Test(arguments: 0..<200 as Range<UInt64>) func readsBackWhatWasWritten(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let alphabet = ["a", ",", "\"", "\r", "\n", "ö", "\u{feff}", " ", "\0", "\r\n"]
    var expected: [[String]] = []
    var text = ""
    for _ in 0..<20 {
      let fields = (0...generator.below(4)).map { _ in (0..<generator.below(8)).map { _ in alphabet[generator.below(10)] }.joined() }
      guard fields != [""] else { continue }
      expected.append(fields)
      text += fields.map(LinkCSVWriter.field).joined(separator: ",") + (generator.below(2) == 0 ? "\n" : "\r\n")
    }
    // A byte order mark at the very start is not part of the first field.
    text = "x\n" + text
    let read = rows(text, chunk: 1 + generator.below(9))
    #expect(read.dropFirst().map { try? $0.content.get() } == expected)
  }

  @Test(arguments: 0..<200 as Range<UInt64>) func readsAnyBytesTheSameInAnyChunks(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let alphabet = Array("aa,,\"\"\r\n\n".utf8) + [0xff, 0xef, 0xbb, 0xbf]
    let bytes = (0..<300).map { _ in alphabet[generator.below(alphabet.count)] }
    let limits = CSVReader.Limits(maximumRowBytes: 12, maximumFields: 4)
    let whole = rows(bytes, limits: limits)
    #expect(rows(bytes, chunk: 1 + generator.below(5), limits: limits) == whole)
    #expect(whole.map(\.line) == whole.map(\.line).sorted())
    for row in whole {
      guard let fields = try? row.content.get() else { continue }
      #expect(fields.count <= 4 && fields.reduce(0) { $0 + $1.utf8.count } <= 12)
    }
  }
}

@Suite struct LinkCSVTests {
  private func rows(_ text: String) -> [LinkCSVReader.Row] {
    var reader = LinkCSVReader()
    return reader.read(text.utf8) + reader.finish()
  }

  @Test func readsBackWhatWasWritten() throws {
    let link = Link(target: try Target("https://one.example/?a=1,2"), createdSeconds: 17, carriedVisits: 1)
    let stored = StoredLink(slug: try Slug("docs"), link: link, createRevision: 2, modRevision: 3)
    let text = LinkCSVWriter.header + LinkCSVWriter.row(stored, visits: 5)
    #expect(text == "slug,target,visits,created\r\ndocs,\"https://one.example/?a=1,2\",5,17\r\n")
    let row = LinkRow(slug: stored.slug, target: link.target, visits: 5, createdSeconds: 17)
    #expect(rows(text) == [.init(line: 2, content: .success(row))])
    #expect(row.link(nowSeconds: 99) == Link(target: link.target, createdSeconds: 17, carriedVisits: 5))
  }

  @Test func readsTheColumnsThatThereAre() throws {
    let (slug, target) = (try Slug("a"), try Target("http://b"))
    #expect(rows("slug,target\na,http://b\n").map(\.content) == [.success(LinkRow(slug: slug, target: target))])
    let dated = LinkRow(slug: slug, target: target, createdSeconds: 7)
    #expect(rows("slug,target,created\na,http://b,7\n").map(\.content) == [.success(dated)])
    #expect(rows("slug,target,visits\na,http://b,\n").map(\.content) == [.success(LinkRow(slug: slug, target: target))])
  }

  @Test(arguments: [
    ("a", LinkError.row(.fieldCount(expected: 3))), ("a,http://b,1,2", .row(.fieldCount(expected: 3))), ("_a,http://b,1", .slug(.reserved)),
    ("a,b,1", .target(.scheme)), ("a,http://b,-1", .row(.number(column: "visits"))), ("a,http://b,1e3", .row(.number(column: "visits"))),
    ("a,http://b,18446744073709551616", .row(.number(column: "visits"))), ("a\"", .row(.strayQuote)),
  ])
  func refusesARowAndGoesOn(_ row: String, _ error: LinkError) throws {
    let good = LinkRow(slug: try Slug("ok"), target: try Target("http://b"), visits: 1)
    #expect(
      rows("slug,target,visits\n\(row)\nok,http://b,1\n")
        == [.init(line: 2, content: .failure(error)), .init(line: 3, content: .success(good))])
  }

  @Test(arguments: ["", "\n", "a,http://b\nb,http://b\n", "target,slug\n", "slug,target,created,visits\n", "slug|target\n"])
  func wantsAHeader(_ text: String) {
    #expect(rows(text).map(\.content) == [.failure(.row(.header))])
  }

  @Test(arguments: [",", ";", "\t"]) func readsWhatSpreadsheetsSeparateFieldsWith(separator: String) throws {
    let row = LinkRow(slug: try Slug("a"), target: try Target("http://b/?x=1,2;3"), visits: 4)
    let file = "slug,target,visits\r\na,\"http://b/?x=1,2;3\",4\r\n".replacing(
      "slug,target,visits", with: ["slug", "target", "visits"].joined(separator: separator)
    )
    .replacing("a,\"", with: "a\(separator)\"").replacing("\",4", with: "\"\(separator)4")
    #expect(rows(file).map(\.content) == [.success(row)])
    #expect(rows("\u{feff}" + file).map(\.content) == [.success(row)])
    // Another separator is part of a field from then on.
    let other = separator == ";" ? "," : ";"
    let header = "slug\(separator)target\n"
    #expect(rows(header + "a\(other)http://b\n").map(\.content) == [.failure(.row(.fieldCount(expected: 2)))])
  }

  @Test(arguments: [1, .max])
  func saysWhyAHeaderCannotBeRead(chunk: Int) throws {
    let file = "slug,target\na,http://b\nb,http://b\n"
    let wide = file.utf16.map { UInt8($0) }
    let files: [([UInt8], RowRule)] = [
      ([0xff, 0xfe] + wide.flatMap { [$0, 0] }, .otherFile(.utf16)), ([0xfe, 0xff] + wide.flatMap { [0, $0] }, .otherFile(.utf16)),
      (wide.flatMap { [$0, 0] }, .otherFile(.utf16)), (wide.flatMap { [0, $0] }, .otherFile(.utf16)),
      ([0x1f, 0x8b, 8, 0, 0, 10, 0x1f], .otherFile(.gzip)), (Array("PK".utf8) + [3, 4, 20, 10, 7], .otherFile(.zip)),
      (Array(file.replacing("\n", with: "\r").utf8), .carriageReturn), (Array("slug,target\r".utf8), .carriageReturn),
      (Array(("\"" + file).utf8), .openQuote), (Array(("\"" + String(repeating: file, count: 500)).utf8), .tooLong(maximumBytes: 8192)),
      (Array("slug,\"target\"x\na,http://b\n".utf8), .afterQuote), ([0xc3, 0x28, 10], .notUTF8),
      (Array(String(repeating: "s", count: 9000).utf8), .tooLong(maximumBytes: 8192)),
    ]
    for (bytes, rule) in files {
      var reader = LinkCSVReader()
      #expect(reader.headerError == nil)
      var rows: [LinkCSVReader.Row] = []
      if chunk == 1 { for byte in bytes { rows += reader.read([byte]) } } else { rows = reader.read(bytes) }
      rows += reader.finish()
      #expect(rows.map(\.content) == [.failure(.row(rule))])
      #expect(reader.headerError == .row(rule))
    }
  }

  @Test func summarizesAnImport() throws {
    let row = LinkRow(slug: try Slug("a"), target: try Target("http://a"))
    let link = StoredLink(slug: row.slug, link: row.link(nowSeconds: 1), createRevision: 2, modRevision: 2)
    var other = link
    other.link.target = try Target("http://b")
    var summary = ImportSummary()
    summary.record(line: 2, .init(of: row, .created(link)))
    summary.record(line: 3, .init(of: row, .exists(link)))
    for line in 4..<204 { summary.record(line: line, .init(of: row, .exists(other))) }
    #expect((summary.created, summary.same, summary.refused) == (1, 1, 200))
    #expect(summary.refusals.count == ImportSummary.maximumRefusals)
    #expect(summary.refusals.first == .init(line: 4, reason: .taken(row.slug)))
  }
}
