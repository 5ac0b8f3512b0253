import Foundation
import Testing

/// Conversations written down. `CORACLE_REWRITE_SCRIPTS=1 swift test --filter ScriptTests` writes down what is said now, for
/// `git diff` to show; a new script needs nothing but its commands.
@Suite struct ScriptTests {
  private static let directory = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Scripts")

  static let names: [String] =
    ((try? FileManager.default.contentsOfDirectory(atPath: directory.path())) ?? []).filter { $0.hasSuffix(".txt") }.sorted()

  @Test(arguments: names) func script(_ name: String) throws {
    let url = Self.directory.appending(path: name)
    let expected = try String(contentsOf: url, encoding: .utf8)
    let said = try Script.replay(expected)
    if ProcessInfo.processInfo.environment["CORACLE_REWRITE_SCRIPTS"] != nil {
      try said.write(to: url, atomically: true, encoding: .utf8)
    } else {
      #expect(said == expected, "\(name): run with CORACLE_REWRITE_SCRIPTS=1 and look at the difference")
    }
  }

  @Test func thereAreScripts() { #expect(Self.names.count >= 12) }
}
