import Raft

extension Exploration {
  /// The state in which a scope begins.
  static func opening(of scope: Scope, _ interner: inout StateInterner) throws -> SmallWorld {
    var world = SmallWorld()
    var ghostState = GhostState(nodes: scope.nodes)
    for (number, disk) in scope.opening.disks(interner.symmetry).enumerated() {
      let node = try ExploredNode(starting: disk, id: interner.symmetry.ids[number], hasInstantDisk: scope.hasInstantDisks)
      world.nodes.append(interner.number(of: node))
      ghostState.begin(number, NodeSummary(node), disk)
    }
    world.ghostState = interner.number(of: ghostState)
    for (kind, count) in scope.budget.all.enumerated() { world.budget |= UInt32(count) << (4 * UInt32(kind)) }
    if scope.opening == .led { elect(&world, &interner) }
    return world
  }

  /// Node 1 is elected, and whatever is under way comes to its end: the disks first, then the oldest message.
  private static func elect(_ world: inout SmallWorld, _ interner: inout StateInterner) {
    let budget = world.budget
    world.budget = .max
    _ = interner.take(Step(.timeOut, 0), in: &world)
    while true {
      if let node = world.nodes.firstIndex(where: { interner.summaries[Int($0)].hasUnsynced }) {
        _ = interner.take(Step(.sync, node), in: &world)
      } else if let message = world.messages.first {
        _ = interner.take(Step(.deliver, interner.receivers[Int(message)], message), in: &world)
      } else {
        break
      }
    }
    world.budget = budget
  }
}
