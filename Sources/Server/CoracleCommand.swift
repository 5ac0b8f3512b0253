import ArgumentParser

/// The `coracle` command: what an operator runs. Every subcommand is a file of its own beside this one.
@main struct CoracleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "coracle",
    abstract: "A replicated key-value store that survives the loss of any minority of its servers.",
    version: Version.text)
}
