import ArgumentParser
import EtcdAPI
import Foundation

struct LockCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lock", abstract: "Wait for a lock, and run a program while it is held.",
    discussion: """
      coracle lock backup -- ./backup.sh

      Of all who ask for a lock of one name, on any node, one holds it at a time. The program finds CORACLE_LOCK_KEY and \
      CORACLE_LOCK_TOKEN in its environment: the token grows with every holder, so what the program writes to can refuse an older one. \
      The status is the program's. If the lock is lost, because no node could be reached for --seconds, the program is told to stop, \
      killed a second later, and the status is 5. Without a program: prints the key and the token, and holds the lock until it is \
      interrupted.
      """)

  @OptionGroup var client: ClientOptions
  @OptionGroup var hold: HoldOptions
  @Argument(help: "The name of the lock.") var name: String
  @Argument(parsing: .postTerminator, help: "The program and its arguments, after --.") var program: [String] = []

  func run() async throws {
    try await hold.run(client, name, .lock, program)
  }
}

/// How a lock or an election is held.
struct HoldOptions: ParsableArguments {
  @Option(help: "For how many seconds it is kept if this process is not heard of any more; at least 4.") var seconds: Int64 = 10

  func validate() throws {
    guard (4...3600).contains(seconds) else { throw ValidationError("--seconds must be between 4 and 3600") }
  }

  /// Holds the claim while the program runs, and ends with its status. Without a program: until it is interrupted.
  func run(_ client: ClientOptions, _ name: String, _ purpose: ClaimHolder.Purpose, _ program: [String]) async throws {
    let work = { @Sendable (claim: Claim) async -> Int32 in
      guard !program.isEmpty else {
        show(claim, client)
        await Interruption.wait()
        return 0
      }
      let environment = [
        "CORACLE_LOCK_KEY": String(decoding: claim.key, as: UTF8.self), "CORACLE_LOCK_TOKEN": "\(claim.token)",
      ]
      return await ChildProcess(arguments: program, environment: environment).runUntilInterrupted()
    }
    var status: Int32?
    try await client.withClient { cluster throws(ClientError) in
      status = try await ClaimHolder(cluster: cluster, name: name, purpose: purpose, seconds: seconds).hold(work)
    }
    guard let status else {
      Output.complain("lost: no node could be reached for \(seconds) seconds, or somebody ended the lease")
      throw ExitStatus.lost
    }
    if status != 0 { throw ExitCode(status) }
  }

  private func show(_ claim: Claim, _ client: ClientOptions) {
    guard client.json else { return Output.tell("\(String(decoding: claim.key, as: UTF8.self))\t\(claim.token)") }
    var line = JSONWriter()
    line.object {
      $0.field("key", base64: claim.key)
      $0.field("token", claim.token)
      $0.field("lease", claim.lease)
    }
    Output.tell(String(decoding: line.bytes, as: UTF8.self))
  }
}
