import ByteCoding
import Raft

/// Commands: from the client into the leader's log.
extension ReplicaControl {
  @usableFromInline
  mutating func propose(_ id: RequestID, command: Bytes, deadline: Instant, into effects: inout ControlEffects) {
    if let error = admissionError(command: command.count) { return effects.answers.append(.failed(id, error)) }
    let payload = Proposal(origin: identity.node, request: id, command: command).encoded()
    pending.add(id, PendingRequests.Item(state: .queued, bytes: payload.count, deadline: deadline))
    queue.append((id, payload))
  }

  /// Why a request cannot be taken; `command` is its size, `nil` for a read.
  func admissionError(command size: Int?) -> RequestError? {
    if isStopped { return stopError(for: .queued) }
    if let size, size > settings.maximumCommandSize {
      return RequestError(.tooLarge(size: size, limit: settings.maximumCommandSize), outcome: .notDone)
    }
    let bytes = size.map { $0 + Proposal.headerSize } ?? 0
    if pending.count >= settings.maximumPendingRequests || pending.bytes + bytes > settings.maximumPendingBytes {
      return RequestError(.busy, outcome: .notDone)
    }
    return nil
  }

  mutating func dispatchQueue(now: Instant) {
    // The core is never bound to a name here: a second reference to its log would make the next append copy all of it.
    guard !queue.isEmpty, let term = raft?.term else { return }
    if raft?.role == .leader {
      // What the core would not take must not count as sent.
      guard let first = queue.first, raft?.hasRoom(forBytes: first.payload.count) == true,
        let batch = takeBatch(limit: raft?.roomForProposals ?? 0)
      else { return }
      inFlight.add(batch, term: term, sequence: 0)
      raft?.step(.propose(batch.map(\.payload)), now: now, into: &consensus)
    } else if raft?.leader != nil, now >= inFlight.heldUntil {
      while let batch = takeBatch(limit: settings.maximumForwardBytes) {
        let sequence = inFlight.nextSequence()
        inFlight.add(batch, term: term, sequence: sequence)
        raft?.step(.forward(stream: inFlight.stream, sequence: sequence, batch.map(\.payload)), now: now, into: &consensus)
      }
    }
  }

  /// The next commands of the queue that fit, at least one; they count as sent from here on.
  private mutating func takeBatch(limit: Int) -> [(id: RequestID, payload: Bytes)]? {
    var batch: [(id: RequestID, payload: Bytes)] = []
    var bytes = 0
    var taken = 0
    for item in queue {
      guard batch.isEmpty || bytes + item.payload.count <= limit else { break }
      taken += 1
      guard pending.contains(item.id) else { continue }
      bytes += item.payload.count
      batch.append(item)
      pending.mark(item.id, .sent)
    }
    queue.removeFirst(taken)
    return batch.isEmpty ? nil : batch
  }

  /// The leader did not append these, and will not: they wait for the next chance.
  mutating func refused(_ sequence: UInt64, stream: UInt64, now: Instant) {
    guard stream == inFlight.stream else { return }
    requeue(inFlight.takeRefused(sequence))
    inFlight.hold(until: now + settings.raft.heartbeatInterval)
  }

  /// Before those that wait already: they came earlier.
  mutating func requeue(_ items: [InFlight.Item]) {
    let items = items.filter { pending.contains($0.id) }
    for item in items { pending.mark(item.id, .queued) }
    queue.insert(contentsOf: items.map { ($0.id, $0.payload) }, at: 0)
    hasWork = hasWork || !items.isEmpty && raft?.leader != nil
  }

  mutating func expireRequests(now: Instant, into effects: inout ControlEffects) {
    let expired = pending.takeExpired(now: now)
    guard !expired.isEmpty else { return }
    let hasLeader = raft?.leader != nil
    let silence: RequestError.Reason = formation.map { .notFormed(awaited: $0.awaited) } ?? .noLeader
    for (id, item) in expired {
      let reason: RequestError.Reason = hasLeader || item.state.isOpen ? .deadlineExceeded : silence
      effects.answers.append(.failed(id, RequestError(reason, outcome: item.state.isOpen ? .unknown : .notDone)))
    }
    forgetAnswered()
  }

  /// A command that has not left this node will not be done.
  @usableFromInline
  mutating func cancel(_ id: RequestID, into effects: inout ControlEffects) {
    guard let item = pending.take(id) else { return }
    effects.answers.append(.failed(id, RequestError(.cancelled, outcome: item.state.isOpen ? .unknown : .notDone)))
    cancelled.requests += 1
    cancelled.bytes += item.bytes
    // Looking at all for each would take too long; but what nobody waits for must not pile up.
    guard cancelled.requests > max(64, pending.count) || cancelled.bytes > settings.maximumPendingBytes / 8 else { return }
    forgetAnswered()
  }

  /// Drops what is kept for requests that have their answer.
  private mutating func forgetAnswered() {
    cancelled = (0, 0)
    queue.removeAll { !pending.contains($0.id) }
    inFlight.forget { !pending.contains($0) }
    questions.forget { !pending.contains($0) }
    reads.forget {
      !pending.contains($0)
    } butNot: {
      questions.isAsked($0)
    }
  }
}
