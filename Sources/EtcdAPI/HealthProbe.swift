/// A question of a supervisor or a load balancer, in the forms of etcd 3.5: `/health` with its JSON, `/livez` and `/readyz` with a line for
/// each check (etcd: `server/etcdserver/api/etcdhttp/health.go`).
///
/// It is answered from what the node has published, so it never waits for what may have stopped.
struct HealthProbe: Equatable {
  enum Check: String {
    /// The node answers from its own state: it is alive, and a restart would not better it.
    case serializableRead = "serializable_read"
    /// It can answer with what the cluster has acknowledged.
    case linearizableRead = "linearizable_read"
    /// Its log reaches the disk. Ours; etcd has none.
    case logWrite = "log_write"
    /// Puts are not refused for want of room. For `/health` alone, as etcd has it.
    case alarm

    /// What stands against it, in etcd's words where etcd has some; `nil` if nothing does.
    func failure(_ health: ServiceHealth) -> String? {
      switch self {
      case .serializableRead: health.stall
      case .linearizableRead: health.stall ?? (health.hasLeader ? nil : "RAFT NO LEADER")
      case .logWrite: health.writeStall
      case .alarm: health.isOutOfSpace ? "ALARM NOSPACE" : nil
      }
    }
  }

  enum Form { case json, text }

  let form: Form
  let checks: [Check]
  /// Says what was checked even if all is well.
  let isVerbose: Bool

  /// - Parameters:
  ///   - path: A path; `nil` if it is none of a probe.
  ///   - query: With `serializable=true` only this node counts, not the cluster; with `exclude=NOSPACE` not whether the store is full.
  init?(path: Substring, query: Substring) {
    let fields = query.split(separator: "&")
    let all: [Check] = fields.contains("serializable=true") ? [.serializableRead] : [.serializableRead, .linearizableRead, .logWrite]
    isVerbose = fields.contains { $0 == "verbose" || $0.hasPrefix("verbose=") }
    let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    switch (parts.first, parts.count) {
    case ("health", 1): (form, checks) = (.json, fields.contains("exclude=NOSPACE") ? all : all + [.alarm])
    case ("livez", 1): (form, checks) = (.text, [.serializableRead])
    case ("readyz", 1): (form, checks) = (.text, all)
    case ("livez", 2), ("readyz", 2):
      guard let check = Check(rawValue: String(parts[1])), check != .alarm, parts[0] == "readyz" || check == .serializableRead
      else { return nil }
      (form, checks) = (.text, [check])
    default: return nil
    }
  }

  func answer(_ health: ServiceHealth) -> GatewayResponse {
    let failures = checks.map { ($0, $0.failure(health)) }
    let failure = failures.lazy.compactMap { $0.1 }.first
    let status = failure == nil ? 200 : 503
    switch form {
    case .json:
      var writer = JSONWriter()
      writer.object {
        $0.field("health", text: failure == nil ? "true" : "false")
        $0.field("reason", text: failure ?? "")
      }
      return GatewayResponse(status: status, content: .text, body: ResponseBody(writer.bytes))
    case .text:
      var text = ""
      if isVerbose || failure != nil {
        for (check, failure) in failures {
          text += failure.map { "[-]\(check.rawValue) failed: \($0)\n" } ?? "[+]\(check.rawValue) ok\n"
        }
      }
      if failure == nil { text += "ok\n" }
      return GatewayResponse(status: status, content: .text, body: ResponseBody(Array(text.utf8)))
    }
  }
}
