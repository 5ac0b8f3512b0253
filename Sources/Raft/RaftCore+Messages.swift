/// Where messages arrive, and where terms are compared: the paper, section 5.1.
extension RaftCore {
  mutating func receive(_ message: Message, now: Instant, into effects: inout Effects) {
    guard message.to == id, message.from != id, message.term <= Message.maximumNumber, hears(message, into: &effects) else { return }
    if case .removed = message.body { return wasToldToLeave = role != .leader }
    if case .preVoteRequest(let last) = message.body {
      return receivePreVoteRequest(message, last: last, now: now, into: &effects)
    }
    if case .preVoteResponse(granted: true) = message.body {
      return receivePreVoteResponse(message, granted: true, now: now, into: &effects)
    }
    if message.term > term {
      guard !ignoresVoteRequest(message, now: now) else { return }
      enter(term: message.term)
      becomeFollower(of: nil, now: now)
    }
    guard message.term == term else { return refuseOutdated(message, into: &effects) }
    receiveOfThisTerm(message, now: now, into: &effects)
  }

  /// A request of an older term is answered with the current one, so that its sender learns of it; an answer of an older term is void.
  private mutating func refuseOutdated(_ message: Message, into effects: inout Effects) {
    switch message.body {
    case .append, .heartbeat, .snapshotBlock, .voteRequest, .transferVoteRequest, .readRequest, .proposals:
      send(.outdated, to: message.from, into: &effects)
    case .preVoteRequest, .preVoteResponse, .voteResponse, .appendAccepted, .appendRejected, .heartbeatResponse, .commit,
      .snapshotProgress, .readResponse, .proposalsRefused, .timeoutNow, .removed, .outdated:
      break
    }
  }

  private mutating func receiveOfThisTerm(_ message: Message, now: Instant, into effects: inout Effects) {
    let peer = message.from
    switch message.body {
    case .preVoteRequest, .removed, .outdated: break
    case .preVoteResponse(let granted): receivePreVoteResponse(message, granted: granted, now: now, into: &effects)
    case .voteRequest(let last), .transferVoteRequest(let last): receiveVoteRequest(from: peer, last: last, now: now, into: &effects)
    case .voteResponse(let granted): countVote(of: peer, granted: granted, now: now)
    case .append, .heartbeat, .commit, .snapshotBlock, .timeoutNow: receiveFromLeader(message, now: now, into: &effects)
    case .appendAccepted, .appendRejected, .heartbeatResponse, .snapshotProgress: receiveFromFollower(message, now: now, into: &effects)
    case .readRequest(let id): receiveReadRequest(id, from: peer, into: &effects)
    case .proposals(let stream, let sequence, let payloads):
      receiveProposals(payloads, stream: stream, sequence: sequence, from: peer, into: &effects)
    case .proposalsRefused(let stream, let sequence): effects.refusedProposals.append((stream, sequence))
    case .readResponse(let id, let index): if peer == leader { effects.readable.append((id, index)) }
    }
  }
}
