import ArgumentParser
import Coracle
import Credentials
import EtcdAPI
import Foundation
import KeyValue
import Logging
import Raft
import ServiceLifecycle
import WriteAheadLog

struct JoinCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "join", abstract: "Run a node that joins a cluster which has formed.",
    discussion: """
      Takes the options of `serve`, and a token, which `coracle token create` prints on any server of the cluster; it says where the \
      cluster is, too. (A cluster that talks in plain text has no tokens: there, name the client address of any one member.) The node \
      receives the log, and votes as soon as it has caught up; until then the others work as before. Started again with `join` it goes on \
      where it was; once it is a member, `serve` will do.

      A member whose credentials are lost, or too old, gets new ones in the same way; its data stays as it is.
      """)

  @Argument(help: "Where clients reach any one member, as host:port. Default: where the token says.") var member: String?
  @Option(help: "The token. Others on this machine can see it while the command runs; see --token-file.") var token: String?
  @Option(help: "A file with the token; - for standard input.") var tokenFile: String?
  @Option(help: "The member whose place the new one takes, by name: for a server that is lost or moves.") var replace: String?
  @OptionGroup var options: ServeOptions

  func validate() throws {
    guard options.initialCluster == nil else {
      throw ValidationError("--initial-cluster is for a cluster that forms; this node joins one that has formed")
    }
    guard token == nil || tokenFile == nil else { throw ValidationError("give the token either as --token or as --token-file") }
    guard member != nil || token != nil || tokenFile != nil else {
      throw ValidationError("say which cluster: with a token, or if it talks in plain text with the address of a member")
    }
    if token != nil || member != nil { _ = try endpoint(try parsedToken(token)) }
  }

  private func parsedToken(_ text: String?) throws -> JoinToken? {
    do {
      return try text.map { text throws(JoinTokenError) in try JoinToken(text) }
    } catch {
      throw ValidationError("--token: \(error)")
    }
  }

  private func endpoint(_ token: JoinToken?) throws -> HostPort {
    do {
      return try HostPort(member ?? token?.address ?? "")
    } catch {
      throw ValidationError("\(error)")
    }
  }

  private func readToken() throws -> JoinToken? {
    guard let tokenFile else { return try parsedToken(token) }
    let data = tokenFile == "-" ? try FileHandle.standardInput.readToEnd() : FileManager.default.contents(atPath: tokenFile)
    guard let data else { throw ValidationError("--token-file: \(tokenFile) cannot be read") }
    return try parsedToken(String(decoding: data.prefix(JoinToken.maximumSize + 1), as: UTF8.self))
  }

  func run() async throws {
    let token = try readToken()
    let join = Join(endpoint: try endpoint(token), token: token, replaces: replace)
    try await NodeProcess(options: options, join: join).run()
  }
}

/// How a node becomes a member of a cluster that has formed: it asks one member for the others, waits until it belongs to the cluster, and
/// then asks the leader to be added, until it is a member.
struct Join {
  /// Where clients reach one member.
  let endpoint: HostPort
  /// What lets the server in.
  var token: JoinToken?
  /// The name of the member whose place it takes.
  var replaces: String?
  /// What it shows to the members; `nil` if they talk in plain text.
  var credentials: ClientCredentials?

  /// How long one attempt takes at most, and how long to wait between two.
  private static let attempt = Duration.seconds(5)
  private static let pause = Duration.seconds(1)
  private static let mostRefusals = 3

  /// Who belongs to the cluster. `nil` if the member does not answer and the node has something of the log already: it needs no help then.
  func members(_ configuration: NodeConfiguration) async throws -> MembersAnswer? {
    do {
      let answer = try MembersAnswer(answer: try await call([endpoint], Self.list, Array("{}".utf8), .read))
      guard !answer.peerAddresses.isEmpty else {
        throw JoinError(text: "\(endpoint) belongs to no cluster yet: name a member, or wait until it is one")
      }
      return answer
    } catch _ where Self.hasALog(configuration.dataDirectory) {
      return nil
    }
  }

  private static let list = "/v3/cluster/member/list"

  static func hasALog(_ path: String) -> Bool {
    guard FileManager.default.fileExists(atPath: path), let disk = try? PosixDisk(path: path) else { return false }
    defer { disk.unlock() }
    if case .formed = try? DataDirectory.load(disk).identity?.phase { return true }
    return false
  }

