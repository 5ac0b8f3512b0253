/// Rules for every committed text, code or not.
enum TextRules {
  private static let unfinished = ["TODO", "FIXME", "XXX", "HACK"]

  /// In Swift only comments count: a string may speak of it.
  static func unfinishedWork(path: String, text: String) -> [Finding] {
    let lines: [(Int, String)]
    if path.hasSuffix(".swift") {
      let comments = SwiftSource(path: path, text: text).comments
      lines = comments.keys.sorted().map { ($0, comments[$0] ?? "") }
    } else {
      lines = numbered(text)
    }
    return lines.flatMap { line, text in
      words(text).filter(unfinished.contains).map {
        Finding(rule: .unfinishedWork, path: path, line: line, message: "\($0): finish it, or write down a decision")
      }
    }
  }

  /// A directory of one machine is of no use on another. Tests may use the one for temporary files.
  static func machinePaths(path: String, text: String) -> [Finding] {
    let directories = path.hasPrefix("Tests/") ? ["work", "home"] : ["work", "home", "tmp"]
    return numbered(text).flatMap { line, text in
      directories.filter { hasAbsolutePath("/\($0)/", in: text) }.map {
        Finding(rule: .machinePaths, path: path, line: line, message: "names a directory of one machine, /\($0)")
      }
    }
  }

  /// A link such as `https://host/home/` or `a/work/b` names something else.
  private static func hasAbsolutePath(_ directory: String, in text: String) -> Bool {
    text.ranges(of: directory).contains { range in
      guard range.lowerBound > text.startIndex else { return true }
      let before = text[text.index(before: range.lowerBound)]
      return !(before.isLetter || before.isNumber || "._-~/$})".contains(before))
    }
  }

  private static func numbered(_ text: String) -> [(Int, String)] {
    text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().map { ($0 + 1, String($1)) }
  }

  private static func words(_ text: String) -> [String] {
    text.split { !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init)
  }
}
