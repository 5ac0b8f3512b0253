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
  /// The voters of the configuration in force; of a joint one, of each part.
  package let electorate: [[NodeID]]
  /// It knows that it is no member any more.
  package let isRemoved: Bool

  package init(
    id: NodeID, role: RaftCore.Role, term: Term, commitIndex: LogIndex, appliedIndex: LogIndex, lastIndex: LogIndex, durableIndex: LogIndex,
    voters: Int, electorate: [[NodeID]] = [], isRemoved: Bool = false
  ) {
    self.id = id
    self.role = role
    self.term = term
    self.commitIndex = commitIndex
    self.appliedIndex = appliedIndex
    self.lastIndex = lastIndex
    self.durableIndex = durableIndex
    self.voters = voters
    self.electorate = electorate
    self.isRemoved = isRemoved
  }
}

extension ReplicaControl {
  /// `nil` before the cluster has formed.
  @usableFromInline var consensusState: ConsensusState? {
    guard raft != nil else { return nil }
    return ConsensusState(
      id: identity.node, role: raft?.role ?? .follower, term: raft?.term ?? 0, commitIndex: raft?.commitIndex ?? 0,
      appliedIndex: appliedIndex, lastIndex: raft?.lastIndex ?? 0, durableIndex: raft?.durableIndex ?? 0,
      voters: raft?.configuration.voters.count ?? 0, electorate: raft?.configuration.electorate ?? [],
      isRemoved: raft?.isRemoved ?? false)
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
  /// Only the leader of the frame's term may send it.
  package let isLeaders: Bool

  /// `nil` for a frame that asserts nothing: a bootstrap message, or a pre-vote, which names a term that may never be.
  /// - Parameter frame: whole, as it was encoded.
  package init?(_ frame: [UInt8]) {
    guard let (header, start) = try? Frame.open(frame) else { return nil }
    switch header.kind {
    case .bootstrap, .wrongCluster, .greeting, .introduction, .questions, .answers, .preVoteRequest, .preVoteResponse: return nil
    default: break
    }
    var body = start
    guard let term = try? body.readUInt64() else { return nil }
    self.term = term
    isLeaders = header.kind.isLeaders
    switch header.kind {
    case .voteResponse, .appendAccepted, .heartbeatResponse:
      claim = Self.claim(of: try? Message.body(kind: header.kind, from: &body), header)
    default: claim = .term
    }
  }

  private static func claim(of body: Message.Body?, _ header: Frame.Header) -> Claim {
    switch body {
    case .voteResponse(granted: true): .vote(for: header.to)
    case .appendAccepted(let match), .heartbeatResponse(_, _, _, let match): .durable(through: match)
    default: .term
    }
  }
}

/// A frame in a few words, for people.
package struct FrameDescription: Sendable {
  /// Begins with the name of the frame's kind, and a blank if anything follows.
  package let label: String
  /// The sender's term; 0 if it names none.
  package let term: Term

  package init(_ bytes: [UInt8]) {
    guard let frame = try? Frame(decoding: bytes[...]) else {
      (label, term) = ("damaged", 0)
      return
    }
    guard case .message(let message) = frame.body else {
      (label, term) = (frame.kind.name, 0)
      return
    }
    let details = Self.details(of: message.body)
    (label, term) = (details.isEmpty ? frame.kind.name : "\(frame.kind.name) \(details)", message.term)
  }

  private static func details(of body: Message.Body) -> String {
    switch body {
    case .preVoteResponse(let granted), .voteResponse(let granted): granted ? "yes" : "no"
    case .append(let previous, let entries, _):
      switch entries.count {
      case 0: "nothing after \(previous.index)"
      case 1: "\(previous.index + 1)"
      default: "\(previous.index + 1)...\(previous.index + UInt64(entries.count))"
      }
    case .appendAccepted(let index), .appendRejected(let index, _), .commit(let index), .readResponse(_, let index): "\(index)"
    case .snapshotBlock(let descriptor, let number, _, _, _): "\(number) of \(descriptor.position.index)"
    case .snapshotProgress(let position, let next): "\(next) of \(position.index)"
    case .proposals(_, _, let payloads): "\(payloads.count)"
    case .preVoteRequest, .voteRequest, .heartbeat, .heartbeatResponse, .readRequest, .proposalsRefused, .outdated, .timeoutNow,
      .removed, .transferVoteRequest:
      ""
    }
  }
}

extension ReplicaCore {
  /// `nil` before the cluster has formed.
  package var consensusState: ConsensusState? { control.consensusState }
}
