import ArgumentParser
import Coracle
import Raft

struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show what each node knows of itself and of the cluster.",
    discussion: """
      Asks every endpoint, each for itself. A leader among them says how its followers fare: how many entries each lacks, for how long it \
      has lacked any, and when it was last heard of. Exit status 3 if none answers, or none knows a leader.
      """)

  @OptionGroup var client: ClientOptions

  func run() async throws {
    try await client.withClient { cluster throws(ClientError) in
      var rows = [["ENDPOINT", "NAME", "ID", "ROLE", "TERM", "LEADER", "REVISION", "COMMITTED", "APPLIED", "SIZE"]]
      var followers: [[String]] = []
      var hasLeader = false
      var reasons: [String] = []
      for endpoint in cluster.endpoints {
        do throws(ClientError) {
          let bytes = try await cluster.call(endpoint, "/v3/maintenance/status")
          if client.json { try Output.line(String(decoding: bytes, as: UTF8.self)) }
          let status = try StatusAnswer(answer: bytes)
          let members = try? MembersAnswer(answer: try await cluster.call(endpoint, "/v3/cluster/member/list")).members
          rows.append(Self.row(endpoint, status, members ?? []))
          if let awaited = status.forming?.awaited { reasons.append("\(endpoint): waits for \(awaited.joined(separator: ", "))") }
          if status.leader != nil { hasLeader = true }
          followers += (status.followers ?? []).map { Self.row($0, members ?? []) }
        } catch {
          if case .outputLost = error { throw error }
          if case .unavailable(let texts) = error { reasons += texts } else { reasons.append("\(endpoint): \(error)") }
          rows.append(["\(endpoint)", "-", "-", "unreachable", "-", "-", "-", "-", "-", "-"])
        }
      }
      if !client.json {
        try Output.line(Self.table(rows))
        if !followers.isEmpty { try Output.line("\n" + Self.table([["FOLLOWER", "ID", "LACKS", "FOR", "LAST HEARD", ""]] + followers)) }
      }
      guard hasLeader else { throw .unavailable(reasons + ["no node knows a leader"]) }
    }
  }

  private static func row(_ follower: StatusAnswer.Follower, _ members: [MembersAnswer.Member]) -> [String] {
    let member = members.first { $0.ID.value == follower.ID.value }
    return [
      member?.name ?? "-", NodeID(follower.ID.value).description, "\(text(follower.lagEntries?.value)) entries",
      seconds(follower.lagMilliseconds?.value), seconds(follower.contactMilliseconds?.value) + " ago",
      follower.receivesSnapshot == true ? "receives a snapshot" : "",
    ]
  }

  private static func seconds(_ milliseconds: Int64?) -> String {
    let milliseconds = max(0, milliseconds ?? 0)
    return "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s"
  }

  private static func row(_ endpoint: HostPort, _ status: StatusAnswer, _ members: [MembersAnswer.Member]) -> [String] {
    let id = status.header.member_id?.value ?? 0
    func name(_ id: UInt64) -> String {
      status.forming?.name ?? members.first { $0.ID.value == id }?.name ?? NodeID(id).description
    }
    let isLearner = members.contains { $0.ID.value == id && $0.isLearner == true }
    let role =
      status.leader.map { $0.value == id ? "leader" : isLearner ? "learner" : "follower" }
      ?? (status.forming == nil ? "no leader" : "forming")
    return [
      "\(endpoint)", name(id), NodeID(id).description, role, text(status.raftTerm?.value), status.leader.map { name($0.value) } ?? "-",
      text(status.header.revision?.value), text(status.raftIndex?.value), text(status.raftAppliedIndex?.value),
      text(status.dbSize?.value),
    ]
  }

  private static func text(_ number: (some BinaryInteger)?) -> String { number.map { "\($0)" } ?? "0" }

  /// Columns as wide as their widest cell.
  static func table(_ rows: [[String]]) -> String {
    let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      var line = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ")
      while line.last == " " { line.removeLast() }
      return line
    }.joined(separator: "\n")
  }
}
