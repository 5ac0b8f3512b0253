/// Where a request's path leads.
enum Route: Equatable {
  /// Asked with POST and a JSON body.
  enum Call: Hashable {
    case range, put, deleteRange, transaction, status, memberList, memberAdd, memberRemove, memberUpdate, memberPromote
    case transferLeadership, compaction, alarm, defragment, hash, settings
    case leaseGrant, leaseRevoke, leaseKeepAlive, leaseTimeToLive, leases
    case authenticate
    case access(Gateway.AccessCall)
    case watch, lock, unlock, campaign, proclaim, leader, observe, resign
  }
  /// Asked with GET.
  enum Information: Equatable {
    case version
    case health(HealthProbe)
  }

  case call(Call)
  case information(Information)
  /// Asked with POST and a JSON body; not etcd's.
  case administration(AdministrationCall)
  /// Nowhere; this text says so.
  case unknown(String)

  /// - Parameter target: A path, perhaps with a query, which only the health probes look at.
  init(_ target: String) {
    let path = target.prefix { $0 != "?" }
    for version in ["/v3/", "/v3beta/"] where path.hasPrefix(version) {
      let name = String(path.dropFirst(version.count))
      let access = name.hasPrefix("auth/") ? Gateway.AccessCall(rawValue: String(name.dropFirst("auth/".count))) : nil
      guard let call = Self.calls[name] ?? access.map(Call.access) else { break }
      self = .call(call)
      return
    }
    if path.hasPrefix("/coracle/"), let call = AdministrationCall(rawValue: String(path.dropFirst("/coracle/".count))) {
      self = .administration(call)
      return
    }
    if let probe = HealthProbe(path: path, query: target.dropFirst(path.count + 1)) {
      self = .information(.health(probe))
      return
    }
    switch path {
    case "/version": self = .information(.version)
    // etcd has two texts: one from its gateway and one from its HTTP server.
    default: self = .unknown(path.hasPrefix("/v3/") || path.hasPrefix("/v3beta/") ? "Not Found" : "404 page not found")
    }
  }

  /// All paths below `/v3/`.
  static var paths: [String] { Array(calls.keys) + Gateway.AccessCall.allCases.map { "auth/\($0.rawValue)" } }

  /// By what follows `/v3/`.
  static let calls: [String: Call] = [
    "kv/range": .range, "kv/put": .put, "kv/deleterange": .deleteRange, "kv/txn": .transaction, "maintenance/status": .status,
    "cluster/member/list": .memberList, "cluster/member/add": .memberAdd, "cluster/member/remove": .memberRemove,
    "cluster/member/update": .memberUpdate, "cluster/member/promote": .memberPromote,
    "maintenance/transfer-leadership": .transferLeadership, "maintenance/settings": .settings, "kv/compaction": .compaction,
    "maintenance/alarm": .alarm,
    "maintenance/defragment": .defragment, "maintenance/hash": .hash, "lease/grant": .leaseGrant, "lease/revoke": .leaseRevoke,
    "lease/keepalive": .leaseKeepAlive, "lease/timetolive": .leaseTimeToLive, "lease/leases": .leases,
    "kv/lease/revoke": .leaseRevoke, "kv/lease/timetolive": .leaseTimeToLive, "kv/lease/leases": .leases, "watch": .watch,
    "auth/authenticate": .authenticate,
    "lock/lock": .lock, "lock/unlock": .unlock, "election/campaign": .campaign, "election/proclaim": .proclaim,
    "election/leader": .leader, "election/observe": .observe, "election/resign": .resign,
  ]
}
