/// A file is one idea and a function fits a screen.
enum SizeRules {
  static let maximumFileLines = 500
  static let maximumFunctionLines = 70
  static let maximumLineCharacters = 140

  static func fileLength(_ source: SwiftSource) -> [Finding] {
    let count = source.lines.last == "" ? source.lines.count - 1 : source.lines.count
    guard count > maximumFileLines else { return [] }
    return [source.finding(.fileLength, "\(count) lines, at most \(maximumFileLines): find the idea that it hides")]
  }

  static func lineLength(_ source: SwiftSource) -> [Finding] {
    source.lines.enumerated().compactMap { index, line in
      guard line.utf8.count > maximumLineCharacters, line.count > maximumLineCharacters else { return nil }
      return source.finding(.lineLength, line: index + 1, "\(line.count) characters, at most \(maximumLineCharacters)")
    }
  }

  /// The lines between the braces of a function, an initializer, or a property with a body.
  static func functionLength(_ source: SwiftSource) -> [Finding] {
    let tokens = source.tokens
    return tokens.indices.compactMap { index in
      guard ["func", "init", "deinit", "subscript", "var"].contains(tokens[index].text), index == 0 || tokens[index - 1].text != ".",
        let open = bodyStart(of: index, in: tokens), let close = matchingBrace(of: open, in: tokens)
      else { return nil }
      let count = tokens[close].line - tokens[open].line - 1
      guard count > maximumFunctionLines else { return nil }
      let name = "\(tokens[index].text) \(tokens[index + 1].text)"
      return source.finding(.functionLength, line: tokens[index].line, "\(name) has \(count) lines, at most \(maximumFunctionLines)")
    }
  }

  /// The brace that opens the body; nil for a requirement of a protocol and for a variable without a body.
  private static func bodyStart(of declaration: Int, in tokens: [Token]) -> Int? {
    let isVariable = tokens[declaration].text == "var"
    var depth = 0
    for index in tokens.indices[(declaration + 1)...] {
      let text = tokens[index].text
      if ["(", "["].contains(text) { depth += 1 }
      if [")", "]"].contains(text) { depth -= 1 }
      guard depth == 0 else { continue }
      if text == "{" { return index }
      if text == "}" || ["func", "init", "deinit", "subscript", "var", "let", "case"].contains(text) { return nil }
      if isVariable, text == "=" { return nil }
    }
    return nil
  }

  private static func matchingBrace(of open: Int, in tokens: [Token]) -> Int? {
    var depth = 0
    for index in open..<tokens.count {
      if tokens[index].text == "{" { depth += 1 }
      if tokens[index].text == "}" { depth -= 1 }
      if depth == 0 { return index }
    }
    return nil
  }
}
