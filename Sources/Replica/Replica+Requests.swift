import ByteCoding
import Raft

/// Commands of this node that a leader elsewhere was asked to append.
struct Forwarding: Sendable {
  private struct Batch {
    let sequence: UInt64
    let items: [(id: RequestID, payload: Bytes)]
  }

  /// Named anew at each start, so that what an earlier process sent is not mistaken for what this one sends.
  let stream: UInt64
  private var nextSequence: UInt64 = 1
  private var batches: [Batch] = []
  /// After a refusal, when to ask again.
  private var heldUntil: Instant = .zero

  init(stream: UInt64) { self.stream = stream }

  func isHeld(now: Instant) -> Bool { now < heldUntil }

  func deadline(whileQueued isQueued: Bool) -> Instant { isQueued && heldUntil > .zero ? heldUntil : .never }

  mutating func hold(until instant: Instant) { heldUntil = instant }
  mutating func release() { heldUntil = .zero }

  mutating func add(_ items: [(id: RequestID, payload: Bytes)]) -> UInt64 {
    defer { nextSequence += 1 }
    batches.append(Batch(sequence: nextSequence, items: items))
    return nextSequence
  }

  mutating func take(_ sequence: UInt64) -> [(id: RequestID, payload: Bytes)] {
    guard let index = batches.firstIndex(where: { $0.sequence == sequence }) else { return [] }
    return batches.remove(at: index).items
  }

  /// Forgets the batches in which nobody waits any more.
  mutating func forget(_ isAnswered: (RequestID) -> Bool) {
    batches.removeAll { $0.items.allSatisfy { isAnswered($0.id) } }
  }
}

/// Commands: from the client into the log of whoever leads.
extension Replica {
  /// Most bytes of commands in one message to the leader (one command may be larger, and then goes alone).
  private static var maximumForwardBytes: Int { 1 << 20 }

  mutating func propose(_ id: RequestID, command: Bytes, deadline: Instant, into effects: inout ReplicaEffects<Machine>) {
    if let error = admissionError(bytes: command.count) { return effects.replies.append(.failed(id, error)) }
    let payload = Proposal(origin: identity.node, request: id, command: command).encoded()
    pending.add(id, PendingRequests.Item(state: .queued, bytes: payload.count, deadline: deadline))
    queue.append((id, payload))
  }

  func admissionError(bytes: Int) -> RequestError? {
    if isStopped { return stopError(for: .queued) }
    if bytes > settings.maximumCommandSize {
      return RequestError(.tooLarge(size: bytes, limit: settings.maximumCommandSize), outcome: .notDone)
    }
    if pending.count >= settings.maximumPendingRequests || pending.bytes + bytes > settings.maximumPendingBytes {
      return RequestError(.busy, outcome: .notDone)
    }
    return nil
  }

  mutating func dispatchQueue(now: Instant) {
    guard let raft, !queue.isEmpty else { return }
    if raft.role == .leader {
      appendQueue(now: now)
    } else if raft.leader != nil, !forwarding.isHeld(now: now) {
      while let batch = takeBatch(limit: Self.maximumForwardBytes) {
        let sequence = forwarding.add(batch)
        self.raft?.step(
          .forward(stream: forwarding.stream, sequence: sequence, batch.map(\.payload)), now: now, into: &consensus)
      }
    }
  }

  private mutating func appendQueue(now: Instant) {
    guard let room = raft.map({ $0.settings.maximumUncommittedBytes - $0.uncommittedBytes }), room > 0 else { return }
    guard let batch = takeBatch(limit: room), let first = raft.map({ $0.lastIndex + 1 }) else { return }
    raft?.step(.propose(batch.map(\.payload)), now: now, into: &consensus)
    let term = raft?.term ?? 0
    for (offset, item) in batch.enumerated() {
      appended.append((LogPosition(index: first + UInt64(offset), term: term), item.id))
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
  mutating func requeue(_ sequence: UInt64, stream: UInt64, now: Instant) {
    guard stream == forwarding.stream else { return }
    let items = forwarding.take(sequence).filter { pending.contains($0.id) }
    for item in items { pending.mark(item.id, .queued) }
    queue.insert(contentsOf: items, at: 0)
    forwarding.hold(until: now + settings.raft.heartbeatInterval)
  }

  mutating func expireRequests(now: Instant, into effects: inout ReplicaEffects<Machine>) {
    let expired = pending.takeExpired(now: now)
    guard !expired.isEmpty else { return }
    let hasLeader = raft?.leader != nil
    for (id, item) in expired {
      let reason: RequestError.Reason = hasLeader || item.state == .sent ? .deadlineExceeded : .noLeader
      effects.replies.append(.failed(id, RequestError(reason, outcome: item.state == .sent ? .unknown : .notDone)))
    }
    queue.removeAll { !pending.contains($0.id) }
    appended.removeAll { !pending.contains($0.id) }
    reads.forget { !pending.contains($0) }
    forwarding.forget { !pending.contains($0) }
  }
}
