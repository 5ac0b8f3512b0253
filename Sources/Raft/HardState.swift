/// What a node must never forget: the newest term it saw and whom it voted for in it. Written as one record, durable before any message
/// that names the term leaves (Raft paper, figure 2).
public struct HardState: Hashable, Sendable {
  public var term: Term
  public var vote: NodeID?

  public init(term: Term = 0, vote: NodeID? = nil) {
    self.term = term
    self.vote = vote
  }
}
