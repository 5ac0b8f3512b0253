/// A dictionary or a set is walked in an order that differs between processes. Lookup is fine; walking is not, unless what is
/// done with the elements cannot depend on their order, which a comment on the line (or alone on the line above) must explain:
/// `// house: ordered, because <reason>`.
///
/// Sees names that are declared with a type or with a plain initializer, in the file or as a member elsewhere in its target; a type
/// that is only inferred, or hidden behind an alias, it does not see.
enum OrderRules {
  private static let unorderedTypes: Set<String> = ["Dictionary", "Set"]
  private static let ownership: Set<String> = ["inout", "borrowing", "consuming", "sending"]
  /// Would show the order of the elements.
  private static let walks: Set<String> = [
    "map", "flatMap", "compactMap", "forEach", "reduce", "first", "enumerated", "joined", "prefix", "suffix", "dropFirst", "dropLast",
    "popFirst", "removeFirst", "lazy", "makeIterator", "elementsEqual", "lexicographicallyPrecedes",
  ]
  /// Hides it again, after `.keys` and `.values`.
  private static let orderless: Set<String> = ["sorted", "count", "isEmpty", "contains", "allSatisfy", "min", "max"]

  /// What a file declares: names with an unordered type, and all other names with a type.
  struct Names {
    var unordered: Set<String> = []
    var ordered: Set<String> = []
  }

  static func names(in source: SwiftSource) -> Names {
    let tokens = source.tokens
    var names = Names()
    for index in tokens.indices.dropFirst(2) where isUnorderedType(at: index, in: tokens) {
      let mark = ownership.contains(tokens[index - 1].text) ? index - 2 : index - 1
      guard mark > 0, [":", "="].contains(tokens[mark].text), tokens[mark - 1].isWord else { continue }
      names.unordered.insert(tokens[mark - 1].text)
    }
    for index in tokens.indices.dropLast(3) where ["let", "var"].contains(tokens[index].text) {
      let name = tokens[index + 1].text
      if [":", "="].contains(tokens[index + 2].text), !isUnorderedType(at: index + 3, in: tokens) { names.ordered.insert(name) }
    }
    for index in tokens.indices.dropLast(2) where tokens[index + 1].text == ":" && tokens[index + 2].text == "[" {
      if !isUnorderedType(at: index + 2, in: tokens) { names.ordered.insert(tokens[index].text) }
    }
    return names
  }

  /// `members`: what the other files of the target declare.
  static func unorderedIteration(_ source: SwiftSource, members: Names = Names()) -> [Finding] {
    guard ImportTable.pure[source.directory] != nil else { return [] }
    let own = names(in: source)
    let unordered = own.unordered.union(members.unordered.subtracting(own.ordered))
    let properties = own.ordered.union(members.ordered)
    let tokens = source.tokens
    var walked: Set<Int> = []
    for index in tokens.indices {
      if unordered.contains(tokens[index].text), isWalked(index, in: tokens) { walked.insert(tokens[index].line) }
      if ["keys", "values"].contains(tokens[index].text), !properties.contains(tokens[index].text), isShown(index, in: tokens) {
        walked.insert(tokens[index].line)
      }
    }
    let unexplained = walked.filter { !isExplained(line: $0, in: source) }.sorted().map {
      source.finding(.unorderedIteration, line: $0, "a dictionary or set is walked: sort it, or say why its order cannot show")
    }
    let idle = source.comments.keys.sorted().filter { isAllowance(source.comments[$0]) }
      .filter { !walked.contains($0) && !walked.contains($0 + 1) }.map {
        source.finding(.unorderedIteration, line: $0, "allows an unordered walk where there is none")
      }
    return unexplained + idle
  }

  private static func isUnorderedType(at index: Int, in tokens: [Token]) -> Bool {
    guard index < tokens.count else { return false }
    if unorderedTypes.contains(tokens[index].text) { return true }
    guard tokens[index].text == "[" else { return false }
    var depth = 0
    for token in tokens[index...] {
      if ["[", "(", "{"].contains(token.text) { depth += 1 }
      if ["]", ")", "}"].contains(token.text) { depth -= 1 }
      if depth == 0 { return false }
      if depth == 1, token.text == ":" { return true }
    }
    return false
  }

