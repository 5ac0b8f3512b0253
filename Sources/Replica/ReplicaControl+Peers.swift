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
    if isOfMember(frame) { effects.frameVerdict = .member }
    switch frame.body {
    case .bootstrap(let bootstrap):
      receive(bootstrap, from: frame.from, connection: connection, now: now, into: &effects)
    case .greeting: break
    case .wrongCluster:
      refuse("node \(frame.from) belongs to another cluster: check its address in this cluster's configuration", now: now, into: &effects)
    case .message(let message):
      guard let cluster = identity.cluster, raft != nil else { return }
      guard frame.cluster == cluster else {
        let answer = Frame(cluster: cluster, from: identity.node, to: frame.from, body: .wrongCluster)
        effects.frames.append((.connection(connection), answer.encoded()))
        return refuse(
          "frame of another cluster (\(frame.cluster?.description ?? "none")) from node \(frame.from)", now: now, into: &effects)
      }
      guard message.to == identity.node else {
        return refuse("frame for node \(message.to), which this node is not", now: now, into: &effects)
      }
      raft?.step(.message(message), now: now, into: &consensus)
    }
  }

  private func isOfMember(_ frame: Frame) -> Bool {
    if let cluster = frame.cluster, cluster == identity.cluster { return frame.to == nil || frame.to == identity.node }
    guard formation != nil, case .bootstrap(let bootstrap) = frame.body else { return false }
    return peerInfo.initialCluster.contains { $0.name == bootstrap.name }
  }

  /// The first frame on a new connection to this address; `nil` until the cluster has formed.
  func greeting(for address: String) -> [UInt8]? {
    guard !isStopped, let member = raft?.configuration.voters.first(where: { $0.peerAddress == address }) else { return nil }
    return Frame(cluster: identity.cluster, from: identity.node, to: member.id, body: .greeting).encoded()
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
      guard let address = configuration.member(outbound.message.to)?.peerAddress else { continue }
      let frame = Frame(cluster: cluster, from: identity.node, to: outbound.message.to, body: .message(outbound.message))
      effects.frames.append((.address(address), frame.encoded()))
    }
    withheld.clear()
    if !kept.isEmpty { withheld.append(contentsOf: newest(of: kept)) }
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
        effects.frames.append((.connection(connection), bootstrapFrame(.formed(configuration))))
      }
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
    guard case .voted(let configuration) = identity.phase, let step = formation?.voted(configuration) else { return }
    nextBootstrap = now
    take(step, now: now, into: &effects)
  }

  mutating func sendBootstrap(now: Instant, into effects: inout ControlEffects) {
    nextBootstrap = now + Self.bootstrapInterval
    if let step = formation?.next() { take(step, now: now, into: &effects) }
    guard let formation else { return }
    for peer in peerInfo.initialCluster where peer.name != peerInfo.name {
      effects.frames.append((.address(peer.peerAddress), bootstrapFrame(formation.bootstrap.phase)))
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
    if raft != nil, case .voted(let configuration) = identity.phase {
      identity = IdentityRecord(node: identity.node, name: identity.name, phase: .formed(configuration))
      effects.identity = identity
    }
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
    case .voted(let configuration), .formed(let configuration): configuration
    }
  }
}
