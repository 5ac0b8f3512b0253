import ArgumentParser
import Foundation
import Raft
import Simulation

@main struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate", abstract: "Break whole clusters, in virtual time, and judge what they do.",
    discussion: """
      Each seed is one run: nodes, network, faults and load are drawn from it, and the same seed gives the same run. \
      Exit status 0: no violation; 1: at least one.
      """,
    subcommands: [Swarm.self, Seed.self, ScenarioCommand.self], defaultSubcommand: Swarm.self)
}

extension SimulateCommand {
  struct Swarm: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Run seed after seed until the time is over.")

    @Option(help: "For how many seconds.") var seconds = 60.0
    @Option(help: "The first seed; a random one if none is given.") var seed: UInt64?

    func validate() throws {
      guard seconds > 0 else { throw ValidationError("--seconds must be positive") }
    }

    func run() throws {
      var seed = seed ?? UInt64.random(in: 0...999_999_999)
      print("first seed \(seed)")
      var total = Totals()
      let began = Date()
      repeat {
        let report = SwarmRun(SwarmPlan(seed: seed)).run()
        total.add(report)
        if !report.violations.isEmpty { total.describe(report) }
        seed &+= 1
      } while Date().timeIntervalSince(began) < seconds
      total.describe(after: Date().timeIntervalSince(began))
      guard total.isPass else { throw ExitCode.failure }
    }
  }

  struct Seed: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Run one seed, and say what happened.")

    @Argument(help: "The seed.") var seed: UInt64

    func run() throws {
      let report = SwarmRun(SwarmPlan(seed: seed)).run()
      var total = Totals()
      total.add(report)
      total.describe(report)
      guard report.violations.isEmpty else { throw ExitCode.failure }
    }
  }
}

/// What many runs come to.
struct Totals {
  private var runs = 0
  private var failures: [UInt64] = []
  private var virtualSeconds = 0.0
  private var events = 0
  private var completed = 0
  private var unknown = 0
  private var refused = 0
  private var snapshots = 0
  private var elections = 0
  private var faults = [Int](repeating: 0, count: Fault.allCases.count)

  /// A run in which nothing succeeds shows nothing.
  var isPass: Bool { failures.isEmpty && completed > 0 }

  mutating func add(_ report: SwarmRun.Report) {
    runs += 1
    if !report.violations.isEmpty { failures.append(report.seed) }
    virtualSeconds += Double(report.virtualTime) / 1e9
    events += report.events
    completed += report.completed
    unknown += report.unknown
    refused += report.refused
    snapshots += report.snapshotsInstalled
    elections += report.elections
    for (index, count) in report.faults.enumerated() { faults[index] += count }
  }

  func describe(_ report: SwarmRun.Report) {
    print("seed \(report.seed): \(report.violations.isEmpty ? "no violation" : "VIOLATION"), fingerprint \(NodeID(report.fingerprint))")
    print("  \(report.completed) operations done, \(report.unknown) of unknown outcome, \(report.refused) not done")
    print("  \(report.elections) elections")
    for violation in report.violations.prefix(10) { print("  \(violation)") }
  }

  func describe(after seconds: Double) {
    let rate = virtualSeconds / seconds
    let pace = "\(Int(rate)) times real time, \(Int(Double(events) / seconds)) events/s"
    print("\(runs) runs, \(Int(virtualSeconds)) virtual seconds in \(Int(seconds)) s: \(pace)")
    print("\(completed) operations done, \(unknown) of unknown outcome, \(refused) not done")
    print("\(elections) elections, \(snapshots) snapshots installed")
    print("faults: " + zip(Fault.allCases, faults).map { "\($0.rawValue) \($1)" }.joined(separator: ", "))
    print(failures.isEmpty ? "no violation" : "VIOLATIONS in seeds \(failures.map(String.init).joined(separator: " "))")
  }
}