  /// `name.map`, `Array(name)`, `for … in name`, `for … in name.filter { … }`.
  private static func isWalked(_ index: Int, in tokens: [Token]) -> Bool {
    let after = tokens[(index + 1)...].prefix(3).map(\.text)
    if after.first == ":" || isSortedLater(index, in: tokens) { return false }
    if after.starts(with: [".", "removeFirst"]) { return true }
    let member = member(after: index, in: tokens)
    if let member, walks.contains(member) { return true }
    if ["min", "max"].contains(member ?? ""), !after.dropFirst(2).starts(with: ["("]) { return true }
    if after.first == ")", let opener = argumentOwner(of: index, in: tokens), ["Array", "zip", "contentsOf"].contains(opener) {
      return true
    }
    guard isInLoopHeader(index, in: tokens) else { return false }
    return after.first == "{" || after.first == "where"
      || ["filter", "mapValues", "union", "subtracting", "intersection"].contains(member ?? "")
  }

  /// `x.keys` that is not followed by something that hides the order.
  private static func isShown(_ index: Int, in tokens: [Token]) -> Bool {
    guard index >= 2, tokens[index - 1].text == "." else { return false }
    let base = tokens[index - 2].text
    guard base != "self", base.first.map({ $0.isLetter || "_)]?!".contains($0) }) == true, !["case", "return", "in"].contains(base) else {
      return false
    }
    guard index + 1 < tokens.count, tokens[index + 1].text != "(", !isSortedLater(index, in: tokens) else { return false }
    return !orderless.contains(member(after: index, in: tokens) ?? "")
  }

  private static func member(after index: Int, in tokens: [Token]) -> String? {
    let after = tokens[(index + 1)...].prefix(3).map(\.text).drop { ["?", "!"].contains($0) }
    return after.first == "." ? after.dropFirst().first : nil
  }

  /// `name.map { … }.sorted()` on one line.
  private static func isSortedLater(_ index: Int, in tokens: [Token]) -> Bool {
    let isLoop = isInLoopHeader(index, in: tokens)
    var depth = 0
    for next in tokens.indices[(index + 1)...] where depth >= 0 {
      let text = tokens[next].text
      if tokens[next].line > tokens[index].line || (isLoop && depth == 0 && text == "{") { return false }
      if depth == 0, text == "sorted", tokens[next - 1].text == "." { return true }
      if ["(", "[", "{"].contains(text) { depth += 1 }
      if [")", "]", "}", ";"].contains(text) { depth -= 1 }
    }
    return false
  }

  /// `Array` for `Array(name)` and `Array(self.name)`; `contentsOf` for `append(contentsOf: name)`.
  private static func argumentOwner(of index: Int, in tokens: [Token]) -> String? {
    var start = index
    while start >= 2, tokens[start - 1].text == "." { start -= 2 }
    guard start >= 2, ["(", ":"].contains(tokens[start - 1].text) else { return nil }
    return tokens[start - 2].text
  }

  private static func isInLoopHeader(_ index: Int, in tokens: [Token]) -> Bool {
    for (step, token) in tokens[..<index].reversed().enumerated() {
      if token.text == "in" { return isLoop(tokens[..<(index - step - 1)]) }
      if ["{", "}", "where", "="].contains(token.text) { return false }
    }
    return false
  }

  /// Does the nearest statement before the `in` begin with `for`? The other `in` stands in closures.
  private static func isLoop(_ tokens: ArraySlice<Token>) -> Bool {
    for token in tokens.reversed() {
      if token.text == "for" { return true }
      if ["{", "}", "in"].contains(token.text) { return false }
    }
    return false
  }

  private static func isExplained(line: Int, in source: SwiftSource) -> Bool {
    isAllowance(source.comments[line]) || isAllowance(source.comments[line - 1])
  }

  private static func isAllowance(_ comment: String?) -> Bool {
    guard let comment, let range = comment.firstRange(of: "house: ordered, because ") else { return false }
    return comment[range.upperBound...].split(separator: " ").count >= 3
  }
}
