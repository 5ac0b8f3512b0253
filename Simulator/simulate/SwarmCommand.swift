import ArgumentParser
import Foundation
import Simulation
import Synchronization

struct SwarmCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "swarm", abstract: "Run seed after seed, until the time is over or as many as you say.",
    discussion: """
      Without --minutes, --seconds and --runs it takes a minute. The totals name the faults that never happened, the frames that were \
      never sent and the branches of the code that were never reached, so that one sees what the runs did not reach.
      Exit status 0: no violation, and operations succeeded; 1: a checker found something, or no operation succeeded; 64: the command line \
      makes no sense.
      """)

  @Option(help: "For how many minutes.") var minutes: Double?
  @Option(help: "For how many seconds.") var seconds: Double?
  @Option(help: "How many runs.") var runs: Int?
  @Option(help: "The first seed; a random one if none is given.") var seed: UInt64?
  @Option(help: "How many nodes each cluster has; drawn from the seed if not given.") var nodes: Int?
  @Option(help: "How many runs at once.") var jobs = 1
  @Flag(help: "Stop at the first violation.") var stop = false
  @Flag(help: "Print the fingerprint of each run, to be compared with that of another build or machine.") var fingerprints = false

  func validate() throws {
    guard (minutes ?? 1) > 0, (seconds ?? 1) > 0, (runs ?? 1) > 0 else { throw ValidationError("time and runs must be positive") }
    guard (1...Story.maximumNodes).contains(nodes ?? 1) else { throw ValidationError("--nodes is 1 to \(Story.maximumNodes)") }
    guard (1...64).contains(jobs) else { throw ValidationError("--jobs is 1 to 64") }
  }

  func run() throws {
    let first = seed ?? UInt64.random(in: 0...999_999_999)
    print("first seed \(first)")
    let board = Board(began: Date(), limit: limit, runs: runs, stopsAtViolation: stop)
    DispatchQueue.concurrentPerform(iterations: jobs) { _ in
      while let number = board.next() {
        let report = Story(seed: first &+ UInt64(number), nodes: nodes).run()
        for line in board.add(report, showFingerprint: fingerprints) { print(line) }
      }
    }
    let (totals, elapsed) = board.end()
    print(totals.describe(after: elapsed))
    guard !totals.isPass else { return }
    if let seed = totals.failures.first { print("shrink: simulate shrink --seed \(seed)\(nodes.map { " --nodes \($0)" } ?? "")") }
    throw ExitCode.failure
  }

  /// In seconds; without any limit, a minute.
  private var limit: TimeInterval? { seconds ?? minutes.map { $0 * 60 } ?? (runs == nil ? 60 : nil) }
}

/// What the runs of a swarm share: which is next, and what came of those before.
private final class Board: Sendable {
  private struct State {
    var started = 0
    var isOver = false
    var totals = Totals()
    var reported: TimeInterval = 0
  }

  /// Seconds between two lines of progress.
  private static let pause: TimeInterval = 30

  private let began: Date
  private let limit: TimeInterval?
  private let runs: Int?
  private let stopsAtViolation: Bool
  private let state = Mutex(State())

  init(began: Date, limit: TimeInterval?, runs: Int?, stopsAtViolation: Bool) {
    self.began = began
    self.limit = limit
    self.runs = runs
    self.stopsAtViolation = stopsAtViolation
  }

  private var elapsed: TimeInterval { Date().timeIntervalSince(began) }

  /// The number of the next run, if there is to be one.
  func next() -> Int? {
    state.withLock { state in
      guard !state.isOver, state.started < runs ?? .max, elapsed < limit ?? .infinity else { return nil }
      state.started += 1
      return state.started - 1
    }
  }

  /// Lines to print.
  func add(_ report: RunReport, showFingerprint: Bool) -> [String] {
    state.withLock { state in
      var lines: [String] = []
      state.totals.add(report)
      if showFingerprint { lines.append("seed \(report.seed) fingerprint \(report.fingerprintText)") }
      if let violation = report.violations.first {
        lines.append(Self.line(violation, report, state.totals))
        state.isOver = state.isOver || stopsAtViolation
      }
      if elapsed - state.reported >= Self.pause {
        state.reported = elapsed
        lines.append(state.totals.progress(after: elapsed))
      }
      return lines
    }
  }

  func end() -> (Totals, TimeInterval) { state.withLock { ($0.totals, elapsed) } }

  /// One line, for people and scripts.
  private static func line(_ violation: Violation, _ report: RunReport, _ totals: Totals) -> String {
    let at = Double(violation.at.nanoseconds / 1_000_000) / 1000
    let simulated = (totals.virtualSeconds * 10).rounded() / 10
    return "violation: seed=\(report.seed) checker=\(violation.checker.rawValue) at=\(at)s "
      + "run=\(totals.runs) simulated=\(simulated)s: \(violation.text)"
  }
}
