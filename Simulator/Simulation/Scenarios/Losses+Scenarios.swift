import Raft
import Replica

/// Servers that die, vanish or freeze.
extension Scenario {
  static let masterDies = Scenario(
    "master-dies", "the leader dies, again and again, and another serves in less than a second",
    story: """
      When the master of the home-made tool died, the next by alphabet took over, if all had the same list; peers with different ones \
      "convinced" each other for a few rounds. Here the leader loses power five times over. Each time another is elected in well under a \
      second on average, has everything that was acknowledged, and the dead one comes back as a follower.
      """
  ) { stage throws(ScenarioFailure) in try stage.masterDies() }

  static let twoOfThreeLost = Scenario(
    "two-of-three-lost", "without a majority nothing lies; with one the service is back by itself",
    story: """
      A multi-master database of five, then two servers answered a hiccup of the network with "not yet prepared node for application use", \
      on all nodes, until each had been restarted by hand in the right order. Here two of three servers die. The last one refuses reads \
      and writes, by their deadlines, and says what a retry may do. As soon as one of the others is back the two serve: nobody did \
      anything else. First the leader is the one that is left, then a follower.
      """
  ) { stage throws(ScenarioFailure) in try stage.twoOfThreeLost() }

  static let wholeClusterPowerLoss = Scenario(
    "whole-cluster-power-loss", "the power goes everywhere at once, and the servers come back in any order",
    story: """
      The same database came back from a total loss of power only if its nodes were started in the right order, the one that had gone last \
      first. Here all three go in the middle of a write, and come back in each of the six orders, with pauses in between. As soon as two \
      are up they serve; nothing that was acknowledged is lost.
      """
  ) { stage throws(ScenarioFailure) in try stage.wholeClusterPowerLoss() }

  static let frozenLeaderWakes = Scenario(
    "frozen-leader-wakes", "a frozen leader wakes, believes that it still leads, and harms nobody",
    story: """
      A host freezes a virtual machine, or moves it, and it wakes seconds later in the middle of an instruction, with requests in its \
      hands. It was the leader, and by its own clock and memory it still is. Here a leader freezes with a write and a read under way; \
      another is elected, and overwrites. In the very moment in which the old one wakes it is asked to read: it must not answer from \
      memory. The write that it had taken is done once or not at all, and its client hears which, or that nobody knows.
      """
  ) { stage throws(ScenarioFailure) in try stage.frozenLeaderWakes() }
}

extension Stage {
  fileprivate func masterDies() throws(ScenarioFailure) {
    let deaths = 5
    var total: Nanoseconds = .zero
    try start(.all)
    for death in 1...deaths {
      let master = try expectLeader()
      try write("death", "\(death)", on: master)
      try losePower(master)
      let died = cluster.now
      let next = try expectLeader(.all(but: master), within: .milliseconds(3000))
      total += cluster.now - died
      try expectRead("death", on: next, is: "\(death)")
      try start(master)
      try expectConverged()
    }
    let average = total / Int64(deaths)
    note("failover took \(average.inMilliseconds) on average")
    guard average < .milliseconds(1200) else { throw failure("failovers below 1200 ms on average", seen: average.inMilliseconds) }
  }

  fileprivate func twoOfThreeLost() throws(ScenarioFailure) {
    try start(.all)
    for (round, leaderStays) in [true, false].enumerated() {
      let leader = try expectLeader()
      try write("round", "\(round)", on: leader)
      let others = shuffled([.a, .b, .c]).filter { $0 != leader }
      let (last, lost) = leaderStays ? (leader, others) : (others[0], [others[1], leader])
      try losePower(Servers(.several(lost)))
      let lie = try beginWrite("lie", "\(round)", on: last, within: .milliseconds(2000))
      try expectReadRefused(on: last)
      try expectRefused(lie)
      try expectWriteRefused("lie", "again \(round)", on: last)
      try expectNoLeader(among: last, for: .milliseconds(3000))
      try start(lost[0])
      try expectLeader()
      try expectRead("round", on: [last, lost[0]], is: "\(round)")
      try write("round", "\(round), two are back", on: last)
      try start(lost[1])
      try expectConverged()
    }
  }

  fileprivate func wholeClusterPowerLoss() throws(ScenarioFailure) {
    try start(.all)
    for (round, order) in permutations(of: [Servers.a, .b, .c]).enumerated() {
      try expectLeader()
      try write("round", "\(round)", on: order[0])
      _ = try beginWrite("lost", "\(round)", on: order[1])
      try wait(Nanoseconds(random.below(8_000_000)))
      try losePower(.all)
      try start(order[0])
      try wait(Nanoseconds(random.below(1_500_000_000)))
      try start(order[1])
      let leader = try expectLeader()
      try expectRead("round", on: leader, is: "\(round)")
      try write("round", "\(round), two are back", on: order[0])
      try start(order[2])
      try expectConverged()
    }
  }

  fileprivate func frozenLeaderWakes() throws(ScenarioFailure) {
    try start(.all)
    let old = try expectLeader()
    try write("x", "before", on: old)
    let write = try beginWrite("once", "or not", on: old, within: .milliseconds(20_000))
    let read = try beginRead(on: old, within: .milliseconds(20_000))
    try pause(old)
    let new = try expectLeader(.all(but: old))
    try self.write("x", "after", on: new)
    try wait(Nanoseconds(random.below(3_000_000_000)))
    try resume(old)
    let late = try beginRead(on: old)
    try expectDone(late)
    try expectDone(read)
    try expectAnswered(write)
    try expectRead("x", on: .all, is: "after")
    try expectConverged()
  }
}
