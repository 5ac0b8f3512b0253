import ArgumentParser
import Coracle
import EtcdAPI
import Raft

/// Who belongs to the cluster, and who comes and goes.
struct MemberCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "member", abstract: "List the cluster's members, and change them.",
    discussion: """
      To add a server, run `coracle join` on it; to replace one, `coracle join --replace NAME` on the new one. \
      Any one member's endpoint will do: the leader is found.
      """,
    subcommands: [ListCommand.self, AddCommand.self, RemoveCommand.self, PromoteCommand.self, ReplaceCommand.self, UpdateCommand.self])

  struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Show who belongs to the cluster.")

    @OptionGroup var client: ClientOptions

    func run() async throws {
      try await client.withClient { cluster throws(ClientError) in
        let bytes = try await cluster.call("/v3/cluster/member/list", Array("{}".utf8), .read)
        if client.json { return try Output.line(String(decoding: bytes, as: UTF8.self)) }
        try Output.line(try MembersAnswer(answer: bytes).table)
      }
    }
  }

  struct AddCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "add", abstract: "Add a node that is started already and waits. (`coracle join` does it by itself.)",
      discussion: "The node receives the log, and votes as soon as it has caught up; with --learner, when it is promoted.")

    @OptionGroup var client: ClientOptions
    @OptionGroup var new: NewMember
    @Flag(help: "It does not vote until it is promoted.") var learner = false

    func run() async throws {
      try await client.operate("/v3/cluster/member/add") { _, body in
        new.write(to: &body)
        if learner { body.field("isLearner", true) }
      }
    }
  }

  struct ReplaceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "replace", abstract: "Put a node that is started already in a member's place, as one operation.",
      discussion: "It takes the place as soon as it has caught up, whoever leads by then; the old member leaves in the same step.")

    @OptionGroup var client: ClientOptions
    @Argument(help: "The member that leaves, by its name or identity.") var old: String
    @OptionGroup var new: NewMember

    func run() async throws {
      try await client.operate("/v3/cluster/member/add") { members, body throws(ClientError) in
        new.write(to: &body)
        body.field("replaces", try members.id(of: old))
      }
    }
  }

  struct RemoveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "remove", abstract: "Remove a member, for good.",
      discussion: "Its data directory never belongs to the cluster again. Stop the node, and delete the directory.")

    @OptionGroup var client: ClientOptions
    @Argument(help: "The member, by its name or identity.") var member: String

    func run() async throws {
      try await client.operate("/v3/cluster/member/remove") { members, body throws(ClientError) in
        body.field("ID", try members.id(of: member))
      }
    }
  }

  struct PromoteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "promote", abstract: "Make a voter of a learner that has caught up.")

    @OptionGroup var client: ClientOptions
    @Argument(help: "The learner, by its name or identity.") var member: String

    func run() async throws {
      try await client.operate("/v3/cluster/member/promote") { members, body throws(ClientError) in
        body.field("ID", try members.id(of: member))
      }
    }
  }

  struct UpdateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "update", abstract: "Say where a member is reached now.", discussion: "A member that runs says so itself.")

    @OptionGroup var client: ClientOptions
    @Argument(help: "The member, by its name or identity.") var member: String
    @Option(help: "Where the other nodes reach it, as host:port.") var peerAddress: String
    @Option(help: "Where clients reach it, as host:port. Default: as before.") var clientAddress: String?

    func run() async throws {
      try await client.operate("/v3/cluster/member/update") { members, body throws(ClientError) in
        body.field("ID", try members.id(of: member))
        body.array("peerURLs", [peerAddress]) { $0.element(text: "http://\($1)") }
        if let clientAddress { body.array("clientURLs", [clientAddress]) { $0.element(text: "http://\($1)") } }
      }
    }
  }
}

/// A member that is added by hand.
struct NewMember: ParsableArguments {
  @Option(help: "The node's identity, as its log and its status say.") var id: String
  @Option(help: "The node's name.") var name: String
  @Option(help: "Where the other nodes reach it, as host:port.") var peerAddress: String
  @Option(help: "Where clients reach it, as host:port.") var clientAddress: String?

