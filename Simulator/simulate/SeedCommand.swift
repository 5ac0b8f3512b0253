import ArgumentParser
import Simulation

struct SeedCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run one seed, and say what happened; on a violation, the events too.",
    discussion: """
      Exit status 0: no violation; 1: a checker found something; 64: the command line makes no sense, or a file cannot be written.
      """
  )

  @Option(help: "The seed.") var seed: UInt64
  @Option(help: "How many nodes the cluster has; drawn from the seed if not given.") var nodes: Int?
  @OptionGroup var options: StoryOptions

  func validate() throws {
    guard (1...Story.maximumNodes).contains(nodes ?? 1) else { throw ValidationError("--nodes is 1 to \(Story.maximumNodes)") }
  }

  func run() throws {
    let which = "--seed \(seed)\(nodes.map { " --nodes \($0)" } ?? "")"
    try options.run(Story(seed: seed, nodes: nodes), replay: "simulate \(which)", shrink: "simulate shrink \(which)")
  }
}

struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Run a story that was written down, by --story, by shrink or by hand.",
    discussion: """
      Exit status 0: no violation; 1: a checker found something; 64: the command line makes no sense, the file is no story, or a file \
      cannot be read or written.
      """)

  @Argument(help: "The file.") var file: String
  @OptionGroup var options: StoryOptions

  func run() throws {
    try options.run(try StoryOptions.read(file), replay: "simulate replay \(file)", shrink: "simulate shrink \(file)")
  }
}
