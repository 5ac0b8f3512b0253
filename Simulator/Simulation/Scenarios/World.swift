import KeyValue
import Raft
import Replica

/// The servers of one scenario, what their clients were told, and the checkers that hold it against each other after every event.
struct World {
  typealias Cluster = SimulatedCluster<KeyValueMachine>

  /// A request that may be under way.
  private struct Open {
    let request: RequestID
    let community: Int
    /// The newest revision that anybody had been told of when it began.
    let floor: Revision
  }

  /// The servers with one list: nodes with different lists never form a cluster together.
  private struct Community {
    let list: [String]
    var testimony = Testimony()
    var leaders: [(term: Term, name: String)] = []
    var violations: [String] = []

    mutating func elect(_ name: String, _ term: Term) {
      if let other = leaders.first(where: { $0.term == term }), other.name != name {
        violations.append("election safety: \(other.name) and \(name) both lead in term \(term)")
      }
      leaders.append((term, name))
    }
  }

  let cluster: Cluster
  /// The lists of those that have one of their own.
  private let ownLists: [String: [String]]
  /// Servers that no healing brings back, as the scenario has shown: nothing is expected of them at the end.
  var writtenOff: [String] = []
  private var communities: [Community] = []
  private var open: [Open] = []
  private var noticesSeen = 0

  init(names: [String], lists: [String: [String]], seed: UInt64, settings: ReplicaSettings) {
    cluster = Cluster(names: names, seed: seed, settings: settings, lists: lists)
    ownLists = lists
    for name in names where !communities.contains(where: { $0.list == list(of: name) }) {
      communities.append(Community(list: list(of: name)))
    }
  }

  /// Whom a server was told of, itself included.
  func list(of name: String) -> [String] { (ownLists[name] ?? cluster.names).sorted() }

  /// The lists on which all agree whom they name: each of them makes a cluster, and nothing else does.
  var agreedLists: [[String]] {
    communities.map(\.list).filter { list in list.allSatisfy { cluster.names.contains($0) && self.list(of: $0) == list } }
  }

  /// What any checker found. The cluster's own takes all its nodes for members of one cluster: where the lists make several, it has no say.
  var violations: [String] {
    communities.flatMap { $0.testimony.violations + $0.violations } + (agreedLists.count > 1 ? [] : cluster.violations.map(\.description))
  }

  /// Whether anything was acknowledged in the cluster of this server.
  func hasAcknowledged(_ name: String) -> Bool { communities[community(of: name)].testimony.acknowledgements > 0 }

  private func community(of name: String) -> Int {
    let list = list(of: name)
    return communities.firstIndex { $0.list == list } ?? 0
  }

  // MARK: Requests

  mutating func write(_ key: String, _ value: String, on name: String, timeout: Nanoseconds) -> RequestID {
    let community = community(of: name)
    let floor = communities[community].testimony.known
    let command = Request.put(PutRequest(key: Array(key.utf8), value: Array(value.utf8))).encoded()
    traceRequest("put \(key) = \(value.prefix(24))", on: name)
    let request = cluster.propose(command, on: name, timeout: timeout)
    communities[community].testimony.ask(request, write: key, value)
    open.append(Open(request: request, community: community, floor: floor))
    observe()
    return request
  }

  mutating func read(on name: String, timeout: Nanoseconds) -> RequestID {
    let community = community(of: name)
    let floor = communities[community].testimony.known
    traceRequest("get all", on: name)
    let request = cluster.read(.linearizable, on: name, timeout: timeout)
    open.append(Open(request: request, community: community, floor: floor))
    observe()
    return request
  }

  private func traceRequest(_ label: String, on name: String) {
    cluster.trace?.add(.asked(request: cluster.nextRequest, node: cluster.index(name), label: label), at: cluster.now)
  }

  private func traceAnswer(_ outcome: Cluster.Outcome, to request: RequestID) {
    guard cluster.trace != nil else { return }
    let (label, isGood) = outcome.words {
      KeyValueWorkload.label(of: $0)
    } view: {
      KeyValueWorkload.label(of: $0, query: Self.everything)
    }
    cluster.trace?.add(.answered(request: request, label: label, good: isGood), at: cluster.now)
  }

  private static let everything = Request.range(RangeRequest(range: .all)).encoded()

  // MARK: After every event

  /// True if a node said something since the last time: before that, no leader has come or gone.
  @discardableResult
  mutating func observe() -> Bool {
    for item in open {
      guard let outcome = cluster.outcome(of: item.request) else { continue }
      communities[item.community].testimony.hear(outcome, of: item.request, floor: item.floor)
      traceAnswer(outcome, to: item.request)
    }
    open.removeAll { cluster.outcome(of: $0.request) != nil }
    guard noticesSeen < cluster.diagnostics.count else { return false }
    while noticesSeen < cluster.diagnostics.count {
      let (name, diagnostic) = cluster.diagnostics[noticesSeen]
      noticesSeen += 1
      if case .becameLeader(let term) = diagnostic { communities[community(of: name)].elect(name, term) }
    }
    return true
  }

  /// Whom a majority of its cluster follows by now, of those that run and are not frozen. There cannot be two in one cluster.
  var leaders: [String] {
    let statuses = cluster.names.compactMap { cluster.status(of: $0) }
    return statuses.filter { leader in
      let followers = statuses.count { ($0.cluster, $0.leader, $0.term) == (leader.cluster, leader.node, leader.term) }
      return leader.role == .leader && 2 * followers > leader.members.count && !cluster.isPaused(leader.name)
    }.map(\.name)
  }

  /// A line on each server.
  var picture: String {
    cluster.names.map { name in
      guard let status = cluster.status(of: name) else { return "\(name) is down" }
      let role = cluster.isPaused(name) ? "frozen \(status.role)" : "\(status.role)"
      return "\(name) \(role), term \(status.term), log \(status.lastIndex), committed \(status.commitIndex)"
    }.joined(separator: "; ")
  }
}

extension Testimony {
  fileprivate mutating func hear(_ outcome: World.Cluster.Outcome, of request: RequestID, floor: Revision) {
    switch outcome {
    case .applied(.success(let answer)): acknowledge(request, revision: answer.revision, floor: floor)
    case .applied(.failure): deny(request)
    case .view(let view, _, staleness: nil): show(view, floor: floor)
    case .view, .answered: break
    case .failed(let error): if error.outcome == .notDone { deny(request) }
    }
  }
}
