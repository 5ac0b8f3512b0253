/// How small the world of an exploration is.
public struct Scope: Sendable, Equatable {
  /// How many members the cluster has: 2 or 3.
  public var nodes = 3
  /// How many different values clients propose: 1 or 2.
  public var values = 2
  /// Most steps of a path.
  public var depth = 20
  /// Most different states that are remembered; beyond, the exploration ends. One takes about 80 bytes.
  public var maximumStates = 20_000_000
  /// Writes are durable within the turn that asks for them; else each is a step of its own.
  public var hasInstantDisks = false
  /// Whether states that differ only in what nodes and values are called count as one.
  public var usesSymmetry = true
  public var opening = Opening.fresh
  public var budget = Budget()

  /// Where the exploration begins. Each is a state that a cluster can come to, all of it durable.
  public enum Opening: String, Sendable, CaseIterable {
    /// The cluster has just formed: term 1, and the first configuration in every log.
    case fresh
    /// One node leads in term 2, and everybody knows that its first entry is committed.
    case led
    /// Figure 8 of the paper, (c): node 1 led in term 2 and node 3 in term 3, and each wrote an entry that no other has; all restart.
    /// Three nodes.
    case figure8
    /// Node 1 wrote two entries in term 2 that no other has; the others committed one of term 3 without it; all restart. Three nodes.
    case diverged
  }

  /// How often something may happen on one path: 0 to 15 times each. A message may always be delivered, and a write always completes.
  public struct Budget: Sendable, Equatable {
    /// A node's patience ends: it asks for an election, or, if it leads, finds that it has no quorum.
    public var timeOuts = 2
    /// A leader's heartbeat is due.
    public var heartbeats = 0
    /// A client proposes a value to a node that leads.
    public var proposals = 1
    /// A node loses power and starts again.
    public var crashes = 0
    /// A message is lost. That only makes states smaller: a message that is never delivered has the same effect on the nodes.
    public var losses = 0
    /// A message is delivered, and stays in flight.
    public var duplicates = 0

    public init() {}

    var all: [Int] { [timeOuts, heartbeats, proposals, crashes, losses, duplicates] }
  }

  public init() {}

  /// What makes no sense in this scope, if anything does.
  public var flaw: String? {
    if !(2...3).contains(nodes) { return "an exploration has 2 or 3 nodes" }
    if !(1...2).contains(values) { return "an exploration has 1 or 2 values" }
    if !(0...250).contains(depth) { return "a path has 0 to 250 steps" }
    if !(1...500_000_000).contains(maximumStates) { return "1 to 500,000,000 states are remembered" }
    if budget.all.contains(where: { !(0...15).contains($0) }) { return "a budget is 0 to 15" }
    if opening == .diverged || opening == .figure8, nodes != 3 { return "logs that differ take 3 nodes" }
    return nil
  }
}

extension Scope {
  /// Scopes with names. Each is small enough for a minute, and finds what its name says.
  public enum Preset: String, Sendable, CaseIterable {
    /// Elections that overlap, from the beginning of a cluster.
    case elections
    /// Entries on their way to disks and peers, under a leader that holds.
    case replication
    /// Elections and losses of power, with every write a step of its own.
    case crashes
    /// New leaders over logs that differ.
    case repair
    /// Entries of older terms under new leaders.
    case figure8
    /// A leader is replaced while its entries are under way, and a node loses power.
    case succession
  }

  public init(_ preset: Preset) {
    self.init()
    budget.proposals = 0
    switch preset {
    case .elections:
      depth = 13
      hasInstantDisks = true
      budget.timeOuts = 3
    case .replication:
      depth = 14
      opening = .led
      budget.timeOuts = 0
      budget.proposals = 2
      budget.heartbeats = 1
      budget.duplicates = 1
    case .crashes:
      depth = 16
      budget.crashes = 1
    case .repair:
      depth = 14
      opening = .diverged
      hasInstantDisks = true
    case .figure8:
      depth = 15
      opening = .figure8
      hasInstantDisks = true
    case .succession:
      depth = 14
      opening = .led
      hasInstantDisks = true
      budget.timeOuts = 1
      budget.proposals = 1
      budget.crashes = 1
    }
  }
}
