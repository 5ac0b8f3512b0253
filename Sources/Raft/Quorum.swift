/// Plain arithmetic on majorities.
enum Quorum {
  /// How many of `voters` make a majority.
  static func majority(of voters: Int) -> Int { voters / 2 + 1 }

  /// The largest value that a majority has reached, when `values` holds one for each voter.
  static func reached<Value: Comparable>(_ values: [Value]) -> Value? {
    guard !values.isEmpty else { return nil }
    return values.sorted(by: >)[majority(of: values.count) - 1]
  }
}

/// The one place that says who counts: in a joint configuration, a quorum is a majority of each part.
extension Configuration {
  /// The largest value that a quorum has reached; `nil` if there are no voters.
  func reached<Value: Comparable>(_ value: (NodeID) -> Value) -> Value? {
    guard let new = Quorum.reached(voterIDs.map(value)) else { return nil }
    guard isJoint, let old = Quorum.reached(outgoingIDs.map(value)) else { return new }
    return min(new, old)
  }

  func isQuorum(_ nodes: [NodeID]) -> Bool {
    reached { nodes.contains($0) ? 1 : 0 } == 1
  }
}

/// The answers to one request for votes.
struct VoteTally: Sendable {
  private(set) var granted: [NodeID] = []
  private(set) var refused: [NodeID] = []

  /// Counts each voter once, whatever it says afterwards.
  mutating func record(_ voter: NodeID, granted vote: Bool) {
    guard !granted.contains(voter), !refused.contains(voter) else { return }
    if vote { granted.append(voter) } else { refused.append(voter) }
  }

  func isWon(in configuration: Configuration) -> Bool { configuration.isQuorum(granted) }
}
