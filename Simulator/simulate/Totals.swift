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
  var virtualSeconds: Double { Double(sum.virtualTime) / 1e9 }

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
    let rate = Int(Double(sum.events) / seconds)
    let kinds = sum.frames.filter { $0 > 0 }.count
    return [
      "\(runs) runs, \(Self.text(virtualSeconds / 3600)) simulated hours in \(Self.text(seconds)) s: "
        + "\(Int(virtualSeconds / seconds)) times real time, \(rate) events/s",
      "operations: \(sum.asked) asked, \(sum.completed) done, \(sum.unknown) of unknown outcome, \(sum.refused) not done",
      "\(sum.committed) entries committed, \(sum.starts) starts, \(sum.elections) elections, \(sum.snapshotsTaken) snapshots taken, "
        + "\(sum.snapshotsInstalled) installed, \(kinds) kinds of frames",
      "linearizability searches: \(sum.searches.decided) decided, \(sum.searches.undecided) given up",
      "counted by clients: " + sum.counted.map { "\($0.name) \($0.count)" }.joined(separator: ", "),
      "faults: " + zip(Fault.Kind.allCases, sum.faults).map { "\($0.rawValue) \($1)" }.joined(separator: ", "),
      failures.isEmpty ? "no violation" : "VIOLATIONS in seeds \(failures.map(String.init).joined(separator: " "))",
    ].joined(separator: "\n")
  }

  private static func text(_ number: Double) -> String { "\((number * 10).rounded() / 10)" }
}

extension RunReport {
  /// Sixteen hexadecimal digits.
  var fingerprintText: String {
    let digits = String(fingerprint, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
