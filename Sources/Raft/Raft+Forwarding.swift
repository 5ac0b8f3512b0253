import ByteCoding

/// Which forwarded proposals a node has looked at in one term, so that none is appended twice, nor appended after it was refused.
struct ForwardingLedger: Sendable {
  private struct Origin {
    let peer: NodeID
    var stream: UInt64
    var sequence: UInt64
    /// Streams of earlier starts of that node: what comes of them now is late.
    var retired: [UInt64] = []
  }

  /// Starts of one node that one term remembers; a node that starts more often is not served until the next term.
  private static let maximumRetired = 1024
  private var origins: [Origin] = []

  /// True the first time that this is seen; it must be answered then, one way or the other.
  mutating func isNew(stream: UInt64, sequence: UInt64, from peer: NodeID) -> Bool {
    guard let index = origins.firstIndex(where: { $0.peer == peer }) else {
      origins.append(Origin(peer: peer, stream: stream, sequence: sequence))
      return true
    }
    if stream == origins[index].stream {
      guard sequence > origins[index].sequence else { return false }
    } else {
      let origin = origins[index]
      guard !origin.retired.contains(stream), origin.retired.count < Self.maximumRetired else { return false }
      origins[index].retired.append(origin.stream)
      origins[index].stream = stream
    }
    origins[index].sequence = sequence
    return true
  }
}

/// Proposals that reach the leader by way of a follower.
extension Raft {
  mutating func receiveProposals(
    _ payloads: [Bytes], stream: UInt64, sequence: UInt64, from peer: NodeID, into effects: inout Effects
  ) {
    guard forwarded.isNew(stream: stream, sequence: sequence, from: peer) else { return }
    let bytes = payloads.reduce(0) { $0 + $1.count }
    guard role == .leader, hasRoom(forBytes: bytes) else {
      // In the term of its start a node cannot know what it took in before: it may not say that this was not appended.
      guard term > termAtStart else { return }
      return send(.proposalsRefused(stream: stream, sequence: sequence), to: peer, into: &effects)
    }
    propose(payloads)
  }
}
