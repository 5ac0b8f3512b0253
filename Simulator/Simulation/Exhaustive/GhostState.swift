import Raft

/// What has happened on a path as far as checkers must remember it. It is part of the state: two worlds that differ in it are two.
struct GhostState: Sendable {
  /// Who led, by term; 0 for nobody, else one more than the node's number.
  private(set) var leaders: [UInt8] = []
  /// Whom each node voted for, by term and node; 0 for nobody, else one more than the candidate's number. A vote counts here once it left.
  private(set) var votes: [UInt8] = []
  /// Every entry that any node ever knew to be committed, from index 1 on.
  private(set) var committed: [Entry] = []
  private(set) var marks: [EntryMark] = []
  /// The term of whoever knew it first.
  private var committedIn: [Term] = []
  private let nodes: Int

  init(nodes: Int) { self.nodes = nodes }

  /// A node starts from its disk when the exploration begins.
  mutating func begin(_ node: Int, _ summary: NodeSummary, _ disk: DurableState) {
    var flaws: [Exploration.Flaw] = []
    if let vote = disk.hardState.vote { recordVote(of: node, for: vote, in: disk.hardState.term, &flaws) }
    recordCommit(summary, disk.entries, &flaws)
  }

  /// A node went from one state to another, and sent these messages.
  mutating func record(
    _ node: Int, from old: NodeSummary, to new: NodeSummary, log: [Entry], sent: [Message]
  ) -> [Exploration.Flaw] {
    var flaws: [Exploration.Flaw] = []
    for message in sent {
      switch message.body {
      case .voteRequest, .transferVoteRequest: recordVote(of: node, for: message.from, in: message.term, &flaws)
      case .voteResponse(granted: true): recordVote(of: node, for: message.to, in: message.term, &flaws)
      default: break
      }
    }
    if new.leads, !old.leads || old.term != new.term { recordLeader(node, new, &flaws) }
    recordCommit(new, log, &flaws)
    return flaws
  }

  private mutating func recordVote(of voter: Int, for candidate: NodeID, in term: Term, _ flaws: inout [Exploration.Flaw]) {
    let place = Int(term) * nodes + voter
    while votes.count < (Int(term) + 1) * nodes { votes.append(0) }
    let vote = UInt8(truncatingIfNeeded: candidate.rawValue)
    if votes[place] != 0, votes[place] != vote {
      let name = Exploration.name(voter)
      flaws.append(Exploration.Flaw(checker: .electionSafety, text: "\(name) votes for two candidates in term \(term)"))
    }
    votes[place] = vote
  }

  private mutating func recordLeader(_ node: Int, _ new: NodeSummary, _ flaws: inout [Exploration.Flaw]) {
    let name = Exploration.name(node)
    let term = Int(new.term)
    while leaders.count <= term { leaders.append(0) }
    if leaders[term] != 0, leaders[term] != UInt8(node + 1) {
      let text = "\(Exploration.name(Int(leaders[term]) - 1)) and \(name) both lead in term \(term)"
      flaws.append(Exploration.Flaw(checker: .electionSafety, text: text))
    }
    leaders[term] = UInt8(node + 1)
    let supporters = votes.dropFirst(term * nodes).prefix(nodes).count { $0 == UInt8(node + 1) }
    if 2 * supporters <= nodes {
      let text = "\(name) leads in term \(term) with \(supporters) of \(nodes) votes"
      flaws.append(Exploration.Flaw(checker: .electionSafety, text: text))
    }
    // One that learns late that it won may have been overtaken: it need not have what newer terms committed.
    for index in marks.indices where committedIn[index] < new.term && (index >= new.log.count || new.log[index] != marks[index]) {
      let text = "\(name) leads in term \(term) without the committed entry \(index + 1)"
      return flaws.append(Exploration.Flaw(checker: .leaderCompleteness, text: text))
    }
  }

