import Links
import Testing

@Suite struct SlugTests {
  @Test(arguments: ["a", "Z", "0", "a-b_c", "spring-sale", "A1", String(repeating: "x", count: 64)])
  func accepts(_ text: String) throws {
    #expect(try Slug(text).text == text)
  }

  @Test(arguments: [
    ("", SlugRule.empty), (String(repeating: "x", count: 65), .tooLong(bytes: 65)), ("_links", .reserved), ("_", .reserved),
    ("-a", .leadingHyphen), ("a b", .character(offset: 1)), ("a/b", .character(offset: 1)), ("a,b", .character(offset: 1)),
    ("köln", .character(offset: 1)), ("a\0", .character(offset: 1)), ("a\r\n", .character(offset: 1)), ("..", .character(offset: 0)),
    ("favicon.ico", .character(offset: 7)), ("%61", .character(offset: 0)), ("a\u{301}", .character(offset: 1)),
  ])
  func refuses(_ text: String, _ rule: SlugRule) {
    #expect(throws: LinkError.slug(rule)) { try Slug(text) }
  }

  @Test func distinguishesUpperAndLowerCase() throws {
    #expect(try Slug("a") != Slug("A"))
    #expect(try Slug("A") < Slug("a"))
  }

  @Test func makesValidSlugsFromAnyInteger() throws {
    var generator = SeededGenerator(seed: 1)
    let integers = [0, 1, .max] + (0..<1000).map { _ in generator.next() }
    for integer in integers {
      let slug = Slug(random: integer)
      #expect(try Slug(slug.text) == slug)
      #expect(slug.text.utf8.count == Slug.randomLength)
      #expect(!slug.text.contains { "0Oo1Il".contains($0) })
    }
    #expect(Set(integers.map { Slug(random: $0) }).count == integers.count)
  }
}
