import ByteCoding

@testable import Raft

/// One core on the bench, in the middle of a cluster of three (1 is itself, 2 and 3 are the peers), told by hand what the others say.
struct Bench {
  var raft: RaftCore
  var now = Instant.zero
  /// What the core said last.
  var effects = Effects()
  var syncsAtOnce = true

  static let a = NodeID(1)
  static let b = NodeID(2)
  static let c = NodeID(3)

  static func member(_ id: NodeID) -> Member {
    Member(id: id, name: "n\(id.rawValue)", peerAddress: "p\(id.rawValue)", clientAddress: "c\(id.rawValue)")
  }

  static let configuration = Configuration(voters: [a, b, c].map(member))

  /// A log of these terms, from index 1 on; the first entry is the configuration.
  static func entries(_ terms: [Term]) -> [Entry] {
    terms.enumerated().map { offset, term in
      let index = LogIndex(offset) + 1
      return index == 1
        ? Entry(index: 1, term: term, kind: .configuration, payload: configuration.encoded()[...])
        : Entry(index: index, term: term, kind: .command, payload: Array("\(index)/\(term)".utf8)[...])
    }
  }

  /// A member that started from this on its disk.
  init(
    terms: [Term] = [1], term: Term? = nil, vote: NodeID? = nil, commit: LogIndex = 1, settings: Settings = Settings(), id: NodeID = Bench.a
  ) throws {
    let state = DurableState(
      hardState: HardState(term: term ?? terms.last ?? 1, vote: vote), entries: Self.entries(terms), commit: commit)
    raft = try RaftCore(restarting: state, snapshot: nil, id: id, settings: settings, seed: 1, now: .zero)
  }

  /// Its messages of the last turn.
  var sent: [Message] { effects.messages.map(\.message) }
  func sent(to peer: NodeID) -> [Message.Body] { sent.filter { $0.to == peer }.map(\.body) }

  /// A turn of these events; all that it writes is durable at once, unless `syncsAtOnce` is false.
  mutating func step(_ events: Event...) {
    effects.removeAll()
    for event in events { raft.step(event, now: now, into: &effects) }
    raft.endTurn(now: now, into: &effects)
    if syncsAtOnce { sync() }
  }

  /// The number of the newest write.
  var lastWrite: UInt64 { raft.persistence.nextSequence - 1 }

  /// All writes are durable; what that leads to is added to `effects`.
  mutating func sync() {
    var next = effects.writes.last?.sequence
    while let sequence = next {
      let writes = effects.writes.count
      raft.step(.written(through: sequence), now: now, into: &effects)
      raft.endTurn(now: now, into: &effects)
      next = effects.writes.count > writes ? effects.writes.last?.sequence : nil
    }
  }

  mutating func receive(_ body: Message.Body, from peer: NodeID = b, term: Term? = nil) {
    step(.message(Message(from: peer, to: raft.id, term: term ?? raft.term, body: body)))
  }

  /// A node that joins, and has nothing yet.
  static func joining(_ id: NodeID) throws -> Bench {
    var bench = try Bench()
    bench.raft = try RaftCore(
      restarting: DurableState(hardState: HardState(term: 0)), snapshot: nil, joining: true, id: id, settings: Settings(), seed: 1,
      now: .zero)
    return bench
  }

  /// These peers have all of its log.
  mutating func accept(from peers: NodeID...) {
    let last = raft.lastIndex
    for peer in peers { step(.message(Message(from: peer, to: raft.id, term: raft.term, body: .appendAccepted(match: last)))) }
  }

  /// Its timer runs out.
  mutating func expire() {
    now = max(now, raft.deadline)
    step(.tick)
  }

  /// Both peers have all of its log.
  mutating func acceptAll() {
    let last = raft.lastIndex
    receive(.appendAccepted(match: last))
    receive(.appendAccepted(match: last), from: Self.c)
  }

  mutating func becomeCandidate() {
    expire()
    receive(.preVoteResponse(granted: true), term: raft.term + 1)
  }

  mutating func becomeLeader() {
    becomeCandidate()
    receive(.voteResponse(granted: true))
  }

  mutating func follow(_ leader: NodeID = b, term: Term? = nil) {
    receive(.heartbeat(round: 0, commit: 0, confirmed: 0), from: leader, term: term)
  }
}
