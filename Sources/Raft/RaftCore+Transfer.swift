/// A hand-over of leadership that is under way.
struct Transfer: Sendable {
  /// Who asked for it; `nil` if the leader hands over by itself.
  let request: UInt64?
  let target: NodeID
  /// The term whose leader hands over.
  let term: Term
  /// When it has failed.
  let deadline: Instant
  /// When the target was last told to stand.
  var toldAt: Instant?
}

/// Leadership transfer: the dissertation, section 3.10. The leader takes no proposals, catches the target up, and tells it to stand at
/// once. Within an election timeout the target leads, or the transfer has failed and proposals are taken again.
///
/// Reads go on meanwhile: each waits for a round that began after it was asked, and a quorum that answers it has not voted for another
/// leader by then.
extension RaftCore {
  mutating func operate(_ number: UInt64, _ request: OperatorRequest, now: Instant, into effects: inout Effects) {
    do throws(OperatorError) {
      guard role == .leader else { throw .notLeader(leader: leader) }
      guard transfer == nil else { throw .transferUnderWay }
      switch request {
      case .add, .promote, .remove, .update: try beginChange(request, for: number, now: now)
      case .transfer(to: id): effects.operated.append((number, nil))
      case .transfer(let target): try beginTransfer(to: target, for: number, now: now)
      }
    } catch {
      effects.operated.append((number, error))
    }
  }

  private mutating func beginTransfer(to target: NodeID?, for request: UInt64, now: Instant) throws(OperatorError) {
    guard let target = target ?? bestSuccessor(now: now) else { throw .nobodyToLead }
    guard configuration.member(target) != nil else { throw .unknownMember(target) }
    guard configuration.voterIDs.contains(target) else { throw .notAVoter(target) }
    guard isHeardOf(target, now: now) else { throw .unreachable(target) }
    transfer = Transfer(request: request, target: target, term: term, deadline: now + settings.electionTimeout)
  }

  /// Hands over without being asked, to one that is heard of and has what is committed: or goes on, and tries again after a while, since
  /// a leader that few like is better than none.
  mutating func handOver(to target: NodeID?, now: Instant) {
    guard role == .leader, transfer == nil, commitIndex >= leadership.termStart, now >= nextHandOver, let target,
      configuration.voterIDs.contains(target), isHeardOf(target, now: now), leadership.match(of: target) >= commitIndex
    else { return }
    nextHandOver = now + 8 * settings.electionTimeout
    transfer = Transfer(request: nil, target: target, term: term, deadline: now + settings.electionTimeout)
  }

  func isHeardOf(_ peer: NodeID, now: Instant) -> Bool {
    leadership.peers.contains { $0.peer == peer && $0.hasAnswered && now - $0.lastContact < settings.electionTimeout }
  }

  /// The voter that has most of the log, of those that are heard of.
  func bestSuccessor(now: Instant) -> NodeID? {
    let voters = configuration.voterIDs
    let heard = leadership.peers.filter { voters.contains($0.peer) && isHeardOf($0.peer, now: now) }
    return heard.max { ($0.match, $1.peer) < ($1.match, $0.peer) }?.peer
  }

  /// Tells the target to stand as soon as it has the whole log, and again with each heartbeat, since the message may be lost.
  mutating func continueTransfer(now: Instant, into effects: inout Effects) {
    guard let transfer, leadership.peers.contains(where: { $0.peer == transfer.target && $0.match == log.lastIndex }) else { return }
    if let toldAt = transfer.toldAt, now - toldAt < settings.heartbeatInterval { return }
    self.transfer?.toldAt = now
    send(.timeoutNow, to: transfer.target, into: &effects)
  }

  /// Says what came of a transfer, once that is known: who leads in a newer term, or that the time is over.
  mutating func endTransferIfOver(now: Instant, into effects: inout Effects) {
    guard let transfer else { return }
    let error: OperatorError?
    if term > transfer.term, let leader {
      error = leader == transfer.target ? nil : .anotherLeads(leader)
    } else if now >= transfer.deadline {
      error = .transferTimedOut(transfer.target)
    } else {
      return
    }
    self.transfer = nil
    if let id = transfer.request { effects.operated.append((id, error)) }
  }
}
