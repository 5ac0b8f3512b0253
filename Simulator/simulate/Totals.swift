import Simulation

/// What many runs come to.
struct Totals: Sendable {
  private(set) var runs = 0
  private(set) var failures: [UInt64] = []
  private var sum = RunReport()

  init(_ reports: [RunReport] = []) {
    for report in reports { add(report) }
  }

  /// A run in which nothing succeeds shows nothing.
  var isPass: Bool { failures.isEmpty && sum.completed > 0 }
  var virtualSeconds: Double { Double(sum.virtualTime.count) / 1e9 }

  mutating func add(_ report: RunReport) {
    runs += 1
    if !report.violations.isEmpty { failures.append(report.seed) }
    sum.add(report)
  }

  func progress(after seconds: Double) -> String {
    let faults = sum.faults.reduce(0, +)
    return "\(Int(seconds)) s: \(runs) runs, \(Self.text(virtualSeconds / 3600)) simulated hours, \(faults) faults, "
      + "\(sum.completed) operations done, \(failures.count) violated"
  }

  func describe(after seconds: Double) -> String {
    var lines = [
      "\(runs) run\(runs == 1 ? "" : "s"), \(simulated) in \(Self.text(seconds)) s: "
        + "\(Int(virtualSeconds / seconds)) times real time, \(sum.events) events, \(Int(Double(sum.events) / seconds)) a second",
      "operations: \(sum.asked) asked, \(sum.completed) done, \(sum.unknown) of unknown outcome, \(sum.refused) not done",
      "\(sum.committed) entries committed, \(sum.starts) starts, \(sum.elections) elections, \(sum.snapshotsTaken) snapshots taken, "
        + "\(sum.snapshotsInstalled) installed",
    ]
    if sum.searches.decided + sum.searches.undecided > 0 {
      lines.append("linearizability searches: \(sum.searches.decided) decided, \(sum.searches.undecided) given up")
    }
    if !sum.counted.isEmpty { lines.append("counted by clients: " + Self.list(sum.counted)) }
    lines.append("faults: " + Self.list(zip(Fault.Kind.allCases.map(\.rawValue), sum.faults).filter { $1 > 0 }))
    lines.append("code reached: " + Self.list(sum.coverage.reached))
    if runs > 1 {
      lines.append("faults that never happened: " + Self.list(sum.faultsNeverMet))
      lines.append("frames never sent: " + Self.list(sum.framesNeverSent))
      lines.append("code never reached: " + Self.list(sum.coverage.neverReached))
    }
    lines.append(verdict)
    return lines.joined(separator: "\n")
  }

  private var verdict: String {
    if !failures.isEmpty {
      return "VIOLATIONS in seed\(failures.count == 1 ? "" : "s") \(failures.map(String.init).joined(separator: " "))"
    }
    return isPass ? "no violation" : "no violation, but no operation succeeded: this shows nothing"
  }

  private var simulated: String {
    virtualSeconds < 3600 ? "\(Self.text(virtualSeconds)) simulated seconds" : "\(Self.text(virtualSeconds / 3600)) simulated hours"
  }

  private static func list(_ counts: [(name: String, count: Int)]) -> String { list(counts.map { "\($0.name) \($0.count)" }) }
  private static func list(_ names: [String]) -> String { names.isEmpty ? "none" : names.joined(separator: ", ") }
  private static func text(_ number: Double) -> String { "\((number * 10).rounded() / 10)" }
}

extension RunReport {
  /// Sixteen hexadecimal digits.
  var fingerprintText: String {
    let digits = String(fingerprint, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
