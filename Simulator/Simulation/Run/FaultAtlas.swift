import Raft

/// Which copies of what was acknowledged must survive, so which faults are allowed: a fault that would take more is not done.
///
/// At most a minority may lose its disk for good, by whatever fault. Everything else leaves on disk what was synced.
struct FaultAtlas {
  private let nodeCount: Int
  /// Nodes whose disk lost something for good: they may serve again or not, and nobody counts on them.
  private(set) var damaged: [String] = []

  init(nodeCount: Int) { self.nodeCount = nodeCount }

  /// Whether the disk of one more node may be damaged; those already damaged may be again.
  func mayDamage(_ name: String) -> Bool { damaged.contains(name) || damaged.count < (nodeCount - 1) / 2 }

  mutating func damage(_ name: String) {
    if !damaged.contains(name) { damaged.append(name) }
  }
}
