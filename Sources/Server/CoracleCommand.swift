import ArgumentParser
import Foundation

/// The `coracle` command: what an operator runs. Every subcommand is a file of its own beside this one.
@main struct CoracleCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "coracle",
    abstract: "A replicated key-value store that survives the loss of any minority of its servers.",
    discussion: ExitStatus.discussion,
    version: Version.text,
    subcommands: [
      ServeCommand.self, JoinCommand.self, DemoCommand.self, PutCommand.self, GetCommand.self, DeleteCommand.self, RangeCommand.self,
      WatchCommand.self, LeaseCommand.self, LockCommand.self, ElectCommand.self, CompactCommand.self, SettingsCommand.self,
      StatusCommand.self,
      MemberCommand.self, TransferCommand.self, TokenCommand.self, ClientCertificateCommand.self, AuthorityCommand.self,
      RecoverCommand.self,
    ])

  /// Runs what the arguments say. Everything that ends a command is written here, with its exit status.
  static func main() async {
    Output.prepare()
    do {
      var command = try parseAsRoot()
      if var command = command as? any AsyncParsableCommand { try await command.run() } else { try command.run() }
    } catch {
      end(with: error)
    }
  }

  private static func end(with error: any Error) -> Never {
    let (text, status) = (fullMessage(for: error), exitCode(for: error))
    if status.isSuccess {
      do throws(ClientError) {
        try Output.line(text)
      } catch {
        if !error.isQuiet { Output.complain(error.description) }
        Foundation.exit(error.exitCode.rawValue)
      }
    } else if status == .validationFailure, CommandLine.arguments.contains("--json") {
      Output.complain(asItIs: ClientError.json(message(for: error), status))
    } else if !text.isEmpty {
      Output.complain(asItIs: text)
    }
    Foundation.exit(status.rawValue)
  }
}

/// The version of this program, by semantic versioning (semver.org). Formats on disk and wire carry versions of their own.
enum Version {
  static let text = "0.1.0"
}
