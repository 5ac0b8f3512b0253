/// A word, a number or a single other character of Swift code.
struct Token: Equatable {
  let text: String
  /// Counted from 1.
  let line: Int

  var isWord: Bool { text.first.map { $0.isLetter || $0.isNumber || $0 == "_" } == true }
}

/// A Swift file taken apart: what is code, and what is said in comments. What stands in string literals is neither, but the
/// code inside their interpolations is code. Knows no regex literals: write `Regex` or a string.
struct SwiftSource {
  let path: String
  let lines: [Substring]
  let tokens: [Token]
  /// The text of the comments on each line that has any.
  let comments: [Int: String]

  init(path: String, text: String) {
    self.path = path
    lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    var lexer = SwiftLexer(text)
    lexer.run()
    tokens = lexer.tokens
    comments = lexer.comments.mapValues { String(decoding: $0, as: UTF8.self) }
  }

  /// `Sources/Raft` for every file in and below it.
  var directory: String { path.split(separator: "/").prefix(2).joined(separator: "/") }

  func finding(_ rule: Rule, line: Int = 0, _ message: String) -> Finding {
    Finding(rule: rule, path: path, line: line, message: message)
  }

  /// Where the tokens of `pattern` stand one after the other, whatever white space is between them.
  func lines(of pattern: String) -> [Int] {
    let wanted = SwiftSource(path: "", text: pattern).tokens.map(\.text)
    guard !wanted.isEmpty, tokens.count >= wanted.count else { return [] }
    return (0...tokens.count - wanted.count).filter { start in
      wanted.indices.allSatisfy { tokens[start + $0].text == wanted[$0] }
    }.map { tokens[$0].line }
  }
}
