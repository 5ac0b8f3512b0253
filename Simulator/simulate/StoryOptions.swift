import ArgumentParser
import Foundation
import Simulation

/// What the commands that run one story have in common: where it comes from, and where what is learnt goes.
struct StoryOptions: ParsableArguments {
  @Option(help: "Write the run as an HTML page: a space-time diagram that needs nothing else.") var html: String?
  @Option(help: "Write the story, to be edited and replayed.") var story: String?
  @Option(help: "Print the last events of each node, so many.") var events = 0

  func validate() throws {
    guard events >= 0 else { throw ValidationError("--events must not be negative") }
  }

  var wantsTrace: Bool { html != nil || events > 0 }

  /// Lives a story through, says what came of it, and writes what was asked for.
  /// - Throws: `ExitCode.failure` if a judge found something wrong.
  func run(_ story: Story, replay: String) throws {
    if let path = self.story { try Self.write(story.text, to: path) }
    let began = Date()
    let report = story.run()
    let seconds = Date().timeIntervalSince(began)
    for violation in report.violations { print("violation: \(violation)") }
    if wantsTrace || !report.violations.isEmpty { try show(story, report, replay: replay) }
    print(Totals([report]).describe(after: seconds))
    print("fingerprint \(report.fingerprintText)")
    guard report.violations.isEmpty else { throw ExitCode.failure }
  }

  /// Replays the story to see what happened in it.
  private func show(_ story: Story, _ report: RunReport, replay: String) throws {
    let traced = story.run(tracing: true)
    guard traced.fingerprint == report.fingerprint, let trace = traced.trace else {
      print("violation: determinism: the same story gave \(report.fingerprintText), and then \(traced.fingerprintText)")
      throw ExitCode.failure
    }
    let count = events > 0 ? events : report.violations.isEmpty ? 0 : 12
    if count > 0 { print(TraceText(trace).ends(count)) }
    if let html { try Self.write(Self.page(trace, story, report, replay: replay).html, to: html) }
  }

  static func page(_ trace: Trace, _ story: Story, _ report: RunReport, replay: String) -> TracePage {
    var facts = [
      (name: "seed", value: "\(story.seed)"), (name: "nodes", value: "\(story.names.count), \(story.place.rawValue)"),
      (name: "simulated", value: "\(report.virtualTime / 1_000_000_000) s"), (name: "fingerprint", value: report.fingerprintText),
    ]
    if let violation = report.violations.first {
      facts.append((name: "judge", value: violation.judge.rawValue))
      facts.append((name: "found", value: violation.text))
    }
    facts.append((name: "replay", value: replay))
    let title = report.violations.first.map { "\($0.judge.rawValue) violated" } ?? "A run without violation"
    return TracePage(title: title, facts: facts, trace: trace)
  }

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
