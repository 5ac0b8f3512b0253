import ByteCoding
import Raft
import WriteAheadLog

/// Frames in and out, and the forming of the cluster.
extension ReplicaControl {
  /// How often a node that waits for its cluster to form shows itself.
  private static var bootstrapInterval: Nanoseconds { .milliseconds(200) }

  @usableFromInline
  mutating func receive(_ bytes: Bytes, connection: UInt64, now: Instant, into effects: inout ControlEffects) {
    effects.frameVerdict = .unknown
    guard !isStopped else { return }
    let frame: Frame
    do {
      frame = try Frame(decoding: bytes)
    } catch {
      effects.frameVerdict = .malformed
      return refuse(error.description, now: now, into: &effects)
    }
    guard frame.from != identity.node else { return }
    if isOfMember(frame), raft?.hasLeft(frame.from) != true { effects.frameVerdict = .member }
    switch frame.body {
    case .bootstrap(let bootstrap):
      receive(bootstrap, from: frame.from, connection: connection, now: now, into: &effects)
    case .greeting: break
    case .introduction(let introduction):
      receive(introduction, from: frame.from, cluster: frame.cluster, connection: connection, now: now, into: &effects)
    case .wrongCluster:
      refuse("node \(frame.from) belongs to another cluster: check its address in this cluster's configuration", now: now, into: &effects)
    case .questions(let questions):
      if isOfMember(frame), frame.to == identity.node { receive(questions, from: frame.from, now: now) }
    case .answers(let answers):
      // Of whom they were asked, and nobody else; what is lost by that is asked again.
      if isOfMember(frame), frame.to == identity.node, frame.from == raft?.leader { receiveAnswers(answers, into: &effects) }
    case .message(let message):
      guard let cluster = identity.cluster, raft != nil else { return }
      guard frame.cluster == cluster else {
        let answer = Frame(cluster: cluster, from: identity.node, to: frame.from, body: .wrongCluster)
        effects.frames.append((.connection(connection), .control, answer.encoded()))
        return refuse(
          "frame of another cluster (\(frame.cluster?.description ?? "none")) from node \(frame.from)", now: now, into: &effects)
      }
      guard message.to == identity.node else {
        return refuse("frame for node \(message.to), which this node is not", now: now, into: &effects)
      }
      remember(message.from, connection)
      raft?.step(.message(message), now: now, into: &consensus)
      if message.from == raft?.leader { noteLeader(message.from, connection) }
    }
  }

  private static var mostLeaderConnections: Int { 8 }

  private mutating func noteLeader(_ leader: NodeID, _ connection: UInt64) {
    guard leaderConnections?.leader == leader else { return leaderConnections = (leader, [connection]) }
    guard leaderConnections?.connections.contains(connection) == false else { return }
    if leaderConnections?.connections.count == Self.mostLeaderConnections { leaderConnections?.connections.removeFirst() }
    leaderConnections?.connections.append(connection)
  }

  /// Of two lanes one may end alone, when nothing went over it for long.
  @usableFromInline
  mutating func disconnected(_ connection: UInt64, now: Instant) {
    guard let place = leaderConnections?.connections.firstIndex(of: connection) else { return }
    leaderConnections?.connections.remove(at: place)
    guard let known = leaderConnections, known.connections.isEmpty else { return }
    leaderConnections = nil
    if known.leader == raft?.leader { raft?.step(.leaderConnectionLost, now: now, into: &consensus) }
  }

  /// A node that the configuration does not name, or that may not be named any more before it is answered, as a leader that removes itself,
  /// can be answered only the way its message came.
  private mutating func remember(_ node: NodeID, _ connection: UInt64) {
    guard raft?.configuration.isMember(node) == false || node == raft?.leader else { return }
    if let last = callers.last, last.node == node, last.connection == connection { return }
    callers.removeAll { $0.node == node }
    if callers.count >= Configuration.maximumMembers { callers.removeFirst() }
    callers.append((node, connection))
  }

