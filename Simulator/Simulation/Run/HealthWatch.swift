import Raft
import Replica

/// Who was left alone by the faults of a story, and since when; and what was expected of them meanwhile.
struct HealthWatch {
  /// A request that a healthy cluster took, and the leader then.
  struct Asked {
    let at: Instant
    let name: String
    let leader: String
    let term: Term
  }

  /// How far a node has to come, since it has been healthy under this leader.
  struct Goal {
    let leader: String
    let term: Term
    var index: LogIndex
    var since: Instant
  }

  private let names: [String]
  private var touched: [Instant]
  private var failedCalls: [Int]
  var goals: [Goal?]
  var asked: [RequestID: Asked] = [:]
  /// When a leader was last seen.
  var lastLed = Instant.zero

  init(names: [String]) {
    self.names = names
    touched = names.map { _ in .zero }
    failedCalls = names.map { _ in 0 }
    goals = names.map { _ in nil }
  }

  mutating func touch(_ name: String, at now: Instant) {
    if let place = names.firstIndex(of: name) { touched[place] = max(touched[place], now) }
  }

  /// When a fault was last known to touch it.
  func touched(_ place: Int) -> Instant { touched[place] }

  mutating func started(_ name: String, failedCalls count: Int) {
    if let place = names.firstIndex(of: name) { failedCalls[place] = count }
  }

  /// Calls of its disk that had failed when its process started.
  func failedCalls(of name: String) -> Int { names.firstIndex(of: name).map { failedCalls[$0] } ?? 0 }
}

/// Liveness while the story goes on: what would heal by itself at the next fault is seen before.
extension Run {
  static var watchInterval: Nanoseconds { .milliseconds(250) }

  private var electionTimeout: Nanoseconds { story.settings.raft.electionTimeout }
  /// Within this time a healthy majority has a leader.
  private var leaderBound: Nanoseconds { 12 * electionTimeout }
  /// Within this time a healthy node has what was committed before, under a healthy leader.
  private var catchUpBound: Nanoseconds { 24 * electionTimeout }
  /// What a fault left behind is over after this time.
  private var settlingTime: Nanoseconds { 6 * electionTimeout }
  /// A healthy leader answers within this time.
  private var requestBound: Nanoseconds { 4 * electionTimeout }

  // MARK: Faults

  func touch(_ fault: ActiveFault) {
    for name in story.names where affects(fault, name) { health.touch(name, at: cluster.now) }
    // All faults may end before their time, and a disk that stalls does so until then all the same.
    if fault.fault.kind == .stalledDisk { health.touch(fault.name, at: cluster.diskStalls(of: fault.name)) }
  }

  /// Whether the fault may hurt the node, or a link of it to a node that is healthy.
  private func affects(_ fault: ActiveFault, _ name: String) -> Bool {
    switch fault.fault.harm {
    case .partition:
      let sides = sides(of: fault.fault, at: fault.name)
      return min(sides.one.count, sides.other.count) * 2 == story.names.count
        || (sides.one.count < sides.other.count ? sides.one : sides.other).contains(name)
    case .minority(let oneFewer): return minority(around: fault.name, oneFewer: oneFewer).contains(name)
    // Whoever leads, not the one that led when it began.
    case .restartStorm where fault.fault.target == .leader: return true
    // A node serves whoever talks to it.
    case .intrusion: return false
    default: return fault.fault.kind.isOfAll || fault.name == name || fault.fault.harm.otherEnd == name
    }
  }

  /// Since when it was left alone; `nil` if it is not.
  func healthySince(_ place: Int) -> Instant? {
    let name = story.names[place]
    guard cluster.isRunning(name), !cluster.isPaused(name), !atlas.damaged.contains(name), !active.contains(where: { affects($0, name) })
    else { return nil }
    return health.touched(place)
  }

  /// A majority was left alone since then.
  private func majorityHealthySince() -> Instant? {
    let healthy = story.names.indices.map(healthySince)
    var since = Instant.zero
    // As long as nobody else knows where everybody is, those who moved need the one that was told.
    if story.changesMembers, !areAddressesCommitted, let told = members.told.flatMap({ story.names.firstIndex(of: $0) }) {
      guard let known = healthy[told] else { return nil }
      since = known
    }
    for part in electorates() {
      let times = part.compactMap { $0.flatMap { healthy[$0] } }.sorted { $0 < $1 }
      guard times.count > part.count / 2 else { return nil }
      since = max(since, times[part.count / 2])
    }
    return since
  }

