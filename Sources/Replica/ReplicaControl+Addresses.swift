import ByteCoding
import Raft

/// Addresses are data: a member is who its identity says, wherever it is reached.
///
/// A node that moved says so to everybody whom it can reach, and is believed; the leader writes it into the configuration. If all moved,
/// nobody reaches anybody: then one node is told the new addresses by its operator, and the members tell each other.
extension ReplicaControl {
  /// How long a node without a leader waits before it shows itself, though it has not moved: others may think that it has.
  private var patience: Nanoseconds { 4 * settings.raft.electionTimeout }

  /// Where a member is reached, as far as is known.
  func address(of member: Member) -> String {
    acquaintances.first { $0.said == member }?.address.peerAddress ?? member.peerAddress
  }

  private func agrees(_ member: Member, _ address: Introduction.Address) -> Bool {
    member.peerAddress == address.peerAddress && member.clientAddress == address.clientAddress
  }

  private var ownAddress: Introduction.Address {
    Introduction.Address(node: identity.node, peerAddress: peerInfo.peerAddress, clientAddress: peerInfo.clientAddress)
  }

  private func introduction(wantsAnswer: Bool, _ configuration: Configuration) -> [UInt8] {
    let others = configuration.members.filter { $0.id != identity.node }.prefix(Configuration.maximumMembers - 1).map { member in
      acquaintances.first { $0.said == member }?.address
        ?? Introduction.Address(node: member.id, peerAddress: member.peerAddress, clientAddress: member.clientAddress)
    }
    let introduction = Introduction(
      own: ownAddress, priority: settings.priority, wantsAnswer: wantsAnswer, configurationIndex: raft?.configurationIndex ?? 0,
      others: others)
    return Frame(cluster: identity.cluster, from: identity.node, to: nil, body: .introduction(introduction)).encoded()
  }

  mutating func introduceItself(now: Instant, into effects: inout ControlEffects) {
    guard now >= nextIntroduction, let configuration = raft?.configuration else { return }
    guard raft?.isRemoved == false else {
      introducesItself = false
      return
    }
    let hasMoved = configuration.member(identity.node).map { !agrees($0, ownAddress) }
    nextIntroduction = now + settings.raft.electionTimeout
    acquaintances = acquaintances.filter { isCurrent($0, configuration, now: now) }
    introducesItself =
      hasMoved != false || settings.priority > 0 || !acquaintances.isEmpty || !peerInfo.newAddresses.isEmpty || raft?.role == .leader
    let addresses = listeners(configuration, hasMoved: hasMoved, now: now)
    guard !addresses.isEmpty else { return }
    let frame = introduction(wantsAnswer: true, configuration)
    for address in addresses { effects.frames.append((.address(address), .control, frame)) }
  }

  /// Whether it still says more than the configuration. Who should lead says so again and again, or has no priority any more.
  private func isCurrent(_ acquaintance: Acquaintance, _ configuration: Configuration, now: Instant) -> Bool {
    if acquaintance.priority > 0, now - acquaintance.at < patience { return true }
    guard let member = configuration.member(acquaintance.address.node) else { return false }
    return member == acquaintance.said && !agrees(member, acquaintance.address)
  }

  /// Who should be told now.
  /// - Parameter hasMoved: `nil` if the configuration does not name this node, as of a newcomer.
  private mutating func listeners(_ configuration: Configuration, hasMoved: Bool?, now: Instant) -> [String] {
    let members = configuration.members.filter { $0.id != identity.node }
    var addresses: [String] = []
    let leader = raft?.leader
    if let hasMoved {
      if hasMoved || leader == nil && (!peerInfo.newAddresses.isEmpty || isTimeToShow(now: now)) {
        addresses = members.map { address(of: $0) }
      }
    } else if leader == nil {
      addresses = members.map { address(of: $0) } + peerInfo.join
    }
    // New addresses that belong to nobody yet.
    addresses += peerInfo.newAddresses.filter { new in !members.contains { address(of: $0) == new } }
    if leader == identity.node {
      // A follower that has an old log may not know where to answer.
      let silent = raft?.followers.filter { now - $0.lastContact > settings.raft.electionTimeout }.map(\.id) ?? []
      addresses += members.filter { silent.contains($0.id) }.map { address(of: $0) }
    } else if let leader = members.first(where: { $0.id == leader }), settings.priority > 0 || !acquaintances.isEmpty {
      addresses.append(address(of: leader))
    }
    var once: [String] = []
    for address in addresses where address != peerInfo.peerAddress && !once.contains(address) { once.append(address) }
    return once
  }

