/// A read that waits until a quorum confirms that this node led when it was asked.
struct PendingRead: Sendable {
  let id: ReadID
  /// The member that asked; `nil` for this node itself.
  let origin: NodeID?
  /// What must be applied before the read is served.
  let index: LogIndex
  /// The round of heartbeats, begun after the read was asked, that a quorum must answer.
  let round: UInt64
}

extension Leadership {
  /// One round confirms every read that waits by now. Its number is never used again in this term.
  mutating func startRoundIfWanted(now: Instant, settings: Settings) {
    guard wantsRound else { return }
    wantsRound = false
    round += 1
    heartbeatDeadline = min(heartbeatDeadline, now)
  }
}

/// ReadIndex: the dissertation, section 6.4.
extension RaftCore {
  mutating func requestRead(_ id: ReadID, into effects: inout Effects) {
    switch role {
    case .leader: addRead(id, origin: nil)
    case .follower: if let leader { send(.readRequest(id), to: leader, into: &effects) }
    case .candidate, .preCandidate: break
    }
  }

  mutating func receiveReadRequest(_ id: ReadID, from peer: NodeID, into effects: inout Effects) {
    if role == .leader { addRead(id, origin: peer) }
  }

  private mutating func addRead(_ id: ReadID, origin: NodeID?) {
    guard leadership.reads.count < settings.maximumReads else { return }
    // Before the term's no-op is applied, entries of earlier leaders may be committed without our knowing: the read waits for it.
    let index = max(commitIndex, leadership.termStart)
    leadership.reads.append(PendingRead(id: id, origin: origin, index: index, round: leadership.round + 1))
    leadership.wantsRound = true
  }

  mutating func confirmReads(into effects: inout Effects) {
    guard !leadership.reads.isEmpty else { return }
    let own = leadership.round
    guard let confirmed = configuration.reached({ $0 == id ? own : leadership.progress(of: $0)?.answeredRound ?? 0 }) else { return }
    let ready = leadership.reads.prefix { $0.round <= confirmed }
    guard !ready.isEmpty else { return }
    leadership.reads.removeFirst(ready.count)
    for read in ready {
      if let origin = read.origin {
        send(.readResponse(read.id, index: read.index), to: origin, into: &effects)
      } else {
        effects.readable.append((read.id, read.index))
      }
    }
  }
}
