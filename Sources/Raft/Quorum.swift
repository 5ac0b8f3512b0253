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

/// The answers to one request for votes.
struct VoteTally: Sendable {
  private(set) var granted: [NodeID] = []
  private(set) var refused: [NodeID] = []

  /// Counts each voter once, whatever it says afterwards.
  mutating func record(_ voter: NodeID, granted vote: Bool) {
    guard !granted.contains(voter), !refused.contains(voter) else { return }
    if vote { granted.append(voter) } else { refused.append(voter) }
  }

  func isWon(in configuration: Configuration) -> Bool {
    count(granted, in: configuration) >= Quorum.majority(of: configuration.voters.count)
  }

  private func count(_ nodes: [NodeID], in configuration: Configuration) -> Int {
    configuration.voters.reduce(0) { $0 + (nodes.contains($1.id) ? 1 : 0) }
  }
}
