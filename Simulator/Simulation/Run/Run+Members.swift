import Raft
import Replica

/// Who the members are, as the log says it, and what operators did.
struct Members {
  /// Machines that do not form the cluster, but join it, some for the second time.
  var joiners: [String]
  /// Those of them that have not been started yet.
  var unused: [String]
  /// The newest configuration that is committed.
  var committed: Configuration?
  /// Identities whose disk was emptied.
  var lost: [NodeID] = []
  /// Who was asked to leave, whatever came of it: others may count it out at any time, and must not depend on what it knows.
  var leaving: [NodeID] = []
  /// How many members each machine has been.
  var generations: [String: Int] = [:]
  /// Transfers without an answer: who was asked, and when.
  var transfers: [RequestID: (name: String, at: Instant)] = [:]
  /// How often somebody moved.
  var moves = 0
  /// Who was told where everybody is, when all moved last.
  var told: String?

  init(joiners: [String]) {
    self.joiners = joiners
    unused = joiners
  }

  /// Those that were started.
  func machines(of names: [String]) -> [String] { names.filter { !unused.contains($0) } }
}

/// Operators change the members at any moment, under every fault. They never ask for what would leave no majority of sound members: that is
/// no fault of the cluster's. So a disk is emptied only when everybody who counts agrees who counts.
extension Run {
  // MARK: Requests

  func ask(_ request: OperatorRequest, on name: String) {
    let id = cluster.nextRequest
    switch request {
    case .transfer: members.transfers[id] = (name, cluster.now)
    case .remove(let node): members.leaving.append(node)
    case .add(let learner): if case .replacing(let node) = learner.promotion { members.leaving.append(node) }
    default: break
    }
    _ = cluster.operate(request, on: name)
  }

  func operated(_ id: RequestID, _ error: RequestError?) { members.transfers[id] = nil }

  /// False if there is nobody to ask, or no sense in it.
  func change(_ name: String, _ harm: Fault.Harm) -> Bool {
    guard story.changesMembers, oracle.lastIndex > 0, let committed = members.committed else { return false }
    switch harm {
    case .move: return move([name], telling: nil)
    case .moveAll:
      guard votingMachines().contains(name), let id = cluster.identity(of: name), !members.leaving.contains(id) else { return false }
      return move(members.machines(of: story.names), telling: name)
    default: break
    }
    guard let leader = cluster.leader, !cluster.isPaused(leader), let configuration = cluster.status(of: leader)?.configuration else {
      return false
    }
    switch harm {
    case .join(let waits):
      guard let member = newcomer(on: name, committed) else { return false }
      ask(.add(Learner(member, waits ? .onRequest : .whenCaughtUp)), on: leader)
    case .promote:
      guard let id = cluster.identity(of: name) else { return false }
      ask(.promote(id), on: leader)
    case .remove:
      let lost = configuration.members.map(\.id).filter(members.lost.contains)
      guard let id = lost.first ?? cluster.identity(of: name) else { return false }
      ask(.remove(id), on: leader)
    case .replace(let other): return replace(name, by: other, committed, asking: leader)
    default: return false
    }
    return true
  }

  private func replace(_ name: String, by other: String, _ committed: Configuration, asking leader: String) -> Bool {
    guard let old = cluster.identity(of: name), committed.isVoter(old) else { return false }
    guard other.isEmpty else {
      guard other != name, !committed.members.contains(where: { members.lost.contains($0.id) }),
        let member = newcomer(on: other, committed)
      else { return false }
      ask(.replace(old, by: member), on: leader)
      return true
    }
    guard mayLoseDisk(committed) else { return false }
    members.lost.append(old)
    begin(anew: name)
    cluster.coverage.reach(.disksReplaced)
    if let member = cluster.member(name), let leader = cluster.leader { ask(.replace(old, by: member), on: leader) }
    return true
  }

  /// Whether one voter may lose its disk, whoever it is: everybody is there and acts on what is committed, and no other lost its disk.
  private func mayLoseDisk(_ committed: Configuration) -> Bool {
    committed.voters.count >= 3 && !committed.isJoint
      && committed.members.allSatisfy { member in
        guard let name = story.names.first(where: { cluster.identity(of: $0) == member.id }) else { return false }
        return cluster.status(of: name)?.configuration == committed
      }
  }

  /// The machine, as one that may be added: with an empty disk, if it was a member once and left.
  private func newcomer(on name: String, _ committed: Configuration) -> Member? {
    if let id = cluster.identity(of: name) {
      if committed.removed.contains(id) {
        begin(anew: name)
      } else if !members.joiners.contains(name) || committed.isMember(id) {
        return nil
      }
    } else {
      guard members.joiners.contains(name) else { return nil }
      begin(anew: name)
    }
    return cluster.member(name)
  }

  /// The machine starts with an empty disk, to join those who run.
  private func begin(anew name: String) {
    if let place = members.unused.firstIndex(of: name) {
      members.unused.remove(at: place)
      downs[name, default: 1] -= 1
    }
    if !members.joiners.contains(name) { members.joiners.append(name) }
    cluster.crash(name)
    if cluster.identity(of: name) != nil { cluster.wipe(name) }
    let generation = members.generations[name, default: 0] + 1
    members.generations[name] = generation
    cluster.setJoin(
      story.names.filter { $0 != name && cluster.isRunning($0) }, of: name, as: generation == 1 ? nil : "\(name)\(generation)")
    start(name)
  }

  // MARK: Addresses

  /// For good: its log has begun, and is on its disk.
  private func hasFormed(_ name: String) -> Bool { members.joiners.contains(name) || cluster.hasDurableLog(name) }