  func validate() throws {
    guard NodeID(text: id) != nil else { throw ValidationError("--id: an identity has 16 hexadecimal digits") }
  }

  func write(to body: inout JSONWriter) {
    body.field("ID", NodeID(text: id)?.rawValue ?? 0)
    body.field("name", text: name)
    body.array("peerURLs", [peerAddress]) { $0.element(text: "http://\($1)") }
    if let clientAddress { body.array("clientURLs", [clientAddress]) { $0.element(text: "http://\($1)") } }
  }
}

struct TransferCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "transfer", abstract: "Have the leader hand over to another member.",
    discussion: "Done when the other one leads; if it does not within an election timeout, the old one goes on.")

  @OptionGroup var client: ClientOptions
  @Option(help: "Who is to lead, by name or identity. Default: the one whose log is nearest to the leader's.") var to: String?

  func run() async throws {
    try await client.operate("/v3/maintenance/transfer-leadership") { members, body throws(ClientError) in
      if let to { body.field("targetID", try members.id(of: to)) }
    }
  }
}

extension ClientOptions {
  /// Has the leader do something. The members are asked for first, so that any one endpoint is enough to find the leader.
  func operate(
    _ path: String, _ fields: @escaping (MembersAnswer, inout JSONWriter) throws(ClientError) -> Void
  ) async throws {
    try await withClient { cluster throws(ClientError) in
      let members = try MembersAnswer(answer: try await cluster.call("/v3/cluster/member/list", Array("{}".utf8), .read))
      var body = JSONWriter()
      body.openObject()
      try fields(members, &body)
      body.closeObject()
      let all = ClusterClient(
        endpoints: members.endpoints(after: cluster.endpoints), timeout: cluster.timeout,
        credentials: cluster.credentials)
      let answer: Result<[UInt8], ClientError>
      do throws(ClientError) {
        answer = .success(try await all.call(path, body.bytes, .write))
      } catch {
        answer = .failure(error)
      }
      await all.close()
      let bytes = try answer.get()
      if json { try Output.line(String(decoding: bytes, as: UTF8.self)) }
    }
  }
}

extension MembersAnswer {
  /// The identity of the member that a person means.
  func id(of text: String) throws(ClientError) -> UInt64 {
    let members = members ?? []
    if let member = members.first(where: { $0.name == text }) { return member.ID.value }
    if let id = NodeID(text: text)?.rawValue, members.contains(where: { $0.ID.value == id }) { return id }
    throw .refused("no member is called \(text): there are \(members.map(\.name).joined(separator: ", "))")
  }

  /// Those that were given, then every member's.
  func endpoints(after given: [HostPort]) -> [HostPort] {
    let others = (members ?? []).flatMap { $0.clientURLs ?? [] }.compactMap { Self.address(in: $0) }
    return others.reduce(into: given) { if !$0.contains($1) { $0.append($1) } }
  }

  /// Where the members are reached by other nodes.
  var peerAddresses: [HostPort] { (members ?? []).flatMap { $0.peerURLs ?? [] }.compactMap { Self.address(in: $0) } }

  static func address(in url: String) -> HostPort? {
    withoutScheme(url).flatMap { try? HostPort($0) }
  }

  static func withoutScheme(_ url: String) -> String? {
    ["http://", "https://"].first(where: url.hasPrefix).map { String(url.dropFirst($0.count)) }
  }

  var table: String {
    let rows = (members ?? []).map { member in
      [
        member.name, NodeID(member.ID.value).description, member.isLearner == true ? "learner" : "voter",
        Self.text(member.peerURLs), Self.text(member.clientURLs),
      ]
    }
    return StatusCommand.table([["NAME", "ID", "ROLE", "PEER ADDRESS", "CLIENT ADDRESS"]] + rows)
  }

  private static func text(_ urls: [String]?) -> String {
    (urls ?? []).map { MembersAnswer.withoutScheme($0) ?? $0 }.joined(separator: ",")
  }
}

extension NodeID {
  /// As `description` writes it.
  init?(text: String) {
    guard text.utf8.count == 16, let number = UInt64(text, radix: 16), number != 0 else { return nil }
    self.init(number)
  }
}
