/// What documents and comments say of the repository's files, and what documents show of its code, is true.
enum DocumentNames {
  private static let endings = [".swift", ".md", ".py", ".sh", ".patch", ".txt"]

  /// A file's name in backticks is that of a file, or the end of its path; with `*` it matches at least one. A placeholder is written with
  /// angle brackets, as `Raft+<Feature>.swift`, and names nothing.
  static func names(path: String, text: String, files: some Collection<String>) -> [Finding] {
    names(path: path, prose(text), files: files)
  }

  static func names(_ source: SwiftSource, files: some Collection<String>) -> [Finding] {
    names(path: source.path, source.comments.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, files: files)
  }

  private static func names(path: String, _ lines: [(line: Int, text: String)], files: some Collection<String>) -> [Finding] {
    lines.flatMap { line, text in
      names(in: text).filter { name in !files.contains { matches($0, name) } }.map {
        Finding(rule: .fileNames, path: path, line: line, message: "there is no file \($0)")
      }
    }
  }

  /// Every block of Swift in a document stands, line for line and whatever its indentation, in a file that is compiled.
  static func examples(path: String, text: String, sources: [SwiftSource]) -> [Finding] {
    blocks(text).compactMap { line, code in
      let isCompiled = sources.contains { source in
        let lines = source.lines.map(trimmed)
        return lines.indices.contains { lines[$0] == code[0] && lines[$0...].starts(with: code) }
      }
      return isCompiled ? nil : Finding(rule: .examples, path: path, line: line, message: "this example stands in no file that is compiled")
    }
  }

  /// The lines of a document outside its blocks of code.
  private static func prose(_ text: String) -> [(line: Int, text: String)] {
    var isInFence = false
    return text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().compactMap { index, line in
      if isFence(line) { isInFence.toggle() }
      return isInFence || isFence(line) ? nil : (index + 1, String(line))
    }
  }

  /// The first line of each block of Swift, counted from 1, and its lines without indentation.
  private static func blocks(_ text: String) -> [(line: Int, code: [Substring])] {
    var blocks: [(line: Int, code: [Substring])] = []
    var isInFence = false
    var isSwift = false
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if isFence(line) {
        isInFence.toggle()
        isSwift = isInFence && trimmed(line).hasPrefix("```swift")
        if isSwift { blocks.append((index + 2, [])) }
      } else if isSwift {
        blocks[blocks.count - 1].code.append(trimmed(line))
      }
    }
    return blocks.filter { !$0.code.isEmpty }
  }

  private static func isFence(_ line: Substring) -> Bool { trimmed(line).hasPrefix("```") }

  private static func trimmed(_ line: Substring) -> Substring {
    let start = line.drop { $0 == " " }
    return start.last == " " ? start.prefix(start.count - start.reversed().prefix { $0 == " " }.count) : start
  }

  /// What stands between two backticks, has no space and no angle bracket in it, and ends as a file does.
  private static func names(in line: String) -> [String] {
    let parts = line.split(separator: "`", omittingEmptySubsequences: false)
    return parts.enumerated().filter { $0.offset % 2 == 1 && $0.offset + 1 < parts.count }.map { String($0.element) }.filter { name in
      endings.contains { name.hasSuffix($0) && name.utf8.count > $0.utf8.count } && !name.contains { " <>…(\"".contains($0) }
    }
  }

  /// Whether a pattern, in which `*` stands for anything but a slash, is the last components of a path.
  private static func matches(_ path: String, _ pattern: String) -> Bool {
    // Without a star this is decided by the last bytes.
    guard pattern.contains("*") || path.utf8.last == pattern.utf8.last && path.hasSuffix(pattern.drop { $0 == "." || $0 == "/" }) else {
      return false
    }
    let names = path.split(separator: "/")
    let patterns = pattern.split(separator: "/").drop { $0 == ".." || $0 == "." }
    guard !patterns.isEmpty, patterns.count <= names.count else { return false }
    return zip(names.suffix(patterns.count), patterns).allSatisfy { fits(Array($0.utf8)[...], Array($1.utf8)[...]) }
  }

  private static func fits(_ name: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> Bool {
    guard let first = pattern.first else { return name.isEmpty }
    if first == UInt8(ascii: "*") { return (name.startIndex...name.endIndex).contains { fits(name[$0...], pattern.dropFirst()) } }
    return name.first == first && fits(name.dropFirst(), pattern.dropFirst())
  }
}