  /// Whether the committed configuration has everybody where they are.
  var areAddressesCommitted: Bool {
    members.committed?.members.allSatisfy { member in
      guard let name = story.names.first(where: { cluster.identity(of: $0) == member.id }) else { return true }
      return cluster.member(name)?.peerAddress == member.peerAddress
    } ?? true
  }

  private func move(_ names: [String], telling told: String?) -> Bool {
    // A cluster that has not formed wants new lists, not to be told where its members are.
    guard !names.isEmpty, names.allSatisfy({ !members.unused.contains($0) }), names.allSatisfy(hasFormed) else { return false }
    members.moves += 1
    for name in names { cluster.move(name, to: "\(name)-\(members.moves)") }
    // Whoever moves before it is written down where the others are must be told as well.
    let knowing = told ?? (areAddressesCommitted ? nil : names[0])
    if let knowing {
      cluster.move(knowing, to: "\(knowing)-\(members.moves)", knowing: members.machines(of: story.names).filter { $0 != knowing })
      members.told = knowing
    }
    for name in names {
      health.touch(name, at: cluster.now)
      startAnew(name)
    }
    cluster.coverage.reach(told == nil ? .addressChanged : .allAddressesChanged)
    return true
  }

  // MARK: What came of it

  func committed(_ entry: Entry) {
    guard let new = try? Configuration(decoding: entry.payload) else { return }
    if let old = members.committed { observe(old, new) }
    members.committed = new
    for name in story.names { health.touch(name, at: cluster.now) }
  }

  private func observe(_ old: Configuration, _ new: Configuration) {
    let came = old.learners.filter { learner in new.voters.contains { $0.id == learner.member.id } }
    for learner in came where learner.promotion != .onRequest {
      cluster.coverage.reach(.promotedByItself)
      if case .replacing = learner.promotion { cluster.coverage.reach(.memberReplaced) }
    }
    cluster.coverage.reach(.grownFromOne, if: old.voters.count == 1 && new.voters.count == 2)
    for name in story.names where cluster.hasJustLed(name) {
      guard let id = cluster.identity(of: name) else { continue }
      cluster.coverage.reach(.leaderRemoved, if: !old.removed.contains(id) && new.removed.contains(id))
    }
  }

  /// A transfer takes effect or fails within an election timeout of the leader's clock; so that it is told within four of the world's.
  func watchTransfers() {
    let bound = 4 * story.settings.raft.electionTimeout
    for (id, transfer) in members.transfers.sorted(by: { $0.key < $1.key }) where cluster.now - transfer.at > bound {
      members.transfers[id] = nil
      guard let place = story.names.firstIndex(of: transfer.name), let since = healthySince(place), since <= transfer.at else { continue }
      let time = (cluster.now - transfer.at) / 1_000_000
      oracle.report(
        .liveness, "nobody knows after \(time) ms what came of the transfer that \(transfer.name) was asked for", at: cluster.now)
    }
  }

  // MARK: Who counts

  /// The voters of every configuration that somebody may act on, part by part, as places of their machines; `nil` for one that has none.
  func electorates() -> [[Int?]] {
    guard story.changesMembers else { return [story.names.indices.map { $0 }] }
    var configurations = members.committed.map { [$0] } ?? []
    for name in story.names {
      guard let configuration = cluster.status(of: name)?.configuration, !configurations.contains(configuration) else { continue }
      configurations.append(configuration)
    }
    if configurations.isEmpty { return [story.founders.map { story.names.firstIndex(of: $0) }] }
    let places = story.names.map { cluster.identity(of: $0) }
    return configurations.flatMap(\.electorate).filter { !$0.isEmpty }.map { $0.map { id in places.firstIndex { $0 == id } } }
  }

  func isMember(_ place: Int) -> Bool {
    guard story.changesMembers else { return true }
    return cluster.identity(of: story.names[place]).map { members.committed?.isMember($0) == true } ?? false
  }

  /// The machines of those who vote, and have not lost their disk.
  func votingMachines() -> [String] {
    story.names.filter { name in cluster.identity(of: name).map { members.committed?.isVoter($0) == true } ?? false }
  }

  /// Everybody is healed: what operators asked for comes to its end, and learners that are to be promoted are.
  func settleMembers() {
    // Who has not found the cluster is told where it is by now.
    for name in members.joiners where cluster.isRunning(name) && cluster.status(of: name)?.cluster == nil {
      cluster.setJoin(
        votingMachines(), of: name, as: members.generations[name, default: 1] == 1 ? nil : "\(name)\(members.generations[name, default: 1])"
      )
      startAnew(name)
    }
    let bound = cluster.now + Self.livenessBound
    // What was asked for last is answered by then.
    _ = live(until: cluster.now + .milliseconds(6000))
    while isClean, let open = unsettled() {
      guard cluster.now < bound else { return oracle.report(.liveness, "the members do not come to rest: \(open)", at: cluster.now) }
      _ = live(until: cluster.now + .milliseconds(500))
    }
  }

  private func unsettled() -> String? {
    guard let committed = members.committed else { return "the cluster has not formed" }
    if committed.isJoint { return "the joint configuration is not left" }
    // A leader acts on a configuration before it is committed. Whom that one leaves out is still told so, and does not serve any more.
    guard let leader = cluster.leader, cluster.status(of: leader)?.configuration == committed else {
      return "the newest configuration is not committed"
    }
    return committed.learners.first { learner in
      learner.promotion != .onRequest && story.names.contains { cluster.identity(of: $0) == learner.member.id }
    }.map { "learner \($0.member.name) is not promoted" }
  }
}
