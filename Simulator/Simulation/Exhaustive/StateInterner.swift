import Raft

/// Every different node, message and ghost state of an exploration, once. What happens at one node depends on that node alone, so each of
/// its steps is computed once too, however many worlds it is taken in.
struct StateInterner {
  typealias Number = UInt32

  /// What an occurrence makes of a node.
  struct Move {
    let node: Number
    /// Messages that left, by number.
    let sent: [Number]
    let flaw: Exploration.Flaw?
    /// Whether the ghost state must be told.
    let isNoted: Bool
    /// Whether the logs of the world must be compared again.
    let touchesLogs: Bool
  }

  let symmetry: Symmetry
  private(set) var nodes: [ExploredNode] = []
  private(set) var summaries: [NodeSummary] = []
  private(set) var messages: [Message] = []
  /// The node that a message is for.
  private(set) var receivers: [Int] = []
  private(set) var ghostStates: [GhostState] = []
  private(set) var moves: [Move] = []
  /// For each item, its digest under each of the symmetry's variants.
  private(set) var nodeDigests: [Digest] = []
  private(set) var messageDigests: [Digest] = []
  private(set) var ghostDigests: [Digest] = []

  private var nodeNumbers: [Digest: Number] = [:]
  private var messageNumbers: [Digest: Number] = [:]
  private var chronicleNumbers: [Digest: Number] = [:]
  private var moveNumbers: [UInt64: Number] = [:]
  private var chronicleMoves: [UInt64: Number] = [:]

  init(_ symmetry: Symmetry) { self.symmetry = symmetry }

  // MARK: Shelves

  mutating func number(of node: ExploredNode) -> Number {
    let digest = digest(0, kind: 1) { node.write(into: &$0) }
    if let known = nodeNumbers[digest] { return known }
    let number = Number(nodes.count)
    nodeNumbers[digest] = number
    nodes.append(node)
    summaries.append(NodeSummary(node))
    for variant in symmetry.variants.indices { nodeDigests.append(self.digest(variant, kind: 1) { node.write(into: &$0) }) }
    return number
  }

  mutating func number(of message: Message) -> Number {
    let digest = digest(0, kind: 2) { message.write(into: &$0) }
    if let known = messageNumbers[digest] { return known }
    let number = Number(messages.count)
    messageNumbers[digest] = number
    messages.append(message)
    receivers.append(Int(message.to.rawValue) - 1)
    for variant in symmetry.variants.indices { messageDigests.append(self.digest(variant, kind: 2) { message.write(into: &$0) }) }
    return number
  }

  mutating func number(of ghostState: GhostState) -> Number {
    let digest = digest(0, kind: 3) { ghostState.write(into: &$0) }
    if let known = chronicleNumbers[digest] { return known }
    let number = Number(ghostStates.count)
    chronicleNumbers[digest] = number
    ghostStates.append(ghostState)
    for variant in symmetry.variants.indices { ghostDigests.append(self.digest(variant, kind: 3) { ghostState.write(into: &$0) }) }
    return number
  }

  private func digest(_ variant: Int, kind: UInt64, _ body: (inout DigestWriter) -> Void) -> Digest {
    var writer = DigestWriter(symmetry.variants[variant])
    writer.write(kind)
    body(&writer)
    return writer.digest
  }

  // MARK: Moves

  /// The number of the move that a step is for its node.
  mutating func move(_ node: Number, _ step: Step) -> Number {
    let key = UInt64(node) << 32 | UInt64(step.code)
    if let known = moveNumbers[key] { return known }
    var changed = nodes[Int(node)]
    let outcome = changed.take(occurrence(step))
    let next = number(of: changed)
    let (old, new) = (summaries[Int(node)], summaries[Int(next)])
    let votes = outcome.sent.contains { $0.isVote }
    moves.append(
      Move(
        node: next, sent: outcome.sent.map { number(of: $0) }, flaw: outcome.flaws.first,
        isNoted: votes || new.commit > old.commit || (new.leads && (!old.leads || new.term != old.term)),
        touchesLogs: old.log != new.log || old.durable != new.durable))
    moveNumbers[key] = Number(moves.count - 1)
    return Number(moves.count - 1)
  }

  private func occurrence(_ step: Step) -> ExploredNode.Occurrence {
    switch step.kind {
    case .deliver, .deliverCopy, .lose: .message(messages[Int(step.argument)])
    case .timeOut, .timeOutAlone: .timeOut
    case .silence: .silence
    case .heartbeat: .heartbeat
    case .propose: .proposal(UInt8(truncatingIfNeeded: step.argument))
    case .sync: .sync
    case .crash: .crash
    case .crashWithinWrite: .crashWithinWrite
    }
  }

  /// What a ghost state becomes when this node makes this move.
  mutating func ghostState(_ ghostState: Number, after move: Number, of node: Number, at place: Int) -> (Number, Exploration.Flaw?) {
    let key = UInt64(ghostState) << 32 | UInt64(move)
    if let known = chronicleMoves[key] { return (known, nil) }
    var changed = ghostStates[Int(ghostState)]
    let made = moves[Int(move)]
    let flaws = changed.record(
      place, from: summaries[Int(node)], to: summaries[Int(made.node)], log: nodes[Int(made.node)].raft.keptEntries,
      sent: made.sent.map { messages[Int($0)] })
    let number = number(of: changed)
    if flaws.isEmpty { chronicleMoves[key] = number }
    return (number, flaws.first)
  }
}

extension Message {
  fileprivate var isVote: Bool {
    switch body {
    case .voteRequest, .transferVoteRequest, .voteResponse(granted: true): true
    default: false
    }
  }
}
