import ArgumentParser
import Simulation

struct SeedCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run one seed, and say what happened; on a violation, the last events of each node too.")

  @Option(help: "The seed.") var seed: UInt64
  @Option(help: "How many nodes the cluster has; drawn from the seed if not given.") var nodes: Int?
  @OptionGroup var options: StoryOptions

  func validate() throws {
    guard (1...Story.maximumNodes).contains(nodes ?? 1) else { throw ValidationError("--nodes is 1 to \(Story.maximumNodes)") }
  }

  func run() throws {
    try options.run(Story(seed: seed, nodes: nodes), replay: "simulate --seed \(seed)\(nodes.map { " --nodes \($0)" } ?? "")")
  }
}

struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "replay", abstract: "Run a story that was written down.")

  @Argument(help: "The file.") var file: String
  @OptionGroup var options: StoryOptions

  func run() throws { try options.run(try StoryOptions.read(file), replay: "simulate replay \(file)") }
}

struct ShrinkCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "shrink", abstract: "Make a failing story as short as can be, as long as the same judge finds something wrong.",
    discussion: "The short story is printed, and written to --story. Exit status 1, as the story still fails; 2 if it does not fail at all."
  )

  @Argument(help: "The file; or give --seed.") var file: String?
  @Option(help: "The seed of the story.") var seed: UInt64?
  @Option(help: "How many nodes the cluster of that seed has.") var nodes: Int?
  @Option(help: "Most runs to try.") var runs = 5000
  @OptionGroup var options: StoryOptions

  func validate() throws {
    guard (file == nil) != (seed == nil) else { throw ValidationError("give a file or --seed, one of them") }
    guard runs > 0 else { throw ValidationError("--runs must be positive") }
    guard (1...Story.maximumNodes).contains(nodes ?? 1) else { throw ValidationError("--nodes is 1 to \(Story.maximumNodes)") }
  }

  func run() throws {
    let story = try file.map(StoryOptions.read) ?? Story(seed: seed ?? 0, nodes: nodes)
    guard var shrinker = Shrinker(story, maximumRuns: runs, judge: { $0.run().violations.first }) else {
      print("the story does not fail")
      throw ExitCode(2)
    }
    var shown = story.steps.count
    shrinker.shrink { current in
      guard current.story.steps.count <= shown / 2 else { return }
      shown = current.story.steps.count
      print("\(shown) steps, \(current.story.names.count) nodes after \(current.runs) runs")
    }
    print("\(story.steps.count) steps became \(shrinker.story.steps.count), in \(shrinker.runs) runs:\n\n\(shrinker.story.text)")
    let path = options.story ?? "FILE"
    try options.run(shrinker.story, replay: "simulate replay \(path)")
  }
}
