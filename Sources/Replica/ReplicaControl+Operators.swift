import Raft

/// What operators ask of the leader. Nothing is forwarded: whoever does not lead says so, and who does.
extension ReplicaControl {
  @usableFromInline
  mutating func operate(
    _ id: RequestID, _ request: OperatorRequest, deadline: Instant, now: Instant, into effects: inout ControlEffects
  ) {
    if let error = admissionError(command: nil) { return effects.answers.append(.failed(id, error)) }
    guard raft != nil else {
      let error = RequestError(.notFormed(awaited: formation?.awaited ?? []), outcome: .notDone)
      return effects.answers.append(.failed(id, error))
    }
    pending.add(id, PendingRequests.Item(state: .operatorRequest, bytes: 0, deadline: deadline))
    raft?.step(.operate(id, request), now: now, into: &consensus)
  }

  mutating func operated(_ id: RequestID, _ error: OperatorError?, into effects: inout ControlEffects) {
    guard pending.take(id) != nil else { return }
    guard let error else { return effects.answers.append(.done(id)) }
    effects.answers.append(.failed(id, RequestError(.refused(error), outcome: error.isOutcomeUnknown ? .unknown : .notDone)))
  }
}
