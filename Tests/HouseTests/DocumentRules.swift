/// Rules for README.md, Docs and what else a visitor sees first.
enum DocumentRules {
  static let topLevelNames: Set<String> = [
    "Package.swift", "Sources", "Tests", "Simulator", "Docs", "README.md", "LICENSE", ".ci", ".gitignore", ".swift-format", ".spi.yml",
  ]
  /// Made by tools, and by the `coracle` command and the examples where nothing else is said; not committed.
  static let ignoredNames: Set<String> = [
    ".build", ".git", ".swiftpm", "Package.resolved", ".DS_Store", "__pycache__", "coracle-data", "coracle-demo",
    "embedded-data", "counters-data",
  ]

  static func topLevel(names: Set<String>) -> [Finding] {
    names.subtracting(topLevelNames).subtracting(ignoredNames).sorted().filter { !$0.hasSuffix(".xcodeproj") }.map {
      Finding(rule: .topLevel, path: $0, line: 0, message: "does not belong at the top of the repository")
    }
  }

  /// `exists` answers for a path relative to the top of the repository.
  static func links(path: String, text: String, exists: (String) -> Bool) -> [Finding] {
    var isInFence = false
    var findings: [Finding] = []
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if line.drop(while: { $0 == " " }).hasPrefix("```") { isInFence.toggle() }
      if isInFence { continue }
      for target in targets(in: line) where !leadsElsewhere(target) {
        let file = target.prefix { $0 != "#" }
        guard let resolved = resolve(file, from: path), exists(resolved) else {
          findings.append(Finding(rule: .links, path: path, line: index + 1, message: "\(target) does not exist"))
          continue
        }
      }
    }
    return findings
  }

  /// What stands between `](` and `)`, without a title, and what follows `[name]:` at the start of a line.
  private static func targets(in line: Substring) -> [Substring] {
    var targets = line.ranges(of: "](").map { line[$0.upperBound...].prefix { $0 != ")" && $0 != " " } }
    if line.hasPrefix("["), !line.hasPrefix("[^"), let end = line.firstRange(of: "]:") {
      targets.append(line[end.upperBound...].drop { $0 == " " }.prefix { $0 != " " })
    }
    return targets
  }

  private static func leadsElsewhere(_ target: Substring) -> Bool {
    ["https://", "http://", "mailto:", "#"].contains { target.hasPrefix($0) }
  }

  /// `../Sources` from a file in `Docs` is `Sources`. Nil if it leaves the repository.
  private static func resolve(_ target: Substring, from path: String) -> String? {
    var parts = path.split(separator: "/").dropLast()
    if target.hasPrefix("/") { return nil }
    for part in target.split(separator: "/") where part != "." {
      if part != ".." {
        parts.append(part)
      } else if parts.popLast() == nil {
        return nil
      }
    }
    return parts.joined(separator: "/")
  }
}
