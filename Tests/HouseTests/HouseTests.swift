import Testing

@Suite struct HouseTests {
  private static let house = Result { try House.here() }

  @Test(arguments: Rule.allCases) func theRepositoryKeeps(_ rule: Rule) throws {
    let broken = try Self.findings.get().filter { $0.rule == rule }
    #expect(broken.isEmpty, "\(broken.map(\.description).joined(separator: "\n"))")
  }

  @Test func allOfTheRepositoryIsSeen() throws {
    let house = try Self.house.get()
    for path in ["Package.swift", "LICENSE", ".ci/run", "Docs/Contributing.md", "Sources/Raft/Entry.swift", "Tests/HouseTests/House.swift"]
    {
      #expect(house.files[path]?.isEmpty == false, "\(path)")
    }
    #expect(house.sources.contains { $0.directory == "Simulator/Simulation" })
  }

  private static let findings = house.map { $0.findings() }
}
