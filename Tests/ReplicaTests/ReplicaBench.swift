import ByteCoding
import KeyValue
import Raft
import WriteAheadLog

@testable import Replica

/// One replica on the bench, a member of a cluster of three, told by hand what happens.
struct ReplicaBench {
  var replica: ReplicaCore<KeyValueMachine>
  var now = Instant.zero
  /// Of the last turn.
  var effects = ReplicaEffects<KeyValueMachine>()

  static let configuration = Configuration(
    voters: ["a", "b", "c"].enumerated().map { offset, name in
      Member(id: NodeID(UInt64(offset) + 1), name: name, peerAddress: name, clientAddress: name)
    })
  static let cluster = configuration.digest

  init(settings: ReplicaSettings = ReplicaSettings(), configuration: Configuration = Self.configuration, seed: UInt64 = 1) throws {
    let first = Entry(index: 1, term: 1, kind: .configuration, payload: configuration.encoded()[...])
    replica = try ReplicaCore(
      identity: IdentityRecord(node: NodeID(1), name: "a", phase: .formed(configuration)),
      peerInfo: PeerInfo(name: "a", peerAddress: "a", clientAddress: "a"),
      recovered: DurableState(hardState: HardState(term: 1), entries: [first], commit: 1), snapshot: nil,
      machine: KeyValueMachine(), settings: settings, seed: seed, now: .zero)
  }

  /// A node that still waits for its cluster.
  init(forming names: [String]) throws {
    let members = names.map { PeerInfo.InitialMember(name: $0, peerAddress: $0) }
    replica = try ReplicaCore(
      identity: IdentityRecord(node: NodeID(1), name: "a", phase: .undecided),
      peerInfo: PeerInfo(name: "a", peerAddress: "a", clientAddress: "a", initialCluster: members), recovered: nil, snapshot: nil,
      machine: KeyValueMachine(), settings: ReplicaSettings(), seed: 1, now: .zero)
  }

  /// A turn, and what its writes lead to when they are durable.
  mutating func step(_ events: ReplicaEvent<KeyValueMachine>...) {
    effects.removeAll()
    for event in events { replica.step(event, now: now, into: &effects) }
    replica.endTurn(now: now, into: &effects)
    var done = 0
    while done < effects.writes.count {
      done = effects.writes.count
      replica.step(.written(through: effects.writes[done - 1].sequence), now: now, into: &effects)
      replica.endTurn(now: now, into: &effects)
    }
  }

  mutating func receive(_ body: Message.Body, from peer: UInt64 = 2, term: Term? = nil) {
    let message = Message(from: NodeID(peer), to: NodeID(1), term: term ?? replica.raft?.term ?? 0, body: body)
    let frame = Frame(cluster: Self.cluster, from: NodeID(peer), to: NodeID(1), body: .message(message))
    step(.frame(frame.encoded()[...], connection: peer))
  }

  mutating func tick(after duration: Nanoseconds) {
    now = now + duration
    step(.tick)
  }

  mutating func becomeLeader() {
    tick(after: .milliseconds(1001))
    receive(.preVoteResponse(granted: true), term: 2)
    receive(.voteResponse(granted: true))
    receive(.appendAccepted(match: 2))
  }

  /// A heartbeat interval in which b answers its leader.
  mutating func beatWithoutC() {
    receive(.heartbeatResponse(round: 0, confirmed: 0, received: 0, match: 0), from: 2)
    tick(after: .milliseconds(50))
  }

  /// So long that the log is not kept for c any more, of which nothing is heard.
  mutating func passTimeWithoutC() { for _ in 0..<120 { beatWithoutC() } }

  mutating func follow() { receive(.heartbeat(round: 0, commit: 1, confirmed: 1), term: 2) }

  /// What it sent to a peer in the last turn.
  func sent(to name: String) -> [Message.Body] {
    effects.frames.compactMap { destination, _, bytes in
      guard destination == .address(name), case .message(let message) = try? Frame(decoding: bytes[...]).body else { return nil }
      return message.body
    }
  }

  var failures: [RequestID: RequestError] {
    effects.replies.reduce(into: [:]) { failures, reply in
      if case .failed(let id, let error) = reply { failures[id] = error }
    }
  }

  var views: [RequestID] {
    effects.replies.compactMap { if case .view(let id, _, _, _) = $0 { id } else { nil } }
  }
}
