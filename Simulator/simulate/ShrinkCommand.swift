import ArgumentParser
import Foundation
import Simulation

struct ShrinkCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "shrink", abstract: "Make a failing story as short as can be, as long as the same checker finds something wrong.",
    discussion: """
      Leaves out nodes, faults and operations, and makes what is left simpler, sooner and shorter. The short story is printed with \
      what came of each step, and then what happened; it is written to --story, or else to short-SEED.story.
      Exit status 1: the story still fails, as it should; 2: it does not fail at all; 64: the command line makes no sense, or a file \
      cannot be read or written.
      """)

  @Argument(help: "The file; or give --seed.") var file: String?
  @Option(help: "The seed of the story.") var seed: UInt64?
  @Option(help: "How many nodes the cluster of that seed has; drawn from the seed if not given.") var nodes: Int?
  @Option(help: "Most runs to try.") var runs = 5000
  @OptionGroup var options: StoryOptions

  func validate() throws {
    guard (file == nil) != (seed == nil) else { throw ValidationError("give a file or --seed, one of them") }
    guard file == nil || nodes == nil else { throw ValidationError("--nodes belongs to --seed: a file names its nodes") }
    guard runs > 0 else { throw ValidationError("--runs must be positive") }
    guard (1...Story.maximumNodes).contains(nodes ?? 1) else { throw ValidationError("--nodes is 1 to \(Story.maximumNodes)") }
  }

  func run() throws {
    let began = Date()
    let story = try file.map(StoryOptions.read) ?? Story(seed: seed ?? 0, nodes: nodes)
    guard var shrinker = Shrinker(story, maximumRuns: runs, checker: { $0.run().violations.first }) else {
      print("the story does not fail")
      throw ExitCode(2)
    }
    let before = Self.summary(story, story.run())
    print("violation: \(shrinker.violation)\n\(before)")
    Self.shrink(&shrinker)
    try tell(shrinker, before: before, seconds: Date().timeIntervalSince(began))
  }

  /// Prints a line each time that half of the steps are gone.
  private static func shrink(_ shrinker: inout Shrinker) {
    var shown = shrinker.story.steps.count
    shrinker.shrink { current in
      guard current.story.steps.count <= shown / 2, shown > 1 else { return }
      shown = current.story.steps.count
      print("  \(count(shown, "step")), \(count(current.story.names.count, "node")) after \(count(current.runs, "run"))")
    }
  }

  private func tell(_ shrinker: Shrinker, before: String, seconds: TimeInterval) throws {
    let story = shrinker.story
    let path = options.story ?? "short-\(story.seed).story"
    let report = story.run()
    let trace = try StoryOptions.trace(story, report)
    let text = story.text(toldBy: trace)
    let limit = shrinker.runs >= shrinker.maximumRuns ? ", and might be shorter with more --runs" : ""
    print("made short by \(Self.count(shrinker.runs, "run")) in \((seconds * 10).rounded() / 10) s\(limit)\n\n\(text)")
    try options.show(trace, story, report, replay: "simulate replay \(path)")
    try StoryOptions.write(text, to: path)
    print("\nbefore: \(before)\nnow:    \(Self.summary(story, report))")
    try options.conclude(report, next: "replay: simulate replay \(path)\(options.html == nil ? " --html short-\(story.seed).html" : "")")
  }

  /// `3343 steps (3287 operations, 56 faults), 3 nodes, 6.553 s, 2871 events`
  private static func summary(_ story: Story, _ report: RunReport) -> String {
    let operations = story.steps.count { if case .operation = $0.action { true } else { false } }
    let kinds = "(\(count(operations, "operation")), \(count(story.steps.count - operations, "fault")))"
    return "\(count(story.steps.count, "step")) \(kinds), \(count(story.names.count, "node")), \(TraceText.lasting(report.virtualTime)), "
      + count(report.events, "event")
  }

  private static func count(_ number: Int, _ thing: String) -> String { "\(number) \(thing)\(number == 1 ? "" : "s")" }
}
