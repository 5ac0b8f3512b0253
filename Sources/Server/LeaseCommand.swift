import ArgumentParser
import EtcdAPI
import KeyValue

struct LeaseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lease", abstract: "Grant leases, keep them alive, look at them, end them.",
    discussion: "Keys that are put with a lease (`put --lease`) are deleted when it ends: it does if it is not kept alive.",
    subcommands: [LeaseGrant.self, LeaseKeepAlive.self, LeaseShow.self, LeaseList.self, LeaseRevoke.self])
}

/// The number of a lease, as all of these take it.
struct LeaseArgument: ParsableArguments {
  @Argument(help: "The number of the lease, as `lease grant` prints it.") var lease: Int64

  var body: [UInt8] {
    var writer = JSONWriter()
    writer.object { $0.field("ID", lease) }
    return writer.bytes
  }
}

struct LeaseGrant: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "grant", abstract: "Grant a lease, and print its number.")

  @OptionGroup var client: ClientOptions
  @Argument(help: "How many seconds it lasts from each time that it is kept alive; at least 2.") var seconds: Int64

  func validate() throws {
    guard (1...Limits.maximumLeaseSeconds).contains(seconds) else {
      throw ValidationError("the seconds must be between 1 and \(Limits.maximumLeaseSeconds)")
    }
  }

  func run() async throws {
    var body = JSONWriter()
    body.object { $0.field("TTL", seconds) }
    try await client.withClient { cluster throws(ClientError) in
      let bytes = try await cluster.call("/v3/lease/grant", body.bytes, .write)
      guard !client.json else { return try Output.line(String(decoding: bytes, as: UTF8.self)) }
      try Output.line("\(try GrantAnswer(answer: bytes).ID.value)")
    }
  }
}

struct LeaseKeepAlive: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keep-alive", abstract: "Let a lease last for its full time from now; print how many seconds that is.",
    discussion: "It goes on until it is interrupted, or the lease is gone (status 1), unless --once is given.")

  @OptionGroup var client: ClientOptions
  @OptionGroup var argument: LeaseArgument
  @Flag(help: "Do it once.") var once = false

  func run() async throws {
    try await client.withClient { cluster throws(ClientError) in
      while true {
        let time = try await cluster.keepAlive(argument.lease, within: cluster.timeout)
        guard let time else { throw .refused("lease \(argument.lease) has ended") }
        if client.json {
          var line = JSONWriter()
          line.object {
            $0.field("ID", argument.lease)
            $0.field("TTL", time)
          }
          try Output.line(String(decoding: line.bytes, as: UTF8.self))
        } else {
          try Output.line("\(time)")
        }
        guard !once else { return }
        try? await Task.sleep(for: .seconds(time) / 3)
      }
    }
  }
}

struct LeaseShow: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "How long a lease lasts, and its keys.",
    discussion: "First a line with the seconds that are left and those that it was granted for, then a line for each key.")

  @OptionGroup var client: ClientOptions
  @OptionGroup var argument: LeaseArgument

  func run() async throws {
    var body = JSONWriter()
    body.object {
      $0.field("ID", argument.lease)
      $0.field("keys", true)
    }
    try await client.withClient { cluster throws(ClientError) in
      let bytes = try await cluster.call("/v3/lease/timetolive", body.bytes, .read)
      let answer = try TimeToLiveAnswer(answer: bytes)
      let remaining = answer.TTL?.value ?? 0
      guard remaining >= 0 else { throw .refused("there is no lease \(argument.lease)") }
      guard !client.json else { return try Output.line(String(decoding: bytes, as: UTF8.self)) }
      try Output.line("\(remaining)\t\(answer.grantedTTL?.value ?? 0)")
      for key in answer.keys ?? [] { try Output.write(key.bytes + [UInt8(ascii: "\n")]) }
    }
  }
}

struct LeaseList: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "list", abstract: "Print the numbers of all leases, one a line.")

  @OptionGroup var client: ClientOptions

  func run() async throws {
    try await client.withClient { cluster throws(ClientError) in
      let bytes = try await cluster.call("/v3/lease/leases", Array("{}".utf8), .read)
      guard !client.json else { return try Output.line(String(decoding: bytes, as: UTF8.self)) }
      for lease in try LeasesAnswer(answer: bytes).leases ?? [] { try Output.line("\(lease.ID.value)") }
    }
  }
}

struct LeaseRevoke: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "revoke", abstract: "End a lease, and delete its keys.")

  @OptionGroup var client: ClientOptions
  @OptionGroup var argument: LeaseArgument

  func run() async throws {
    try await client.withClient { cluster throws(ClientError) in
      let bytes = try await cluster.call("/v3/lease/revoke", argument.body, .write)
      if client.json { try Output.line(String(decoding: bytes, as: UTF8.self)) }
    }
  }
}

extension ClusterClient {
  /// How many seconds the lease lasts from now; `nil` if it has ended.
  func keepAlive(_ lease: Int64, within limit: Duration) async throws(ClientError) -> Int64? {
    var body = JSONWriter()
    body.object { $0.field("ID", lease) }
    let bytes = try await call("/v3/lease/keepalive", body.bytes, .read, within: limit, beginning: #"{"result":{"header":"#)
    return try KeepAliveAnswer(answer: bytes).result.TTL?.value
  }
}
