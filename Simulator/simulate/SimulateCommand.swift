import ArgumentParser

@main struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate", abstract: "Break whole clusters, in virtual time, and judge what they do.",
    discussion: """
      Each seed is one run: nodes, network, faults and load are drawn from it, and the same seed gives the same run. \
      Exit status 0: no violation; 1: at least one; 64: the command line makes no sense.
      """,
    subcommands: [
      SeedCommand.self, SwarmCommand.self, ScenarioCommand.self, ReplayCommand.self, ShrinkCommand.self, ExhaustiveCommand.self,
    ],
    defaultSubcommand: SeedCommand.self)
}