  private func isOfMember(_ frame: Frame) -> Bool {
    if let cluster = frame.cluster, cluster == identity.cluster { return frame.to == nil || frame.to == identity.node }
    guard formation != nil, case .bootstrap(let bootstrap) = frame.body else { return false }
    return peerInfo.initialCluster.contains { $0.name == bootstrap.name }
  }

  /// The first frame on a new connection to this address; `nil` until the cluster has formed.
  func greeting(for address: String) -> [UInt8]? {
    guard !isStopped, raft?.configuration.members.contains(where: { self.address(of: $0) == address }) == true else { return nil }
    // It names no receiver: where one is replaced by another on the same machine, two members have one address.
    return Frame(cluster: identity.cluster, from: identity.node, to: nil, body: .greeting).encoded()
  }

  private mutating func refuse(_ what: String, now: Instant, into effects: inout ControlEffects) {
    complain(.refusedFrame(what), now: now, into: &effects)
  }

  /// One line a second at most: a foreign sender must not fill the log.
  private mutating func complain(_ diagnostic: Diagnostic, now: Instant, into effects: inout ControlEffects) {
    if let last = lastRefusalNotice, now - last < .milliseconds(1000) { return }
    lastRefusalNotice = now
    effects.diagnostics.append(diagnostic)
  }

  /// Sends what may leave by now: the term that a message names, and the vote in it, are durable before anybody hears of them.
  mutating func releaseMessages(into effects: inout ControlEffects) {
    guard !withheld.isEmpty, let cluster = identity.cluster, let configuration = raft?.configuration else { return }
    var kept: [Outbound] = []
    for outbound in withheld {
      guard outbound.after <= durableSequence else {
        kept.append(outbound)
        continue
      }
      // The leader of another term may have had it replaced by now; the one of the earlier term does not lead any more.
      if case .appendAccepted = outbound.message.body, outbound.message.term != raft?.term { continue }
      guard let destination = destination(of: outbound.message.to, in: configuration) else { continue }
      let frame = Frame(cluster: cluster, from: identity.node, to: outbound.message.to, body: .message(outbound.message))
      effects.frames.append((destination, frame.kind.lane, frame.encoded()))
    }
    withheld.clear()
    if !kept.isEmpty { withheld.append(contentsOf: newest(of: kept)) }
  }

  func destination(of node: NodeID, in configuration: Configuration) -> Destination? {
    if let member = configuration.member(node) { return .address(address(of: member)) }
    return callers.last { $0.node == node }.map { .connection($0.connection) }
  }

  /// As many of the last as may be withheld.
  private func newest(of messages: [Outbound]) -> ArraySlice<Outbound> {
    var room = settings.maximumWithheldBytes
    let count = messages.reversed().prefix(settings.maximumWithheldMessages).prefix {
      room -= $0.message.longPartSize
      return room >= 0
    }.count
    return messages.suffix(count)
  }

  // MARK: Formation

  private mutating func receive(
    _ bootstrap: BootstrapMessage, from peer: NodeID, connection: UInt64, now: Instant, into effects: inout ControlEffects
  ) {
    if formation == nil {
      // The reply names the members: a latecomer goes on from there, and a node of another cluster learns that it is one.
      if case .formed = bootstrap.phase { return }
      if let configuration = identity.phase.configuration {
        effects.frames.append((.connection(connection), .control, bootstrapFrame(.formed(configuration))))
      }
      return
    }
    if !peerInfo.join.isEmpty {
      guard case .formed(let configuration) = bootstrap.phase, identity.cluster == nil else { return }
      // The cluster's identity; who is a member by now is in the log, once a leader sends it.
      identity = IdentityRecord(node: identity.node, name: identity.name, phase: .joined(configuration))
      effects.identity = identity
      return
    }
    guard let step = formation?.receive(bootstrap, from: peer) else { return }
    take(step, now: now, into: &effects)
  }

