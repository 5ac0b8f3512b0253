import Raft

/// Walks through every state that a small cluster can come to: the real core with every order of deliveries, completed writes, time-outs,
/// proposals, crashes, losses and duplicates that its scope allows, breadth first, and checked in every state. So the first path to a
/// violation that it finds is a shortest one.
///
/// Time: each node has a clock of its own that stands still, so that all it hears is recent, until somebody's patience ends. That comes in
/// two ways: so much time goes by everywhere that nothing that anybody heard is recent, or only that node's clock goes on. How long a
/// time-out is, and so the generator that draws it, means nothing then.
///
/// What it leaves out: turns with more than one event, entries that are torn within a write, snapshots, reads, forwarding, and appends of
/// more than one entry. Those are the swarm's.
public struct Exploration {
  /// What a checker found.
  public struct Flaw: Sendable, Equatable {
    public let checker: Violation.Checker
    public let text: String
  }

  public enum Ending: String, Sendable {
    /// Every state within the budget was seen, at whatever depth.
    case complete = "every state within the budget was seen"
    /// Every state within the depth was seen.
    case depth = "every state within the depth was seen"
    /// The table is full.
    case full = "the bound on states was reached"
    case violation = "a state is violated"
  }

  public let scope: Scope
  /// How it ended; `nil` while there is more to see.
  public private(set) var ending: Ending?
  public private(set) var flaw: Flaw?
  /// Steps taken: states visited, each as often as something leads to it.
  public private(set) var visited = 0
  /// The steps from the beginning to the deepest state.
  public private(set) var depth = 0
  /// A digest of all states in the order in which they were found: equal for equal scopes, on every machine.
  public private(set) var fingerprint: UInt64 = 0

  var interner: StateInterner
  let beginning: SmallWorld
  private var seen = DigestSet()
  private var queue = WorldQueue()
  /// For each state, in the order in which they were found: where it came from, and by which step.
  private var parents: [UInt32] = [0]
  private(set) var steps: [UInt32] = [0]
  /// The state that is looked at, how many steps it took, and the first state that takes one more.
  private var current = -1
  private var currentDepth = -1
  private var nextLayer = 0
  /// Reused, so that a step allocates nothing.
  private var world: SmallWorld
  private var next: SmallWorld

  /// Every state that takes so many steps, or fewer, was seen.
  public var wholeDepth: Int { ending == .depth || ending == .complete ? depth : max(currentDepth, 0) }
  /// Different states so far.
  public var distinct: Int { seen.count }
  /// States that are known and were not looked at.
  public var frontier: Int { parents.count - 1 - current }
  /// Different states of one node so far.
  public var nodeStates: Int { interner.nodes.count }
  /// Different messages so far.
  public var messageCount: Int { interner.messages.count }

  /// Fails if the scope makes no sense: see `Scope.flaw`.
  public init(_ scope: Scope) throws {
    if let flaw = scope.flaw { throw ScopeError(reason: flaw) }
    self.scope = scope
    interner = StateInterner(Symmetry(scope))
    beginning = try Self.opening(of: scope, &interner)
    world = beginning
    next = beginning
    _ = add(beginning)
  }

  /// Looks at up to `count` more states. False when it has ended.
  public mutating func advance(by count: Int) -> Bool {
    var left = count
    while left > 0, ending == nil {
      expandNext()
      left -= 1
    }
    return ending == nil
  }

  private mutating func expandNext() {
    guard queue.next(into: &world) else { return ending = depth < scope.depth ? .complete : .depth }
    current += 1
    if current == nextLayer {
      currentDepth += 1
      nextLayer = parents.count
    }
    expand()
  }

  /// True if the world is new.
  private mutating func add(_ world: SmallWorld) -> Bool {
    let digest = world.digest(interner)
    guard seen.insert(digest) else { return false }
    fingerprint = (fingerprint ^ digest.low) &* 0x100_0000_01b3 &+ digest.high
    // Where the last step leads is checked, not gone on from.
    if currentDepth + 1 < scope.depth { queue.append(world) }
    return true
  }

  // MARK: Steps

  private mutating func expand() {
    for index in world.messages.indices where index == 0 || world.messages[index] != world.messages[index - 1] {
      let message = world.messages[index]
      take(Step(.deliver, interner.receivers[Int(message)], message))
      if world.has(.duplicate) { take(Step(.deliverCopy, interner.receivers[Int(message)], message)) }
      if world.has(.loss) { take(Step(.lose, interner.receivers[Int(message)], message)) }
    }
    for node in world.nodes.indices {
      let summary = interner.summaries[Int(world.nodes[node])]
      if summary.hasUnsynced { take(Step(.sync, node)) }
      if world.has(.timeOut) {
        take(Step(.timeOut, node))
        take(Step(.timeOutAlone, node))
      }
      if summary.leads, world.has(.heartbeat) { take(Step(.heartbeat, node)) }
      if summary.leads, world.has(.proposal) {
        for value in 1...scope.values { take(Step(.propose, node, UInt32(value))) }
      }
      if world.has(.crash) {
        take(Step(.crash, node))
        if summary.canCrashWithinWrite { take(Step(.crashWithinWrite, node)) }
      }
    }
  }

  private mutating func take(_ step: Step) {
    guard ending == nil else { return }
    next.nodes.replaceSubrange(0..., with: world.nodes)
    next.messages.removeAll(keepingCapacity: true)
    next.messages.append(contentsOf: world.messages)
    next.ghostState = world.ghostState
    next.budget = world.budget
    visited += 1
    let found = interner.take(step, in: &next)
    guard add(next) || found != nil else { return }
    parents.append(UInt32(current))
    steps.append(step.code)
    depth = currentDepth + 1
    if let found {
      flaw = found
      ending = .violation
    } else if distinct >= scope.maximumStates || interner.messages.count > Step.maximumArgument {
      ending = .full
    }
  }

  /// The steps from the beginning to the state that was found last.
  var lastPath: [Step] {
    var path: [Step] = []
    var state = parents.count - 1
    while state > 0 {
      path.append(Step(code: steps[state]))
      state = Int(parents[state])
    }
    return path.reversed()
  }
}

/// Why a scope cannot be explored.
public struct ScopeError: Error, Equatable, CustomStringConvertible {
  public let reason: String
  public var description: String { reason }
}