  private mutating func recordCommit(_ new: NodeSummary, _ log: [Entry], _ flaws: inout [Exploration.Flaw]) {
    guard new.commit <= new.log.count else {
      let text = "entry \(new.commit) is committed in a log that ends at \(new.log.count)"
      return flaws.append(Exploration.Flaw(checker: .stateMachineSafety, text: text))
    }
    for index in 0..<Int(new.commit) {
      if index == marks.count {
        committed.append(log[index])
        marks.append(new.log[index])
        committedIn.append(new.term)
      } else if marks[index] != new.log[index] {
        let text = "entry \(index + 1) is committed as \(new.log[index].text), and was as \(marks[index].text)"
        return flaws.append(Exploration.Flaw(checker: .stateMachineSafety, text: text))
      }
    }
  }

  func write(into digest: inout DigestWriter) {
    digest.write(leaders) { $1.write(Self.node($0)) }
    digest.write(votes.count)
    for term in 0..<(votes.count / nodes) {
      let cast = (0..<nodes).map { ($0, votes[term * nodes + $0]) }
      digest.write(unordered: cast) {
        $1.write(NodeID(UInt64($0.0 + 1)))
        $1.write(Self.node($0.1))
      }
    }
    digest.write(committed)
    digest.write(committedIn) { $1.write($0) }
  }

  private static func node(_ number: UInt8) -> NodeID? { number == 0 ? nil : NodeID(UInt64(number)) }
}

/// What must hold between the nodes of a world, whatever led to it.
enum WorldChecker {
  static func flaw(of nodes: [NodeSummary], committed: [EntryMark]) -> Exploration.Flaw? {
    for left in nodes.indices {
      if let text = disorder(in: nodes[left].log, of: left) { return Exploration.Flaw(checker: .logMatching, text: text) }
      for right in nodes.indices where right > left {
        if let index = mismatch(nodes[left].log, nodes[right].log) {
          let text = "the logs of \(Exploration.name(left)) and \(Exploration.name(right)) agree in a term, and differ at index \(index)"
          return Exploration.Flaw(checker: .logMatching, text: text)
        }
      }
    }
    return flawOfCommitment(nodes, committed)
  }

  /// Terms never fall along a log.
  private static func disorder(in log: [EntryMark], of node: Int) -> String? {
    for index in log.indices.dropFirst() where log[index].term < log[index - 1].term {
      return "in \(Exploration.name(node))'s log, entry \(index + 1) is of an older term than the one before"
    }
    return nil
  }

  /// If two logs have an entry of the same index and term, they are the same up to it. Gives the first index where they are not.
  private static func mismatch(_ left: [EntryMark], _ right: [EntryMark]) -> Int? {
    var index = min(left.count, right.count) - 1
    while index >= 0, left[index].term != right[index].term { index -= 1 }
    guard index >= 0 else { return nil }
    for earlier in 0...index where left[earlier] != right[earlier] { return earlier + 1 }
    return nil
  }

  /// What is committed is durable on a majority, and nobody can be elected without it. The first entry needs no quorum: every log begins
  /// with it, by agreement.
  private static func flawOfCommitment(_ nodes: [NodeSummary], _ committed: [EntryMark]) -> Exploration.Flaw? {
    guard committed.count > 1 else { return nil }
    for index in committed.indices.dropFirst() {
      let holders = nodes.count { $0.durable.count > index && $0.durable[index] == committed[index] }
      if 2 * holders <= nodes.count {
        let text = "entry \(index + 1) is committed, and durable on \(holders) of \(nodes.count) nodes"
        return Exploration.Flaw(checker: .durability, text: text)
      }
    }
    for candidate in nodes.indices where !nodes[candidate].log.starts(with: committed) {
      let voters = nodes.count { nodes[candidate].isAtLeastAsUpToDate(as: $0) }
      if 2 * voters > nodes.count {
        let text = "\(Exploration.name(candidate)) could be elected, and lacks a committed entry"
        return Exploration.Flaw(checker: .leaderCompleteness, text: text)
      }
    }
    return nil
  }
}