  private mutating func take(_ step: Formation.Step, now: Instant, into effects: inout ControlEffects) {
    switch step {
    case .wait: break
    case .castVote(let configuration):
      // Do not send it before it is durable.
      identity = IdentityRecord(node: identity.node, name: identity.name, phase: .voted(configuration))
      effects.identity = identity
    case .form(let configuration):
      formation = nil
      raft = RaftCore(bootstrapping: configuration, id: identity.node, settings: settings.raft, seed: random.next(), now: now)
      effects.diagnostics.append(.formed(configuration.digest))
    case .doubt(let text): refuse(text, now: now, into: &effects)
    case .refused(let text):
      complain(.refusedByCluster(text), now: now, into: &effects)
    }
  }

  @usableFromInline
  mutating func identitySaved(now: Instant, into effects: inout ControlEffects) {
    if formation != nil, case .joined(let configuration) = identity.phase { return join(configuration, now: now, into: &effects) }
    guard case .voted(let configuration) = identity.phase, let step = formation?.voted(configuration) else { return }
    nextBootstrap = now
    take(step, now: now, into: &effects)
  }

  /// It belongs to a cluster that had formed before, and waits until a leader sends it the log.
  private mutating func join(_ configuration: Configuration, now: Instant, into effects: inout ControlEffects) {
    formation = nil
    raft = try? RaftCore(
      restarting: DurableState(hardState: HardState(term: 0)), snapshot: nil, joining: true, id: identity.node, settings: settings.raft,
      seed: random.next(), now: now)
    effects.diagnostics.append(.formed(configuration.digest))
  }

  mutating func sendBootstrap(now: Instant, into effects: inout ControlEffects) {
    nextBootstrap = now + Self.bootstrapInterval
    if !peerInfo.join.isEmpty {
      guard identity.cluster == nil else { return }
      for address in peerInfo.join { effects.frames.append((.address(address), .control, bootstrapFrame(.undecided))) }
      return
    }
    if let step = formation?.next() { take(step, now: now, into: &effects) }
    guard let formation else { return }
    for peer in peerInfo.initialCluster where peer.name != peerInfo.name {
      effects.frames.append((.address(peer.peerAddress), .control, bootstrapFrame(formation.bootstrap.phase)))
    }
    guard formation.awaited != reportedAwaited else { return }
    reportedAwaited = formation.awaited
    effects.diagnostics.append(.waitingForMembers(formation.awaited))
  }

  /// The log exists from its first durable write on; from then on its absence is a loss.
  @usableFromInline
  mutating func written(through sequence: UInt64, now: Instant, into effects: inout ControlEffects) {
    durableSequence = max(durableSequence, sequence)
    raft?.step(.written(through: sequence), now: now, into: &consensus)
    switch identity.phase {
    case .voted(let configuration) where raft != nil: becomeFormed(configuration, into: &effects)
    case .joined(let configuration) where raft?.durableIndex ?? 0 > 0: becomeFormed(configuration, into: &effects)
    default: break
    }
  }

  private mutating func becomeFormed(_ configuration: Configuration, into effects: inout ControlEffects) {
    identity = IdentityRecord(node: identity.node, name: identity.name, phase: .formed(configuration))
    effects.identity = identity
  }

  private func bootstrapFrame(_ phase: IdentityRecord.Phase) -> [UInt8] {
    let bootstrap = BootstrapMessage(
      name: peerInfo.name, peerAddress: peerInfo.peerAddress, clientAddress: peerInfo.clientAddress,
      names: peerInfo.initialCluster.map(\.name).sorted(), phase: phase)
    return Frame(cluster: identity.cluster, from: identity.node, to: nil, body: .bootstrap(bootstrap)).encoded()
  }
}

extension IdentityRecord.Phase {
  var configuration: Configuration? {
    switch self {
    case .undecided: nil
    case .voted(let configuration), .joined(let configuration), .formed(let configuration): configuration
    }
  }
}

extension IdentityRecord {
  /// The cluster had formed without it, and it has got nothing of the log. From then on an empty log is a loss.
  var isNewcomer: Bool {
    if case .joined = phase { true } else { false }
  }
}
