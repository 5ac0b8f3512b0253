import ArgumentParser
import Foundation
import Raft
import Simulation

extension SimulateCommand {
  struct ScenarioCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "scenario", abstract: "Play a story with a name, or list them.",
      discussion: """
        Exit status 0: everything went as the story says, with every seed; 1: something did not; 64: the command line makes no sense, or a \
        file cannot be written.
        """)

    @Argument(help: "Which one; without a name all are listed.") var name: String?
    @Option(help: "The first seed.") var seed: UInt64 = 1
    @Option(help: "How many seeds, one after the other.") var runs = 1
    @Option(
      help: ArgumentHelp(
        "Write what happened with the first seed as an HTML page; a second world goes to the same name with -2, and so on.",
        valueName: "file"))
    var html: String?

    func validate() throws {
      guard runs > 0 else { throw ValidationError("--runs must be positive") }
      guard name != nil || html == nil else { throw ValidationError("--html needs the name of a scenario") }
      guard let name, Scenario.named(name) == nil else { return }
      let near = Scenario.suggestions(for: name)
      let hint = near.isEmpty ? "`simulate scenario` lists all" : "did you mean \(near.joined(separator: ", "))?"
      throw ValidationError("no scenario is called \(name): \(hint)")
    }

    func run() throws {
      guard let name, let scenario = Scenario.named(name) else { return list() }
      print("\(scenario.name): \(scenario.summary)\n\n\(scenario.story)\n")
      let failures = (0..<UInt64(runs)).filter { !play(scenario, seed: seed &+ $0) }
      if let html { try draw(scenario, to: html) }
      if runs > 1 { print(failures.isEmpty ? "all \(runs) runs as told" : "\(failures.count) of \(runs) runs FAILED") }
      guard failures.isEmpty else { throw ExitCode.failure }
    }

    private func draw(_ scenario: Scenario, to path: String) throws {
      let report = scenario.run(seed: seed, tracing: true)
      for (number, trace) in report.traces.enumerated() {
        let file = URL(fileURLWithPath: path)
        let other = "\(file.deletingPathExtension().relativePath)-\(number + 1).\(file.pathExtension)"
        try StoryOptions.write(page(scenario, report, trace, world: number + 1).html, to: number == 0 ? path : other)
      }
    }

    private func page(_ scenario: Scenario, _ report: Scenario.Report, _ trace: Trace, world: Int) -> TracePage {
      var facts = [(name: "scenario", value: scenario.name), (name: "seed", value: "\(seed)")]
      if report.traces.count > 1 { facts.append((name: "world", value: "\(world) of \(report.traces.count)")) }
      facts.append((name: "verdict", value: report.failure == nil ? "as told" : "FAILED"))
      facts.append((name: "story", value: scenario.story))
      if let failure = report.failure { facts.append((name: "failure", value: "\(failure)")) }
      facts.append((name: "replay", value: "simulate scenario \(scenario.name) --seed \(seed)"))
      return TracePage(title: scenario.summary.prefix(1).uppercased() + scenario.summary.dropFirst(), facts: facts, trace: trace)
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
