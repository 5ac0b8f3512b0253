import ArgumentParser
import Foundation
import Raft
import Simulation

struct SwarmCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "swarm", abstract: "Run seed after seed, until the time is over or as many as you say.")

  @Option(help: "For how many minutes.") var minutes: Double?
  @Option(help: "For how many seconds.") var seconds: Double?
  @Option(help: "How many runs.") var runs: Int?
  @Option(help: "The first seed; a random one if none is given.") var seed: UInt64?
  @Option(help: "How many nodes each cluster has; drawn from the seed if not given.") var nodes: Int?
  @Flag(help: "Stop at the first violation.") var stop = false

  func validate() throws {
    guard (minutes ?? 1) > 0, (seconds ?? 1) > 0, (runs ?? 1) > 0 else { throw ValidationError("time and runs must be positive") }
    guard (1...Story.maximumNodes).contains(nodes ?? 1) else { throw ValidationError("--nodes is 1 to \(Story.maximumNodes)") }
  }

  func run() throws {
    let first = seed ?? UInt64.random(in: 0...999_999_999)
    print("first seed \(first)")
    var totals = Totals()
    let began = Date()
    while !isOver(totals, after: Date().timeIntervalSince(began)) {
      let story = Story(seed: first &+ UInt64(totals.runs), nodes: nodes)
      let report = story.runKeyValue()
      totals.add(report)
      if let violation = report.violations.first {
        print(Self.line(violation, report, totals))
        if stop { break }
      }
    }
    print(totals.describe(after: Date().timeIntervalSince(began)))
    guard totals.isPass else { throw ExitCode.failure }
  }

  private func isOver(_ totals: Totals, after elapsed: TimeInterval) -> Bool {
    if let runs, totals.runs >= runs { return true }
    guard minutes != nil || seconds != nil || runs == nil else { return false }
    return elapsed >= seconds ?? minutes.map { $0 * 60 } ?? 60
  }

  /// One line, for people and scripts.
  static func line(_ violation: Violation, _ report: RunReport, _ totals: Totals) -> String {
    let at = Double(violation.at.nanoseconds / 1_000_000) / 1000
    let simulated = (totals.virtualSeconds * 10).rounded() / 10
    return "violation: seed=\(report.seed) judge=\(violation.judge.rawValue) at=\(at)s "
      + "run=\(totals.runs) simulated=\(simulated)s: \(violation.text)"
  }
}

struct SeedCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "seed", abstract: "Run one seed, and say what happened.")

  @Argument(help: "The seed.") var seed: UInt64

  func run() throws {
    let began = Date()
    let report = Story(seed: seed).runKeyValue()
    var totals = Totals()
    totals.add(report)
    for violation in report.violations { print(violation) }
    print(totals.describe(after: Date().timeIntervalSince(began)))
    print("fingerprint \(NodeID(report.fingerprint))")
    guard report.violations.isEmpty else { throw ExitCode.failure }
  }
}
