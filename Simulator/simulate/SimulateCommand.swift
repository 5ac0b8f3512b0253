import ArgumentParser
@preconcurrency import Foundation

@main struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate", abstract: "Break whole clusters, in virtual time, and checker what they do.",
    discussion: """
      Each seed is one run: nodes, network, faults and load are drawn from it, and the same seed gives the same run: \
      `simulate --seed N` is short for `simulate run --seed N`.
      A usual day: `simulate swarm --minutes 10` finds a seed that fails, `simulate shrink --seed N --html short.html` makes its story \
      short and draws it, `simulate replay short-N.story` runs that again, after the fix too.
      Exit status 0: no violation; 1: at least one; 2: a story to shrink does not fail; 64: the command line makes no sense, or a file \
      cannot be read or written.
      """,
    subcommands: [
      SeedCommand.self, SwarmCommand.self, ScenarioCommand.self, ReplayCommand.self, ShrinkCommand.self, ExhaustiveCommand.self,
    ],
    defaultSubcommand: SeedCommand.self)

  static func main() {
    // Into a file or a pipe too, each line is there when it is printed: these commands run for long.
    setvbuf(stdout, nil, _IOLBF, 0)
    main(nil)
  }
}
