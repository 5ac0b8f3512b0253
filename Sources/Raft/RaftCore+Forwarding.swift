import ByteCoding

/// Which forwarded proposals a node has looked at in one term, so that none is appended twice, nor appended after it was refused.
struct ForwardingLedger: Sendable {
  /// What one process sent. A node begins a new stream at each start, and what it sent before may arrive after that: no stream takes the
  /// place of another.
  struct Stream {
    let peer: NodeID
    let number: UInt64
    var sequence: UInt64
  }

  /// Starts of one node that one term remembers; a node that starts more often is not served until the next term.
  private static let maximumStreams = 1024
  private(set) var streams: [Stream] = []

  /// True the first time that this is seen; it must be answered then, one way or the other.
  mutating func isNew(stream number: UInt64, sequence: UInt64, from peer: NodeID) -> Bool {
    // The newest stands last, and is the one that speaks.
    if let index = streams.lastIndex(where: { $0.number == number && $0.peer == peer }) {
      guard sequence > streams[index].sequence else { return false }
      streams[index].sequence = sequence
      return true
    }
    guard streams.count(where: { $0.peer == peer }) < Self.maximumStreams else { return false }
    streams.append(Stream(peer: peer, number: number, sequence: sequence))
    return true
  }
}

/// Proposals that reach the leader by way of a follower.
extension RaftCore {
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
