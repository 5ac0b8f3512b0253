import Raft

/// Linearizable reads on their way: all that wait at the end of a turn are one batch, for which the leader is asked once.
struct Reads: Sendable {
  private struct Batch {
    let id: ReadID
    var requests: [RequestID]
    /// Keys of `Questions`, which wait for the same.
    var questions: [UInt64]
    let retryAt: Instant
    /// What must be applied before they are answered, once a quorum has confirmed it.
    var index: LogIndex?
  }

  private(set) var waiting: [RequestID] = []
  private var waitingQuestions: [UInt64] = []
  private var batches: [Batch] = []
  private var nextID: ReadID = 0

  init() {}

  /// When the leader is asked again for a batch without an answer.
  var deadline: Instant { batches.lazy.filter { $0.index == nil }.map(\.retryAt).min() ?? .never }

  var batchCount: Int { batches.count }
  /// Requests in all of them, and those that wait.
  var requestCount: Int { batches.reduce(waiting.count) { $0 + $1.requests.count } }

  var isWaiting: Bool { !waiting.isEmpty || !waitingQuestions.isEmpty }

  mutating func add(_ id: RequestID) { waiting.append(id) }
  mutating func add(questions key: UInt64) { waitingQuestions.append(key) }

  /// Takes all that wait into a new batch. `fresh` is used for the first one: an id must not be one of an earlier process's.
  mutating func startBatch(fresh: UInt64, now: Instant, retryAfter: Nanoseconds) -> ReadID {
    nextID = nextID == 0 ? fresh : nextID &+ 1
    batches.append(Batch(id: nextID, requests: waiting, questions: waitingQuestions, retryAt: now + retryAfter))
    waiting.removeAll()
    waitingQuestions.removeAll()
    return nextID
  }

  mutating func confirm(_ id: ReadID, index: LogIndex) {
    guard let batch = batches.firstIndex(where: { $0.id == id && $0.index == nil }) else { return }
    batches[batch].index = index
  }

  /// The requests and the questions that may be answered now that `applied` is.
  mutating func takeReady(applied: LogIndex) -> (requests: [RequestID], questions: [UInt64]) {
    guard batches.contains(where: { $0.index ?? .max <= applied }) else { return ([], []) }
    let ready = batches.filter { $0.index ?? .max <= applied }
    batches.removeAll { $0.index ?? .max <= applied }
    return (ready.flatMap(\.requests), ready.flatMap(\.questions))
  }

  /// Batches without an answer are asked for anew, under another id: the message may be lost, or the leader gone.
  mutating func retryUnconfirmed(now: Instant) {
    let stale = batches.filter { $0.index == nil && $0.retryAt <= now }
    guard !stale.isEmpty else { return }
    waiting.insert(contentsOf: stale.flatMap(\.requests), at: 0)
    waitingQuestions.insert(contentsOf: stale.flatMap(\.questions), at: 0)
    batches.removeAll { $0.index == nil && $0.retryAt <= now }
  }

  /// All of them, or those that are not asked any more. Batches that have nothing else go with them.
  mutating func forgetQuestions(butNot isAsked: (UInt64) -> Bool = { _ in false }) {
    waitingQuestions.removeAll { !isAsked($0) }
    for place in batches.indices { batches[place].questions.removeAll { !isAsked($0) } }
    batches.removeAll { $0.requests.isEmpty && $0.questions.isEmpty }
  }

  /// Each is dropped alone: a batch may last as long as its most patient request, and clients may fill any number of them meanwhile.
  mutating func forget(_ isAnswered: (RequestID) -> Bool, butNot isAsked: (UInt64) -> Bool) {
    waiting.removeAll(where: isAnswered)
    waitingQuestions.removeAll { !isAsked($0) }
    for place in batches.indices {
      batches[place].requests.removeAll(where: isAnswered)
      batches[place].questions.removeAll { !isAsked($0) }
    }
    batches.removeAll { $0.requests.isEmpty && $0.questions.isEmpty }
  }

  mutating func removeAll() {
    waiting.removeAll()
    waitingQuestions.removeAll()
    batches.removeAll()
  }
}

extension ReplicaControl {
  @usableFromInline
  mutating func read(
    _ id: RequestID, _ consistency: Consistency, deadline: Instant, now: Instant, into effects: inout ControlEffects
  ) {
    if consistency == .serializable, raft != nil, !isStopped {
      let staleness = raft?.timeSinceLeaderContact(now: now) ?? .max
      return effects.answers.append(.view(id, index: appliedIndex, staleness: staleness))
    }
    if let error = admissionError(command: nil) { return effects.answers.append(.failed(id, error)) }
    pending.add(id, PendingRequests.Item(state: .read, bytes: 0, deadline: deadline))
    reads.add(id)
  }

  mutating func dispatchReads(now: Instant) {
    guard reads.isWaiting, raft?.leader != nil else { return }
    let id = reads.startBatch(fresh: random.next(), now: now, retryAfter: settings.raft.electionTimeout)
    raft?.step(.read(id), now: now, into: &consensus)
  }

  mutating func answerReads(into effects: inout ControlEffects) {
    let ready = reads.takeReady(applied: appliedIndex)
    for id in ready.requests where pending.take(id) != nil { effects.answers.append(.view(id, index: appliedIndex, staleness: nil)) }
    for key in ready.questions { questions.confirm(key) }
  }

  /// Tells what changed, and asks again what a leader that is gone will not answer.
  mutating func report(into effects: inout ControlEffects) {
    if raft?.isRemoved == true, !reportedRemoval {
      reportedRemoval = true
      effects.diagnostics.append(.removed)
    }
    guard let role = raft?.role, let term = raft?.term, (role, raft?.leader, term) != reported else { return }
    let (oldRole, oldLeader, oldTerm) = reported
    reported = (role, raft?.leader, term)
    if oldRole == .leader, role != .leader {
      effects.diagnostics.append(
        .lostLeadership(
          oldTerm, term > oldTerm ? "a newer term began" : raft?.isRemoved == true ? "it is no member any more" : "no majority answers"))
      pace = Pace()
      // Those of others are for whoever leads next, however long there is nobody.
      askAnew()
    }
    guard (reported.leader, term) != (oldLeader, oldTerm), let leader = reported.leader else { return }
    effects.diagnostics.append(leader == identity.node ? .becameLeader(term) : .follows(leader, term))
    inFlight.hold(until: .zero)
    reads.retryUnconfirmed(now: .never)
    askAnew()
    hasWork = hasWork || !queue.isEmpty || reads.isWaiting || !questions.waiting.isEmpty
  }
}
