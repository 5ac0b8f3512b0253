/// What steps make of a world.
extension StateInterner {
  /// Takes a step that is possible in `world`. Gives what is wrong then, if anything.
  mutating func take(_ step: Step, in world: inout SmallWorld) -> Exploration.Flaw? {
    switch step.kind {
    case .deliver:
      world.remove(step.argument)
      return apply(step, to: &world)
    case .deliverCopy:
      world.spend(.duplicate)
      return apply(step.like(.deliver), to: &world)
    case .lose:
      world.spend(.loss)
      world.remove(step.argument)
      return nil
    case .timeOut:
      world.spend(.timeOut)
      for other in world.nodes.indices where other != step.node {
        let move = move(world.nodes[other], Step(.silence, other))
        world.nodes[other] = moves[Int(move)].node
      }
      return apply(step, to: &world)
    case .timeOutAlone:
      world.spend(.timeOut)
      return apply(step.like(.timeOut), to: &world)
    case .heartbeat: world.spend(.heartbeat)
    case .propose: world.spend(.proposal)
    case .crash, .crashWithinWrite: world.spend(.crash)
    case .sync, .silence: break
    }
    return apply(step, to: &world)
  }

  private mutating func apply(_ step: Step, to world: inout SmallWorld) -> Exploration.Flaw? {
    let before = world.nodes[step.node]
    let number = move(before, step)
    let made = moves[Int(number)]
    world.nodes[step.node] = made.node
    for message in made.sent { world.send(message) }
    if let flaw = made.flaw { return Exploration.Flaw(checker: flaw.checker, text: "\(Exploration.name(step.node)): \(flaw.text)") }
    if made.isNoted {
      let (ghostState, flaw) = ghostState(world.ghostState, after: number, of: before, at: step.node)
      world.ghostState = ghostState
      if let flaw { return flaw }
    }
    guard made.isNoted || made.touchesLogs else { return nil }
    return WorldChecker.flaw(of: world.nodes.map { summaries[Int($0)] }, committed: ghostStates[Int(world.ghostState)].marks)
  }
}
