import ByteCoding
import Raft

/// Where one node's consensus stands: plain numbers, for checkers that look after every turn.
@usableFromInline
package struct ConsensusState: Sendable {
  package let id: NodeID
  package let role: RaftCore.Role
  package let term: Term
  package let commitIndex: LogIndex
  package let appliedIndex: LogIndex
  package let lastIndex: LogIndex
  package let durableIndex: LogIndex
  package let voters: Int

  package init(
    id: NodeID, role: RaftCore.Role, term: Term, commitIndex: LogIndex, appliedIndex: LogIndex, lastIndex: LogIndex, durableIndex: LogIndex,
    voters: Int
  ) {
    self.id = id
    self.role = role
    self.term = term
    self.commitIndex = commitIndex
    self.appliedIndex = appliedIndex
    self.lastIndex = lastIndex
    self.durableIndex = durableIndex
    self.voters = voters
  }
}

extension ReplicaControl {
  /// `nil` before the cluster has formed.
  @usableFromInline var consensusState: ConsensusState? {
    guard raft != nil else { return nil }
    return ConsensusState(
      id: identity.node, role: raft?.role ?? .follower, term: raft?.term ?? 0, commitIndex: raft?.commitIndex ?? 0,
      appliedIndex: appliedIndex, lastIndex: raft?.lastIndex ?? 0, durableIndex: raft?.durableIndex ?? 0,
      voters: raft?.configuration.voters.count ?? 0)
  }
}

/// What a node asserts by sending a frame; read without decoding the rest, since checkers look at every frame.
package struct FrameClaim: Sendable {
  package enum Claim: Sendable {
    /// To take part in this term, and in no older one.
    case term
    /// To vote for the receiver, in the frame's term.
    case vote(for: NodeID)
    /// That its log up to here is the leader's, and durable.
    case durable(through: LogIndex)
  }

  package let term: Term
  package let claim: Claim
  /// Only the leader of the frame's term may send it: entries, heartbeats, blocks of snapshots, answers to reads.
  package let isLeaders: Bool

  /// `nil` for a frame that asserts nothing: a bootstrap message, or a pre-vote, which names a term that may never be.
  /// - Parameter frame: whole, as it was encoded.
  package init?(_ frame: [UInt8]) {
    guard frame.count > Self.kindOffset, frame[Self.kindOffset] >= 18 else { return nil }
    var reader = ByteReader(frame[Self.receiverOffset...])
    guard let receiver = try? reader.readUInt64(), let term = try? reader.readUInt64() else { return nil }
    self.term = term
    isLeaders = Self.leadersKinds.contains(frame[Self.kindOffset])
    switch frame[Self.kindOffset] {
    case 19: claim = (try? reader.readBool()) == true ? .vote(for: NodeID(receiver)) : .term
    case 21: claim = .durable(through: (try? reader.readUInt64()) ?? 0)
    case 24:
      // Round, sentThrough and received come before it.
      claim = .durable(through: (try? [reader.readUInt64(), reader.readUInt64(), reader.readUInt64(), reader.readUInt64()])?.last ?? 0)
    default: claim = .term
    }
  }

  private static let leadersKinds: [UInt8] = [20, 23, 25, 26, 29]
  private static let kindOffset = 5
  private static let receiverOffset = 22
}

/// A frame in a few words, for people.
package struct FrameDescription: Sendable {
  package let label: String
  /// The sender's term; 0 if it names none.
  package let term: Term

  package init(_ bytes: [UInt8]) {
    guard let frame = try? Frame(decoding: bytes[...]) else {
      (label, term) = ("damaged", 0)
      return
    }
    switch frame.body {
    case .message(let message): (label, term) = (Self.label(of: message.body), message.term)
    case .bootstrap: (label, term) = ("bootstrap", 0)
    case .wrongCluster: (label, term) = ("wrongCluster", 0)
    case .greeting: (label, term) = ("greeting", 0)
    }
  }

  /// Every kind of frame: the number that it has on the wire, and the first word of its label.
  package static let kinds: [(number: UInt8, name: String)] = [
    (1, "bootstrap"), (2, "wrongCluster"), (3, "greeting"), (16, "preVoteRequest"), (17, "preVoteResponse"), (18, "voteRequest"),
    (19, "voteResponse"), (20, "append"), (21, "appendAccepted"), (22, "appendRejected"), (23, "heartbeat"), (24, "heartbeatResponse"),
    (25, "commit"), (26, "snapshotBlock"), (27, "snapshotProgress"), (28, "readRequest"), (29, "readResponse"), (30, "proposals"),
    (31, "proposalsRefused"), (32, "outdated"),
  ]

  private static func label(of body: Message.Body) -> String {
    switch body {
    case .preVoteRequest: "preVoteRequest"
    case .preVoteResponse(let granted): granted ? "preVoteResponse yes" : "preVoteResponse no"
    case .voteRequest: "voteRequest"
    case .voteResponse(let granted): granted ? "voteResponse yes" : "voteResponse no"
    case .append(let previous, let entries, _):
      switch entries.count {
      case 0: "append nothing after \(previous.index)"
      case 1: "append \(previous.index + 1)"
      default: "append \(previous.index + 1)...\(previous.index + UInt64(entries.count))"
      }
    case .appendAccepted(let match): "appendAccepted \(match)"
    case .appendRejected(let previous, _): "appendRejected \(previous)"
    case .heartbeat: "heartbeat"
    case .heartbeatResponse: "heartbeatResponse"
    case .commit(let index): "commit \(index)"
    case .snapshotBlock(let descriptor, let number, _, _, _): "snapshotBlock \(number) of \(descriptor.position.index)"
    case .snapshotProgress(let position, let next): "snapshotProgress \(next) of \(position.index)"
    case .readRequest: "readRequest"
    case .readResponse(_, let index): "readResponse \(index)"
    case .proposals(_, _, let payloads): "proposals \(payloads.count)"
    case .proposalsRefused: "proposalsRefused"
    case .outdated: "outdated"
    }
  }
}

extension ReplicaCore {
  /// `nil` before the cluster has formed.
  package var consensusState: ConsensusState? { control.consensusState }
}