  /// Returns when the node is a member; throws if the cluster refuses it.
  func join(_ node: Node<KeyValueMachine>, _ members: MembersAnswer, logger: Logger) async throws {
    try await node.waitUntilStarted()
    var body: [UInt8]?
    var isAdded = false
    var refusals = 0
    while !Task.isCancelled {
      let status = node.status
      if let cluster = status.cluster, cluster.rawValue != members.header.cluster_id?.value {
        throw JoinError(text: "its data directory belongs to another cluster, \(cluster): use an empty one")
      }
      if status.configuration?.isMember(status.node) == true { return }
      do throws(ClientError) {
        guard status.cluster != nil else { throw .unavailable(["no member answers at its address for peers"]) }
        if !isAdded {
          let request = if let body { body } else { try self.body(of: node, members) }
          body = request
          _ = try await call(members.endpoints(after: [endpoint]), "/v3/cluster/member/add", request, .write)
          isAdded = true
          logger.info("was added to the cluster, and waits for its log")
        }
      } catch {
        // It may have been added by an earlier attempt whose answer was lost: what the cluster says of its members decides.
        if case .refused(let text) = error, let isListed = await isListed(status.node, members) {
          isAdded = isListed
          // The one that was asked may lag behind.
          refusals += 1
          guard isListed || refusals < Self.mostRefusals else { throw JoinError(text: text) }
        }
        logger.info("waits to be added", metadata: ["reason": "\(error)"])
      }
      try await Task.sleep(for: Self.pause)
    }
  }

  /// `nil` if nobody says.
  private func isListed(_ node: NodeID, _ members: MembersAnswer) async -> Bool? {
    guard
      let bytes = try? await call(members.endpoints(after: [endpoint]), Self.list, Array("{}".utf8), .read),
      let answer = try? MembersAnswer(answer: bytes)
    else { return nil }
    return answer.members?.contains { $0.ID.value == node.rawValue } == true
  }

  private func body(of node: Node<KeyValueMachine>, _ members: MembersAnswer) throws(ClientError) -> [UInt8] {
    let replaced: UInt64? = if let replaces { try members.id(of: replaces) } else { nil }
    let peerAddress = node.configuration.advertisedPeerAddress ?? node.peerAddress ?? node.configuration.peerAddress
    var body = JSONWriter()
    body.object {
      $0.field("ID", node.status.node.rawValue)
      $0.field("name", text: node.configuration.name)
      $0.array("peerURLs", [peerAddress]) { $0.element(text: "http://\($1)") }
      $0.array("clientURLs", [node.configuration.advertisedClientAddress]) { $0.element(text: "http://\($1)") }
      if let replaced { $0.field("replaces", replaced) }
    }
    return body.bytes
  }

  private func call(
    _ endpoints: [HostPort], _ path: String, _ body: [UInt8], _ kind: ClusterClient.Kind
  ) async throws(ClientError) -> [UInt8] {
    let client = ClusterClient(endpoints: endpoints, timeout: Self.attempt, credentials: credentials)
    let result: Result<[UInt8], ClientError>
    do throws(ClientError) {
      result = .success(try await client.call(path, body, kind))
    } catch {
      result = .failure(error)
    }
    await client.close()
    return try result.get()
  }
}

/// What a data directory says of a node that is to join, until it is a member: started with `serve`, it would form a cluster of its own.
struct JoinNote {
  let directory: String

  private var path: String { directory + "/joining" }

  /// The member whose place the node was to take, if it was started before; empty for none.
  var replaces: String? { (try? String(contentsOfFile: path, encoding: .utf8)) }

  func write(replaces: String?) throws {
    if !FileManager.default.fileExists(atPath: directory) {
      try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    }
    try Data((replaces ?? "").utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
  }

  func remove() { try? FileManager.default.removeItem(atPath: path) }
}

/// The cluster does not take the node.
struct JoinError: Error, CustomStringConvertible {
  let text: String

  var description: String { "the cluster does not take this node: \(text)" }
}

/// Has the node added to the cluster, beside what else it does.
struct JoinService: Service {
  let node: Node<KeyValueMachine>
  let join: Join
  let members: MembersAnswer
  let logger: Logger

  func run() async throws {
    do {
      try await cancelWhenGracefulShutdown { try await join.join(node, members, logger: logger) }
      logger.notice("is a member of the cluster")
      JoinNote(directory: node.configuration.dataDirectory).remove()
    } catch is CancellationError {
      return
    }
    // The end of a service ends all.
    try? await gracefulShutdown()
  }
}
