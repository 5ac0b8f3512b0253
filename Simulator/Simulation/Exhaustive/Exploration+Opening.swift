import Raft

extension Exploration {
  /// The state in which a scope begins.
  static func opening(of scope: Scope, _ library: inout Library) throws -> SmallWorld {
    var world = SmallWorld()
    var chronicle = Chronicle(nodes: scope.nodes)
    for (number, disk) in scope.opening.disks(library.cast).enumerated() {
      let node = try ExploredNode(starting: disk, id: library.cast.ids[number], hasInstantDisk: scope.hasInstantDisks)
      world.nodes.append(library.number(of: node))
      chronicle.begin(number, NodeSummary(node), disk)
    }
    world.chronicle = library.number(of: chronicle)
    for (kind, count) in scope.budget.all.enumerated() { world.budget |= UInt32(count) << (4 * UInt32(kind)) }
    if scope.opening == .led { elect(&world, &library) }
    return world
  }

  /// Node 1 is elected, and whatever is under way comes to its end: the disks first, then the oldest message.
  private static func elect(_ world: inout SmallWorld, _ library: inout Library) {
    let budget = world.budget
    world.budget = .max
    _ = library.take(Step(.timeOut, 0), in: &world)
    while true {
      if let node = world.nodes.firstIndex(where: { library.summaries[Int($0)].hasUnsynced }) {
        _ = library.take(Step(.sync, node), in: &world)
      } else if let message = world.messages.first {
        _ = library.take(Step(.deliver, library.receivers[Int(message)], message), in: &world)
      } else {
        break
      }
    }
    world.budget = budget
  }
}