  private func hasWaitedForALeader(now: Instant) -> Bool {
    raft?.timeSinceLeaderContact(now: now) ?? (now - startedAt) >= patience
  }

  /// Whether a node that hears no leader should show itself once more.
  private mutating func isTimeToShow(now: Instant) -> Bool {
    guard hasWaitedForALeader(now: now), now >= nextShow else { return false }
    nextShow = now + patience
    return true
  }

  mutating func receive(
    _ introduction: Introduction, from node: NodeID, cluster: ClusterID?, connection: UInt64, now: Instant,
    into effects: inout ControlEffects
  ) {
    guard let own = identity.cluster, cluster == own, let configuration = raft?.configuration, introduction.own.node == node,
      !configuration.removed.contains(node)
    else { return }
    // Whoever lags behind the configuration may not know a member, and is looked for by it all the same: the leader, perhaps.
    if configuration.isMember(node) { note(introduction, in: configuration, now: now) }
    if introduction.wantsAnswer {
      effects.frames.append((.connection(connection), .control, self.introduction(wantsAnswer: false, configuration)))
    }
    heedAcquaintances(now: now)
  }

  private mutating func note(_ introduction: Introduction, in configuration: Configuration, now: Instant) {
    // One that lags may have been told by its operator all the same; where nobody leads, what it says is better than nothing.
    let isRecent = introduction.configurationIndex >= raft?.configurationIndex ?? 0 || raft?.leader == nil && hasWaitedForALeader(now: now)
    for address in introduction.others where isRecent && address.node != identity.node && configuration.isMember(address.node) {
      // What a member says of itself is better than what others say of it.
      if acquaintances.contains(where: { $0.address.node == address.node && $0.isFirsthand }) { continue }
      // Nor does it take anything back to have heard of nothing new.
      if configuration.member(address.node).map({ agrees($0, address) }) != false { continue }
      note(address, priority: 0, isFirsthand: false, in: configuration, now: now)
    }
    note(introduction.own, priority: introduction.priority, isFirsthand: true, in: configuration, now: now)
  }

  private mutating func note(
    _ address: Introduction.Address, priority: UInt8, isFirsthand: Bool, in configuration: Configuration, now: Instant
  ) {
    acquaintances.removeAll { $0.address.node == address.node || !configuration.isMember($0.address.node) }
    guard let member = configuration.member(address.node), priority > 0 || !agrees(member, address) else { return }
    acquaintances.append(Acquaintance(address: address, priority: priority, said: member, isFirsthand: isFirsthand, at: now))
  }

  /// A leader writes down who moved, and gives way to whom it should.
  mutating func heedAcquaintances(now: Instant) {
    guard raft?.role == .leader, let configuration = raft?.configuration else { return }
    if let own = configuration.member(identity.node), !agrees(own, ownAddress) { heed(ownAddress, now: now) }
    guard !acquaintances.isEmpty else { return }
    for acquaintance in acquaintances where acquaintance.isFirsthand {
      guard let member = configuration.member(acquaintance.address.node), member == acquaintance.said else { continue }
      if !agrees(member, acquaintance.address) { heed(acquaintance.address, now: now) }
    }
    acquaintances = acquaintances.filter { acquaintance in
      guard let member = configuration.member(acquaintance.address.node) else { return false }
      return acquaintance.priority > 0 || member == acquaintance.said && !agrees(member, acquaintance.address)
    }
    let preferred = acquaintances.filter { $0.priority > settings.priority }.max { $0.priority < $1.priority }
    if let preferred { raft?.step(.handOver(to: preferred.address.node), now: now, into: &consensus) }
  }

  private mutating func heed(_ address: Introduction.Address, now: Instant) {
    raft?.step(
      .moved(address.node, peerAddress: address.peerAddress, clientAddress: address.clientAddress), now: now, into: &consensus)
  }
}
