import ArgumentParser
import Raft
import Simulation

extension SimulateCommand {
  struct ScenarioCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "scenario", abstract: "Play a story with a name, or list them.",
      discussion: "Exit status 0: everything went as the story says, with every seed; 1: something did not.")

    @Argument(help: "Which one; without a name all are listed.") var name: String?
    @Option(help: "The first seed.") var seed: UInt64 = 1
    @Option(help: "How many seeds, one after the other.") var runs = 1

    func validate() throws {
      guard runs > 0 else { throw ValidationError("--runs must be positive") }
      guard let name, Scenario.named(name) == nil else { return }
      let near = Scenario.suggestions(for: name)
      let hint = near.isEmpty ? "`simulate scenario` lists all" : "did you mean \(near.joined(separator: ", "))?"
      throw ValidationError("no scenario is called \(name): \(hint)")
    }

    func run() throws {
      guard let name, let scenario = Scenario.named(name) else { return list() }
      print("\(scenario.name): \(scenario.summary)\n\n\(scenario.story)\n")
      let failures = (0..<UInt64(runs)).filter { !play(scenario, seed: seed &+ $0) }
      if runs > 1 { print(failures.isEmpty ? "all \(runs) runs as told" : "\(failures.count) of \(runs) runs FAILED") }
      guard failures.isEmpty else { throw ExitCode.failure }
    }

    private func list() {
      let width = Scenario.all.map(\.name.count).max() ?? 0
      for scenario in Scenario.all {
        print(scenario.name + String(repeating: " ", count: width - scenario.name.count + 2) + scenario.summary)
      }
    }

    /// Of many runs only those that fail are told in full.
    private func play(_ scenario: Scenario, seed: UInt64) -> Bool {
      let report = scenario.run(seed: seed)
      if runs == 1 || report.failure != nil {
        for line in report.transcript { print("  \(line)") }
      }
      let verdict = report.failure.map { "FAILED \($0)" } ?? "as told"
      print("seed \(seed): \(verdict), fingerprint \(NodeID(report.fingerprint))")
      return report.failure == nil
    }
  }
}
