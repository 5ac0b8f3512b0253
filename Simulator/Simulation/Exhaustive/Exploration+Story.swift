import Raft

extension Exploration {
  /// `a`, `b`, `c`.
  static func name(_ node: Int) -> String { node < 26 ? String(UnicodeScalar(UInt8(97 + node))) : "?" }

  /// `x`, `y`.
  static func value(_ value: UInt8) -> String { value < 3 ? String(UnicodeScalar(119 + value)) : "?" }

  private static func name(_ node: NodeID) -> String { name(Int(truncatingIfNeeded: node.rawValue) - 1) }

  /// The shortest path to the violation, a line for each step and what it makes of the node; empty if there is none.
  public var story: [String] {
    guard let flaw else { return [] }
    return tell(lastPath) + ["\(flaw.checker.rawValue): \(flaw.text)"]
  }

  func tell(_ path: [Step]) -> [String] {
    var interner = interner
    var world = beginning
    var lines = world.nodes.indices.map { Self.describe($0, world, interner) }
    for (number, step) in path.enumerated() {
      let before = world.messages
      let what = describe(step, interner)
      _ = interner.take(step, in: &world)
      lines.append("\(number + 1). \(what)")
      var sent = world.messages
      for message in before { if let place = sent.firstIndex(of: message) { sent.remove(at: place) } }
      for message in sent { lines.append("     sent: \(Self.describe(interner.messages[Int(message)]))") }
      if step.kind != .lose { lines.append("     \(Self.describe(step.node, world, interner))") }
    }
    return lines
  }

  /// Role, term, vote, commit index, and the log with a bar behind what is durable and the same there.
  private static func describe(_ node: Int, _ world: SmallWorld, _ interner: StateInterner) -> String {
    let summary = interner.summaries[Int(world.nodes[node])]
    let vote = interner.nodes[Int(world.nodes[node])].raft.hardState.vote
    let durable = zip(summary.log, summary.durable).prefix { $0 == $1 }.count
    var log = summary.log.map(\.text)
    log.insert("|", at: durable)
    return "\(name(node)): \(role(summary.role)) in term \(summary.term), vote \(vote.map { name($0) } ?? "none"), "
      + "log \(log.joined(separator: " ")), committed \(summary.commit)"
  }

  private static func role(_ role: RaftCore.Role) -> String {
    switch role {
    case .follower: "follower"
    case .preCandidate: "pre-candidate"
    case .candidate: "candidate"
    case .leader: "leader"
    }
  }

  private func describe(_ step: Step, _ interner: StateInterner) -> String {
    let name = Self.name(step.node)
    switch step.kind {
    case .deliver: return "arrives: \(Self.describe(interner.messages[Int(step.argument)]))"
    case .deliverCopy: return "arrives, and will once more: \(Self.describe(interner.messages[Int(step.argument)]))"
    case .lose: return "is lost: \(Self.describe(interner.messages[Int(step.argument)]))"
    case .timeOut: return "nobody has heard anything for long; \(name)'s patience ends"
    case .timeOutAlone: return "\(name) alone has heard nothing for long; its patience ends"
    case .heartbeat: return "\(name)'s heartbeat is due"
    case .propose: return "a client proposes \(Self.value(UInt8(truncatingIfNeeded: step.argument))) to \(name)"
    case .sync: return "\(name)'s oldest write becomes durable"
    case .crash: return "\(name) loses power, and starts again"
    case .crashWithinWrite:
      return "\(name) loses power when its oldest write's hard state is durable and the entries are not; it starts again"
    case .silence: return "\(name) has heard nothing for long"
    }
  }

  static func describe(_ message: Message) -> String {
    "\(name(message.from)) to \(name(message.to)), term \(message.term): \(describe(message.body))"
  }

  private static func describe(_ body: Message.Body) -> String {
    switch body {
    case .preVoteRequest(let last): "would you vote for me? my log ends at \(describe(last))"
    case .preVoteResponse(let granted): granted ? "I would vote for you" : "I would not vote for you"
    case .voteRequest(let last), .transferVoteRequest(let last): "vote for me, my log ends at \(describe(last))"
    case .voteResponse(let granted): granted ? "you have my vote" : "you do not have my vote"
    case .append(let previous, let entries, let commit):
      "append \(entries.map { EntryMark($0).text }.joined(separator: " ")) after \(describe(previous)), committed \(commit)"
    case .appendAccepted(let match): "I have all up to \(match)"
    case .appendRejected(let previous, let hint): "I lack \(previous), perhaps we agree at \(describe(hint))"
    case .heartbeat(let round, let commit, let confirmed): "heartbeat \(round), committed \(commit), confirmed \(confirmed)"
    case .heartbeatResponse(let round, _, let received, let match): "heard heartbeat \(round), received \(received), durable \(match)"
    case .commit(let index): "committed \(index)"
    case .removed: "you are no member any more"
    case .timeoutNow: "stand for election, I hand over"
    case .outdated: "your term is over"
    case .snapshotBlock, .snapshotProgress, .readRequest, .readResponse, .proposals, .proposalsRefused: "\(body)"
    }
  }

  private static func describe(_ position: LogPosition) -> String { "\(position.index) of term \(position.term)" }
}