  /// The leader in the highest term, if it was left alone, with a majority, for so long.
  private func healthyLeader(for time: Nanoseconds) -> (name: String, term: Term)? {
    guard let leader = cluster.leader, let place = story.names.firstIndex(of: leader), let term = cluster.status(of: leader)?.term,
      let since = healthySince(place), let majority = majorityHealthySince(), cluster.now - max(since, majority) >= time
    else { return nil }
    return (leader, term)
  }

  // MARK: Leaders, and nodes that lag

  func watch() {
    // At the end some are left broken by no fault that is named, and liveness is asked of the others.
    guard cluster.now < story.end else { return }
    dues.plan(.watch, at: cluster.now + Self.watchInterval)
    guard oracle.lastIndex > 0 else { return health.lastLed = cluster.now }
    watchTransfers()
    watchLeader()
    let leader = healthyLeader(for: .zero)
    // Who slows down for a follower lets others wait.
    if let name = leader?.name, cluster.status(of: name)?.slowedFor != nil { health.touch(name, at: cluster.now) }
    for place in story.names.indices { watchNode(place, leader) }
  }

  private func watchLeader() {
    guard let since = majorityHealthySince() else { return }
    if cluster.leader != nil { health.lastLed = cluster.now }
    let healthy = story.names.indices.filter { healthySince($0) ?? .never <= since && isMember($0) }.map { story.names[$0] }
    // Those who do not know yet that the cluster has formed may need somebody else to tell them.
    guard healthy.allSatisfy({ cluster.status(of: $0)?.cluster != nil }) else { return health.lastLed = cluster.now }
    if cluster.now - max(since, health.lastLed) > leaderBound {
      let time = (cluster.now - max(since, health.lastLed)) / .milliseconds(1)
      oracle.report(.liveness, "\(healthy.joined(separator: ", ")) were left alone for \(time) ms, and nobody leads", at: cluster.now)
    }
  }

  private func watchNode(_ place: Int, _ leader: (name: String, term: Term)?) {
    let name = story.names[place]
    guard let leader, isMember(place), healthySince(place) != nil, let status = cluster.status(of: name) else {
      return health.goals[place] = nil
    }
    guard let goal = health.goals[place], goal.leader == leader.name, goal.term == leader.term, status.appliedIndex < goal.index else {
      health.goals[place] = HealthWatch.Goal(leader: leader.name, term: leader.term, index: oracle.lastIndex, since: cluster.now)
      return
    }
    let since = max(goal.since, healthySince(place) ?? cluster.now)
    guard cluster.now - since > catchUpBound else { return }
    let text =
      "\(name) was left alone for \((cluster.now - since) / .milliseconds(1)) ms with its leader \(leader.name), and has applied "
      + "\(status.appliedIndex) of \(goal.index)"
    oracle.report(.liveness, text, at: cluster.now)
  }

  // MARK: Requests

  /// A command that another node forwards may be overtaken by the next, where frames do not keep their order: it is dropped then.
  /// On a narrow link it may wait behind megabytes for a follower that catches up. A node that needs a snapshot answers once it has it.
  func watchRequest(_ id: RequestID, _ operation: ClientOperation, on name: String, timeout: Nanoseconds) {
    guard cluster.now < story.end, timeout >= requestBound, cluster.network.lossPerMille == 0, story.scale.linkKilobytes == 0,
      let leader = healthyLeader(for: settlingTime), operation.isRead || leader.name == name || story.scale.linksKeepOrder,
      let place = story.names.firstIndex(of: name), isMember(place), let since = healthySince(place), cluster.now - since >= settlingTime,
      cluster.status(of: name)?.appliedIndex ?? 0 >= cluster.status(of: leader.name)?.snapshotIndex ?? 0
    else { return }
    health.asked[id] = HealthWatch.Asked(at: cluster.now, name: name, leader: leader.name, term: leader.term)
  }

  func checkRequest(_ id: RequestID, _ outcome: Cluster.Outcome) {
    guard let asked = health.asked.removeValue(forKey: id), cluster.now < story.end, case .failed(let error) = outcome else { return }
    guard error.reason == .deadlineExceeded || error.reason == .noLeader else { return }
    let time = cluster.now - asked.at
    guard let leader = healthyLeader(for: settlingTime + time), leader.name == asked.leader, leader.term == asked.term,
      let place = story.names.firstIndex(of: asked.name), let since = healthySince(place), cluster.now - since >= settlingTime + time
    else { return }
    let text =
      "request \(id) through \(asked.name) has no answer after \(time / .milliseconds(1)) ms, though \(leader.name) led all the time, and "
      + "both were left alone: \(error)"
    oracle.report(.liveness, text, at: cluster.now)
  }
}
