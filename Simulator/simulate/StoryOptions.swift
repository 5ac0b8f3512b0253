import ArgumentParser
import Foundation
import Simulation

/// What the commands that run one story have in common: how it is told, and where what is learnt goes.
struct StoryOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Write the run as an HTML page: a space-time diagram that needs nothing else.", valueName: "file"))
  var html: String?
  @Option(help: ArgumentHelp("Write the story, to be edited and replayed.", valueName: "file")) var story: String?
  @Option(
    help: ArgumentHelp(
      "Print the last events of each node, so many. A run that fails prints its events even without: all, if they are few, else 12.",
      valueName: "count"))
  var events: Int?

  func validate() throws {
    guard events ?? 1 >= 0 else { throw ValidationError("--events must not be negative") }
  }

  /// A run with more lines than this shows only its end: what fits on a screen.
  private static let mostLines = 60
  private static let usualEvents = 12

  /// Lives a story through, says what came of it, and writes what was asked for.
  /// - Parameters:
  ///   - replay: the command that does it again.
  ///   - shrink: the command that makes it short.
  /// - Throws: `ExitCode.failure` if a checker found something wrong.
  func run(_ story: Story, replay: String, shrink: String) throws {
    if let path = self.story { try Self.write(story.text, to: path) }
    let began = Date()
    let report = story.run()
    let seconds = Date().timeIntervalSince(began)
    if html != nil || events ?? 0 > 0 || !report.violations.isEmpty {
      try show(try Self.trace(story, report), story, report, replay: replay)
    }
    print(Totals([report]).describe(after: seconds))
    try conclude(report, next: "replay: \(replay)\nshrink: \(shrink)")
  }

  /// Prints the events, and writes the page.
  func show(_ trace: Trace, _ story: Story, _ report: RunReport, replay: String) throws {
    if events ?? 0 > 0 || events == nil && !report.violations.isEmpty { print(lines(of: trace)) }
    if let html { try Self.write(Self.page(trace, story, report, replay: replay).html, to: html) }
  }

  private func lines(of trace: Trace) -> String {
    let text = TraceText(trace)
    return events == nil && text.lineCount <= Self.mostLines ? text.story : text.ends(events ?? Self.usualEvents)
  }

  /// What a reader looks for stands last.
  func conclude(_ report: RunReport, next: String) throws {
    print("fingerprint \(report.fingerprintText)")
    guard !report.violations.isEmpty else { return }
    print("")
    for violation in report.violations { print("violation: \(violation)") }
    print(next)
    throw ExitCode.failure
  }

  /// Runs the story again, to see what happens in it.
  static func trace(_ story: Story, _ report: RunReport) throws -> Trace {
    let traced = story.run(tracing: true)
    guard traced.fingerprint == report.fingerprint, let trace = traced.trace else {
      print("violation: determinism: the same story gave \(report.fingerprintText), and then \(traced.fingerprintText)")
      throw ExitCode.failure
    }
    return trace
  }

  private static func page(_ trace: Trace, _ story: Story, _ report: RunReport, replay: String) -> TracePage {
    var facts = [
      (name: "seed", value: "\(story.seed)"), (name: "nodes", value: "\(story.names.count), \(story.place.rawValue)"),
      (name: "simulated", value: TraceText.lasting(report.virtualTime)), (name: "fingerprint", value: report.fingerprintText),
    ]
    if let violation = report.violations.first {
      facts.append((name: "checker", value: violation.checker.rawValue))
      facts.append((name: "found", value: violation.text))
    }
    facts.append((name: "replay", value: replay))
    let title = report.violations.first.map { "\($0.checker.rawValue) violated" } ?? "A run without violation"
    return TracePage(title: title, facts: facts, trace: trace)
  }

  // MARK: Files

  static func read(_ path: String) throws -> Story {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { throw ValidationError("\(path) cannot be read") }
    do {
      return try Story(parsing: text)
    } catch {
      throw ValidationError("\(path): \(error)")
    }
  }

  static func write(_ text: String, to path: String) throws {
    do {
      try text.write(toFile: path, atomically: true, encoding: .utf8)
      print("wrote \(path)")
    } catch {
      throw ValidationError("\(path) cannot be written: \(error.localizedDescription)")
    }
  }
}
