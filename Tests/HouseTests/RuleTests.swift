import Testing

private func source(_ text: String, path: String = "Sources/Raft/File.swift") -> SwiftSource {
  SwiftSource(path: path, text: text)
}

@Suite struct SwiftSourceTests {
  @Test func commentsAndStringsAreNotCode() {
    let text = #"""
      let a = "await" // await
      /* await /* await */ await */ let b = 1
      let c = """
        await " await
        """
      let d = "\\" ; let e = 2
      """#
    let words = source(text).tokens.map(\.text)
    #expect(!words.contains("await"))
    #expect(["a", "b", "c", "d", "e"].allSatisfy(words.contains))
    #expect(source(text).comments[1] == "// await")
  }

  @Test func interpolationsAreCode() {
    #expect(
      source(##"let a = "x \(await f("y\(b())")) z""##).tokens.map(\.text).filter { ["await", "f", "b", "x", "y", "z"].contains($0) } == [
        "await", "f", "b",
      ])
    #expect(source(##"let a = #"\(no) \#(yes)"# + c"##).tokens.map(\.text).filter { ["no", "yes", "c"].contains($0) } == ["yes", "c"])
  }

  @Test func linesAreCountedThroughStringsAndComments() {
    let text = "/*\n\n*/\nlet a = \"\"\"\n  x\n  \"\"\"\nhere"
    #expect(source(text).tokens.last == Token(text: "here", line: 7))
  }

  @Test func whatNeverEndsIsReadToTheEnd() {
    for text in ["\"abc", "/* abc", "#\"abc\"", "\"\\(abc", "\"\"\"\nabc", "\"\\", "#", ""] {
      #expect(source(text).lines.count >= 1)
    }
  }
}

@Suite struct ImportRulesTests {
  @Test(arguments: [
    "import Foundation", "@testable import Foundation", "public import struct Foundation.Data", "@preconcurrency import Foundation",
    "#if canImport(Foundation)\nimport Foundation\n#endif", "import Raft; import Foundation", "import Synchronization", "import Replica",
  ]) func whatIsNotInTheTableIsFound(text: String) {
    #expect(ImportRules.imports(source(text, path: "Sources/WriteAheadLog/Deep/File.swift")).count == 1)
  }

  @Test func whatIsInTheTableIsNot() {
    let text = "import Raft\nimport struct ByteCoding.ByteReader\n// import Foundation\nlet a = \"import Foundation\""
    #expect(ImportRules.imports(source(text, path: "Sources/WriteAheadLog/File.swift")) == [])
  }

  @Test func pureTargetsImportOnlyPureTargets() {
    let modules = Set(ImportTable.pure.keys.compactMap { $0.split(separator: "/").last.map(String.init) })
    for (directory, row) in ImportTable.pure { #expect(row.isSubset(of: modules), "\(directory)") }
  }
}

@Suite struct PurityRulesTests {
  @Test(arguments: PurityRules.banned.map(\.code)) func everyBannedCallIsFoundInPureTargetsOnly(code: String) {
    #expect(!PurityRules.bannedCalls(source("let a = b\(code) c")).isEmpty || !PurityRules.bannedCalls(source("let a = \(code) c")).isEmpty)
    #expect(PurityRules.bannedCalls(source("let a = \(code) c", path: "Sources/Server/File.swift")) == [])
    #expect(PurityRules.bannedCalls(source("// \(code)")) == [])
  }

  @Test func relativesOfBannedCallsAreAllowed() {
    let text = "func f(task: TaskID) throws { try g(task.id, peers.shuffled(using: &generator), hash(into: &hasher)) }"
    #expect(PurityRules.bannedCalls(source(text)) == [])
  }

  @Test(arguments: [
    "var a = 1", "private var a: Int", "struct S { static var a = 1 }", "struct S { public private(set) static var a: [Int] = [] }",
    "enum E {\n  static var a: Int = {\n    1\n  }()\n}",
  ]) func sharedVariablesAreFound(text: String) {
    #expect(PurityRules.globalVariables(source(text)).count == 1)
  }

  @Test func otherVariablesAreNot() {
    let text = """
      var computed: Int { 1 }
      struct S { var stored = 1; static var computed: Int { 1 }; static let constant = 1 }
      func f() { var local = 1; local += 1 }
      protocol P { static var a: Int { get } }
      """
    #expect(PurityRules.globalVariables(source(text)) == [])
  }
}

@Suite struct SizeRulesTests {
  private func lines(_ count: Int) -> String { String(repeating: "  a()\n", count: count) }

  @Test(arguments: [
    "func f(a: () -> Void = { }) throws(E) -> [Int] where T: P {\n", "init?(a: Int) {\n", "deinit {\n", "subscript(a: Int) -> Int {\n",
    "var a: Int {\n", "static func == (a: A, b: A) -> Bool {\n", "protocol P { func a()\n var b: Int { get } }\nfunc f() {\n",
  ]) func bodiesAreMeasured(head: String) {
    #expect(SizeRules.functionLength(source(head + lines(70) + "}\n")) == [])
    #expect(SizeRules.functionLength(source(head + lines(71) + "}\n")).count == 1)
  }

  @Test func bracesInStringsAndTypesDoNotCount() {
    #expect(SizeRules.functionLength(source("func f() {\n  \"}\" // }\n" + lines(70) + "}\n")).count == 1)
    #expect(SizeRules.functionLength(source("struct S {\n  var a = 1\n  func f() {}\n" + lines(100) + "}\n")) == [])
  }

  @Test func lengthsAreExact() {
    #expect(SizeRules.fileLength(source(String(repeating: "\n", count: 500))) == [])
    #expect(SizeRules.fileLength(source(String(repeating: "\n", count: 501))).count == 1)
    #expect(SizeRules.lineLength(source(String(repeating: "é", count: 140))) == [])
    #expect(SizeRules.lineLength(source("\n" + String(repeating: "é", count: 141))).map(\.line) == [2])
  }
}

@Suite struct TextRulesTests {
  @Test func unfinishedWorkIsFoundInComments() {
    let mark = "FIX" + "ME"
    #expect(TextRules.unfinishedWork(path: "a.swift", text: "\n// \(mark): b").map(\.line) == [2])
    #expect(TextRules.unfinishedWork(path: "a.swift", text: "let a = \"\(mark)\"") == [])
    #expect(TextRules.unfinishedWork(path: ".ci/run", text: "# \(mark)").count == 1)
    #expect(TextRules.unfinishedWork(path: "a.md", text: "a\(mark)") == [])
  }

  @Test(arguments: ["work", "home", "tmp"]) func machinePathsAreFound(directory: String) {
    let path = "/" + directory + "/"
    for text in ["\(path)a", "see `\(path)a`", "x=\"\(path)\"", "--data=\(path)a"] {
      #expect(TextRules.machinePaths(path: "Sources/A.swift", text: text).count == 1, "\(text)")
      #expect(TextRules.machinePaths(path: "Tests/A.swift", text: text).count == (directory == "tmp" ? 0 : 1), "\(text)")
    }
    for text in ["https://example.com\(path)a", "a\(path)b", "..\(path)b", "$HOME\(path)"] {
      #expect(TextRules.machinePaths(path: "Sources/A.swift", text: text) == [], "\(text)")
    }
  }
}

@Suite struct DocumentRulesTests {
  private func broken(_ text: String, path: String = "Docs/A.md") -> [Int] {
    DocumentRules.links(path: path, text: text) { ["Docs/A.md", "Docs/B.md", "README.md", "Sources/Raft", ""].contains($0) }.map(\.line)
  }

  @Test func linksThatLeadNowhereAreFound() {
    #expect(broken("[a](C.md)") == [1])
    #expect(broken("[a](B.md) [b](B.md#x) ![c](c.png)\n[a](../B.md)") == [1, 2])
    #expect(broken("[a]: C.md") == [1])
    #expect(broken("[a](../../A.md)\n[a](/Docs/B.md)\n[a](B.md \"title\")") == [1, 2])
  }

  @Test func linksThatLeadSomewhereAreNot() {
    #expect(broken("[a](B.md) [a](./B.md#part) [a](../README.md) [a](../Sources/Raft/) [a](#here) [a](https://example.com/x)") == [])
    #expect(broken("[a](Docs/B.md)", path: "README.md") == [])
    #expect(broken("```\n[a](C.md)\n```\n[^1]: a note") == [])
  }

  private func unnamed(_ text: String, path: String = "Docs/A.md") -> [Int] {
    let files = ["Sources/Raft/RaftCore.swift", "Sources/Raft/RaftCore+Reads.swift", "Docs/A.md", "Tests/Acceptance/demo.py"]
    return DocumentNames.names(path: path, text: text, files: files).map(\.line)
  }

  @Test func namesOfFilesThatThereAreNotAreFound() {
    #expect(unnamed("`RaftCore+Gone.swift`\n`Gone/RaftCore.swift` and `Replica+*.swift`\n`demo.sh`, `B.md`") == [1, 2, 2, 3, 3])
    let comments = source("// see `Gone.swift`\nlet a = \"`Gone.swift`\"\n/// `File.swift`")
    #expect(DocumentNames.names(comments, files: ["Sources/Raft/File.swift"]).map(\.line) == [1])
    let named =
      "`RaftCore.swift`, `Raft/RaftCore.swift`, `Sources/Raft/RaftCore+Reads.swift`, `RaftCore+*.swift`, `../Docs/A.md`, "
      + "`*/demo.py`"
    #expect(unnamed(named) == [])
    #expect(
      unnamed("`Raft+<Feature>.swift`, `.swift`, Gone.swift, `swift test Gone.swift`, `let a = \"b.swift\"`\n```\n`Gone.swift`\n```") == [])
  }

  @Test func examplesThatNothingCompilesAreFound() {
    let compiled = source("import Raft\n\nfunc f() {\n  let a = 1\n\n  let b = 2\n}\n", path: "Tests/RaftTests/File.swift")
    func broken(_ block: String) -> [Int] {
      DocumentNames.examples(path: "Docs/A.md", text: "Look:\n\n\(block)", sources: [compiled]).map(\.line)
    }
    #expect(broken("```swift\nlet a = 1\n\nlet b = 2\n```\n") == [])
    #expect(broken("  ```swift\n  import Raft\n  ```\n```sh\nlet c = 1\n```\n```\nlet d = 1\n```\n") == [])
    #expect(broken("```swift\nlet a = 1\nlet b = 2\n```\n") == [4])
    #expect(broken("```swift\nlet a = 1\n```\n```swift\nlet c = 1\n```\n") == [7])
  }

  @Test func strangersAtTheTopAreFound() {
    #expect(DocumentRules.topLevel(names: ["Sources", ".git", "A.xcodeproj", "Makefile"]).map(\.path) == ["Makefile"])
  }
}
