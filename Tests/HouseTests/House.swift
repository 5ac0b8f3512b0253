import Foundation

/// The repository as the rules see it.
struct House {
  /// The text of every file, by its path from the top of the repository.
  var files: [String: String]
  /// What lies at the top of the repository.
  var topLevel: Set<String>

  /// Everything that breaks a rule.
  func findings() -> [Finding] {
    let sources = sources
    return swiftFindings(sources) + textFindings() + documentFindings(sources)
      + ImportRules.table(directories: Set(sources.map(\.directory)))
      + DocumentRules.topLevel(names: topLevel)
  }

  /// The Swift files of all targets.
  var sources: [SwiftSource] {
    files.keys.sorted().filter(Self.isTargetFile).map { SwiftSource(path: $0, text: files[$0] ?? "") }
  }

  private static func isTargetFile(_ path: String) -> Bool {
    path.hasSuffix(".swift") && ["Sources/", "Simulator/", "Tests/"].contains { path.hasPrefix($0) }
  }

  private func swiftFindings(_ sources: [SwiftSource]) -> [Finding] {
    let rules: [(SwiftSource) -> [Finding]] = [
      ImportRules.imports, PurityRules.bannedCalls, PurityRules.globalVariables, SizeRules.fileLength, SizeRules.functionLength,
      SizeRules.lineLength,
    ]
    let members = membersByDirectory(of: sources)
    return sources.flatMap { source in
      rules.flatMap { $0(source) } + OrderRules.unorderedIteration(source, members: members[source.directory] ?? OrderRules.Names())
    }
  }

  private func membersByDirectory(of sources: [SwiftSource]) -> [String: OrderRules.Names] {
    sources.reduce(into: [:]) { members, source in
      let names = OrderRules.names(in: source)
      members[source.directory, default: OrderRules.Names()].unordered.formUnion(names.unordered)
      members[source.directory, default: OrderRules.Names()].ordered.formUnion(names.ordered)
    }
  }

  private func textFindings() -> [Finding] {
    files.keys.sorted().flatMap { path in
      let text = files[path] ?? ""
      let links = path.hasSuffix(".md") ? DocumentRules.links(path: path, text: text, exists: exists) : []
      return TextRules.unfinishedWork(path: path, text: text) + TextRules.machinePaths(path: path, text: text) + links
    }
  }

  /// Of the documents, and of what comments say of files.
  private func documentFindings(_ sources: [SwiftSource]) -> [Finding] {
    let paths = files.keys.sorted()
    let ofDocuments = paths.filter { $0.hasSuffix(".md") }.flatMap { path in
      let text = files[path] ?? ""
      return DocumentNames.names(path: path, text: text, files: paths) + DocumentNames.examples(path: path, text: text, sources: sources)
    }
    return ofDocuments + sources.flatMap { DocumentNames.names($0, files: paths) }
  }

  private func exists(_ path: String) -> Bool {
    path.isEmpty || files[path] != nil || files.keys.contains { $0.hasPrefix(path + "/") }
  }
}

extension House {
  /// The repository that this file belongs to.
  static func here() throws -> House {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    return try House(root: root)
  }

  init(root: URL) throws {
    topLevel = Set(try FileManager.default.contentsOfDirectory(atPath: root.path))
    files = [:]
    for name in topLevel.subtracting(DocumentRules.ignoredNames) {
      try add(name, root: root)
    }
  }

  private mutating func add(_ path: String, root: URL) throws {
    let url = root.appending(path: path)
    guard try url.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true else {
      // What is not UTF-8 (a recorded log, a picture) has no lines to check, but links may lead to it.
      files[path] = String(data: try Data(contentsOf: url), encoding: .utf8) ?? ""
      return
    }
    for name in try FileManager.default.contentsOfDirectory(atPath: url.path) where !DocumentRules.ignoredNames.contains(name) {
      try add(path + "/" + name, root: root)
    }
  }
}
