import Raft
import Replica

/// What intruders say: as plausible as somebody can make it who knows how the cluster stands.
extension Run {
  /// One of them says one thing to a node, if it runs.
  func intrude(on name: String, using random: inout PseudoRandom) {
    let intruder = random.pick(Intruder.allCases)
    guard cluster.isRunning(name), let target = cluster.identity(of: name), let status = cluster.status(of: name) else { return }
    let others = story.names.compactMap { cluster.identity(of: $0) }.filter { $0 != target }
    let own = random.pick(others + [NodeID(random.next() | 1)])
    let words = Words(target: target, others: others, status: status, overheard: cluster.overheard.frames)
    switch intruder {
    case .stranger:
      let cluster = random.chance(1, in: 2) ? status.cluster : Self.otherCluster
      say(words.draw(by: own, to: target, of: cluster, &random), as: intruder, .nobody, to: name)
    case .impostor:
      let victim = random.pick(others.filter { $0 != own } + [target, NodeID(random.next() | 1)])
      say(words.draw(by: victim, to: target, of: status.cluster, &random), as: intruder, .node(own), to: name)
    case .foreigner:
      let cluster = random.chance(3, in: 4) ? Self.otherCluster : nil
      say(words.draw(by: own, to: target, of: cluster, &random), as: intruder, .node(own), to: name)
    case .stray:
      let frame = words.draw(by: own, to: random.pick(others + [NodeID(random.next() | 1)]), of: status.cluster, &random)
      // What names no receiver cannot stray.
      if frame.to != nil { say(frame, as: intruder, .node(own), to: name) }
    case .former:
      guard let former = former(&random) else { return }
      say(words.draw(by: former, to: target, of: status.cluster, &random), as: intruder, .node(former), to: name)
    case .echo:
      let said = cluster.overheard.frames.compactMap { try? Frame(decoding: $0[...]) }.filter { frame in
        members.committed?.removed.contains(frame.from) == true && (frame.to == nil || frame.to == target)
      }
      if !said.isEmpty { let frame = random.pick(said); say(frame, as: intruder, .node(frame.from), to: name) }
    }
  }

  private static var otherCluster: ClusterID { ClusterID(0xbad) }

  private func say(_ frame: Frame, as intruder: Intruder, _ proof: PeerProof, to name: String) {
    cluster.intrude(Intrusion(intruder: intruder, proof: proof, frame: frame), on: name)
  }

  private func former(_ random: inout PseudoRandom) -> NodeID? {
    guard let removed = members.committed?.removed, !removed.isEmpty else { return nil }
    return random.pick(removed)
  }
}

/// Draws what is said.
private struct Words {
  let target: NodeID
  let others: [NodeID]
  let status: ReplicaStatus
  let overheard: [[UInt8]]

  /// Something that was said by somebody else, or a message that nobody ever said.
  func draw(by sender: NodeID, to receiver: NodeID, of cluster: ClusterID?, _ random: inout PseudoRandom) -> Frame {
    if random.chance(1, in: 3), let frame = overheard.isEmpty ? nil : try? Frame(decoding: random.pick(overheard)[...]) {
      return frame.said(by: sender, to: frame.to == nil ? nil : receiver, of: cluster)
    }
    let term = random.pick([status.term, status.term, status.term + 1, status.term + 1, status.term + 1000, 1 << 62, .max])
    let message = Message(from: sender, to: receiver, term: term, body: body(term, &random))
    return Frame(cluster: cluster, from: sender, to: receiver, body: .message(message))
  }

  private func body(_ term: Term, _ random: inout PseudoRandom) -> Message.Body {
    let indices = [0, 1, status.commitIndex, status.commitIndex + 1, status.lastIndex, status.lastIndex + 1, 1 << 40]
    let index = random.pick(indices)
    let position = LogPosition(index: index, term: random.pick([status.term, term]))
    switch random.below(19) {
    case 0: return .preVoteRequest(last: position)
    case 1: return .preVoteResponse(granted: random.chance(1, in: 2))
    case 2: return .voteRequest(last: position)
    case 3: return .voteResponse(granted: true)
    case 4, 5:
      let previous = LogPosition(index: status.lastIndex, term: random.pick([status.term, term]))
      let entry = Entry(index: previous.index + 1, term: term, kind: .command, payload: Array("intruder".utf8)[...])
      return .append(previous: previous, entries: random.chance(1, in: 4) ? [] : [entry], commit: previous.index + 1)
    case 6: return .appendAccepted(match: index)
    case 7: return .appendRejected(previous: index, hint: position)
    case 8: return .heartbeat(round: random.below(100), commit: index, confirmed: index)
    case 9: return .heartbeatResponse(round: .max, confirmed: index, received: index, match: index)
    case 10: return .commit(index)
    case 11: return snapshotBlock(position)
    case 12: return .snapshotProgress(position, next: 0)
    case 13: return .readRequest(random.next())
    case 14: return .readResponse(random.below(16), index: index)
    case 15:
      let proposal = Proposal(origin: random.pick(others + [target]), request: 1 + random.below(100), command: [0xff, 0, 1])
      return .proposals(stream: random.next(), sequence: 1, [proposal.encoded()])
    case 16: return .timeoutNow
    case 17: return .transferVoteRequest(last: position)
    default: return random.pick([.removed, .outdated])
    }
  }

  /// All of a snapshot of nothing, in one block.
  private func snapshotBlock(_ position: LogPosition) -> Message.Body {
    guard let configuration = status.configuration else { return .timeoutNow }
    let descriptor = SnapshotDescriptor(
      position: LogPosition(index: position.index + 1000, term: position.term), configuration: configuration, configurationIndex: 1)
    return .snapshotBlock(descriptor, number: 0, block: [], last: true)
  }
}
