import ByteCoding
import Raft

/// What only the leader knows: questions to it, from its own clients and from the other members, and what it proposes by itself.
extension ReplicaControl {
  /// A turn's questions to one leader, for the state machine to answer.
  @usableFromInline typealias AskedQuestions = Questions.Asked

  @usableFromInline
  mutating func ask(_ id: RequestID, question: Bytes, deadline: Instant, into effects: inout ControlEffects) {
    if question.count > ReplicaSettings.largestQuestion {
      let error = RequestError(.tooLarge(size: question.count, limit: ReplicaSettings.largestQuestion), outcome: .notDone)
      return effects.answers.append(.failed(id, error))
    }
    if let error = admissionError(command: question.count) { return effects.answers.append(.failed(id, error)) }
    pending.add(id, PendingRequests.Item(state: .read, bytes: question.count, deadline: deadline))
    questions.add(Questions.Item(id: id, payload: question))
  }

  /// A leader's own wait for a majority, as reads do; a follower's go to its leader.
  mutating func dispatchQuestions(now: Instant, into effects: inout ControlEffects) {
    guard !questions.waiting.isEmpty, let leader = raft?.leader else { return }
    if raft?.role == .leader {
      reads.add(questions: questions.ask(at: now, term: raft?.term ?? 0))
    } else if let cluster = identity.cluster, let configuration = raft?.configuration,
      let destination = destination(of: leader, in: configuration)
    {
      while let (number, items) = questions.send(fresh: random.next(), retryAt: now + settings.raft.electionTimeout) {
        let frame = Frame(
          cluster: cluster, from: identity.node, to: leader, body: .questions(QuestionFrame(number: number, items: items)))
        effects.frames.append((destination, frame.kind.lane, frame.encoded()))
      }
    }
  }

  mutating func receive(_ frame: QuestionFrame, from peer: NodeID, now: Instant) {
    guard raft?.role == .leader, raft?.configuration.isMember(peer) == true else { return }
    let drops = questions.hasMost(of: peer)
    reads.add(questions: questions.ask(frame.items, from: peer, number: frame.number, at: now, term: raft?.term ?? 0))
    if drops { reads.forgetQuestions { questions.isAsked($0) } }
  }

  mutating func receiveAnswers(_ frame: QuestionFrame, into effects: inout ControlEffects) {
    let asked = questions.takeSent(frame.number)
    guard !asked.isEmpty, asked == frame.items.map(\.id) else { return }
    for item in frame.items where pending.take(item.id) != nil { effects.answers.append(.answered(item.id, item.payload)) }
  }

  /// What a majority has confirmed by now. Follow each with `answered`.
  @usableFromInline
  mutating func takeReadyQuestions() -> [Questions.Asked] {
    guard !questions.ready.isEmpty else { return [] }
    return questions.takeReady().filter { raft?.role == .leader && raft?.term == $0.term }
  }

  /// - Parameter answers: one for each, in their order.
  @usableFromInline
  mutating func answered(_ asked: Questions.Asked, with answers: [Bytes], into effects: inout ControlEffects) {
    let items = zip(asked.list, answers).map { Questions.Item(id: $0.id, payload: $1) }
    guard let origin = asked.origin else {
      for item in items where pending.take(item.id) != nil { effects.answers.append(.answered(item.id, item.payload)) }
      return
    }
    guard let cluster = identity.cluster, let configuration = raft?.configuration,
      let destination = destination(of: origin.node, in: configuration)
    else { return }
    let frame = Frame(
      cluster: cluster, from: identity.node, to: origin.node, body: .answers(QuestionFrame(number: origin.number, items: items)))
    effects.frames.append((destination, frame.kind.lane, frame.encoded()))
  }

  /// What was asked of a leader that is gone, this node perhaps, is to be asked of the next.
  mutating func askAnew() {
    reads.forgetQuestions()
    questions.beginAnew()
  }

  // MARK: Duties

  /// The term in which this node leads, once it has applied all of the terms before.
  @usableFromInline var ledTerm: Term? {
    guard !isStopped, raft?.role == .leader, let term = raft?.term, appliedTerm == term else { return nil }
    return term
  }

  /// They are appended at the beginning of the next turn, before what clients want: under load there would be no room behind that.
  @usableFromInline
  mutating func proposeAsLeader(_ commands: [LeaderCommand]) {
    leaderCommands = (raft?.term ?? 0, commands)
    hasWork = true
  }

  /// Appended in the term in which they were decided or not at all: the next leader may know better. What there is no room for is dropped;
  /// the state machine gives it again.
  mutating func dispatchLeaderCommands(now: Instant, into effects: inout ControlEffects) {
    guard let (term, commands) = leaderCommands.take(), raft?.role == .leader, raft?.term == term else { return }
    for command in commands {
      let payload = Proposal(origin: identity.node, request: Proposal.unasked, command: command.payload[...]).encoded()
      guard raft?.hasRoom(forBytes: payload.count) == true else { return }
      raft?.step(.propose([payload]), now: now, into: &consensus)
      if let notice = command.notice { effects.diagnostics.append(.leaderActs(notice)) }
    }
  }
}
