import Testing

/// Every rule is shown something that breaks it, in a repository that breaks nothing else: no rule is unable to fail.
@Suite struct PlantedTests {
  /// A repository with one small file per target, and no finding.
  private static var sound: House {
    var files = ["README.md": "See [the rules](Docs/Rules.md).\n", "Docs/Rules.md": "# Rules\n"]
    for directory in ImportTable.all.keys { files["\(directory)/File.swift"] = "struct File {}\n" }
    return House(files: files, topLevel: DocumentRules.topLevelNames.union(DocumentRules.ignoredNames))
  }

  private static let plants: [Rule: (path: String, text: String)] = [
    .imports: ("Sources/Raft/Bad.swift", "import Foundation\n"),
    .importTable: ("Sources/Unheard/Bad.swift", "struct Bad {}\n"),
    .bannedCalls: ("Sources/Raft/Bad.swift", "func bad() { Task { } }\n"),
    .globalVariables: ("Sources/Raft/Bad.swift", "var bad = 1\n"),
    .unorderedIteration: ("Sources/Raft/Bad.swift", "func bad(votes: Set<Int>) { for vote in votes { print(vote) } }\n"),
    .fileLength: ("Sources/Raft/Bad.swift", String(repeating: "\n", count: SizeRules.maximumFileLines + 1)),
    .functionLength: (
      "Sources/Raft/Bad.swift", "func bad() {\n" + String(repeating: "\n", count: SizeRules.maximumFunctionLines + 1) + "}\n"
    ),
    .lineLength: ("Sources/Raft/Bad.swift", "//" + String(repeating: "é", count: SizeRules.maximumLineCharacters - 1) + "\n"),
    .unfinishedWork: ("Docs/Bad.md", "TO" + "DO: more\n"),
    .machinePaths: ("Docs/Bad.md", "see " + "/" + "home/someone/file\n"),
    .links: ("Docs/Bad.md", "[gone](Gone.md)\n"),
    .fileNames: ("Docs/Bad.md", "see `Gone+*.swift`\n"),
    .examples: ("Docs/Bad.md", "```swift\nlet gone = 1\n```\n"),
    .topLevel: ("notes.txt", "notes\n"),
  ]

  @Test func aSoundRepositoryHasNoFinding() {
    #expect(Self.sound.findings() == [])
  }

  @Test(arguments: Rule.allCases) func aPlantedFaultIsFoundAndNothingElse(_ rule: Rule) throws {
    let plant = try #require(Self.plants[rule], "plant something for \(rule)")
    var house = Self.sound
    house.files[plant.path] = plant.text
    house.topLevel.insert(String(plant.path.prefix { $0 != "/" }))
    let findings = house.findings()
    #expect(findings.map(\.rule) == [rule])
    #expect(findings.map(\.path).allSatisfy { plant.path.hasPrefix($0) })
  }

  @Test func aRowWithoutADirectoryIsFound() {
    var house = Self.sound
    house.files["Sources/Raft/File.swift"] = nil
    #expect(house.findings().map(\.rule) == [.importTable])
  }
}
