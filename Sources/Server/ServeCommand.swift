import ArgumentParser

struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Run a node.",
    discussion: """
      Without options: a node that is a cluster of its own, for clients on this machine, with its data in ./coracle-data. \
      SIGTERM and SIGINT stop it in good order, with exit status 0; status 1 says that it could not start, had to stop, or did not \
      stop in time, and why.
      """)

  @OptionGroup var options: ServeOptions

  func run() async throws { try await NodeProcess(options: options).run() }
}
