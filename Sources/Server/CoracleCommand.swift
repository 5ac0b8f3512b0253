import ArgumentParser

/// The `coracle` command: what an operator runs. Every subcommand is a file of its own beside this one.
@main struct CoracleCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "coracle",
    abstract: "A replicated key-value store that survives the loss of any minority of its servers.",
    discussion: ExitStatus.discussion,
    version: Version.text,
    subcommands: [
      ServeCommand.self, DemoCommand.self, PutCommand.self, GetCommand.self, DeleteCommand.self, RangeCommand.self, StatusCommand.self,
    ])
}
