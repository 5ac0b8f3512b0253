import Foundation
import Raft
import Simulation

/// What many runs come to.
struct Totals {
  private(set) var runs = 0
  private(set) var failures: [UInt64] = []
  private var sum = RunReport()

  /// A run in which nothing succeeds shows nothing.
  var isPass: Bool { failures.isEmpty && sum.completed > 0 }
  var virtualSeconds: Double { Double(sum.virtualTime) / 1e9 }

  mutating func add(_ report: RunReport) {
    runs += 1
    if !report.violations.isEmpty { failures.append(report.seed) }
    sum.add(report)
  }

  func describe(after seconds: Double) -> String {
    let hours = virtualSeconds / 3600
    let rate = Int(Double(sum.events) / seconds)
    var lines = [
      "\(runs) runs, \(Self.text(hours)) simulated hours in \(Int(seconds)) s: "
        + "\(Int(virtualSeconds / seconds)) times real time, \(rate) events/s",
      "operations: \(sum.asked) asked, \(sum.completed) done, \(sum.unknown) of unknown outcome, \(sum.refused) not done",
      "\(sum.committed) entries committed, \(sum.starts) starts, \(sum.elections) elections, \(sum.snapshotsTaken) snapshots taken, "
        + "\(sum.snapshotsInstalled) installed",
      "linearizability searches: \(sum.searches.decided) decided, \(sum.searches.undecided) given up",
    ]
    let counted = zip(Fault.Kind.allCases, sum.faults).map { "\($0.rawValue) \($1)" }
    lines.append("faults: " + counted.joined(separator: ", "))
    lines.append(failures.isEmpty ? "no violation" : "VIOLATIONS in seeds \(failures.map(String.init).joined(separator: " "))")
    return lines.joined(separator: "\n")
  }

  private static func text(_ number: Double) -> String { "\((number * 10).rounded() / 10)" }
}
