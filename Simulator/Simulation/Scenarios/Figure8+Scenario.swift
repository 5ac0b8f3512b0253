import Raft
import Replica

/// The trap of the Raft paper's section 5.4.2.
extension Scenario {
  static let figure8 = Scenario(
    "figure-8", "an entry of an older term is on a majority, and is not committed by that",
    story: """
      The Raft paper's figure 8. A leads, and its entry reaches B alone (a). A dies; E is elected by C and D, who lack the entry, and puts \
      another one in its place, in its own log only (b). E dies; A is elected again, and sends its old entry to C: now it is on three of \
      five (c). If A took it for committed by that, the promise would be broken at once: A dies, E is elected by C and D, whose logs are \
      older than its own, and overwrites the entry everywhere (d). Here A counts only entries of its own term, and so commits nothing.
      """,
    servers: ["a", "b", "c", "d", "e"]
  ) { stage throws(ScenarioFailure) in try stage.figure8() }
}

extension Stage {
  fileprivate func figure8() throws(ScenarioFailure) {
    var settings = ReplicaSettings()
    // So that the old entry travels alone, and the next leader's first entry comes after it.
    settings.raft.maximumAppendBytes = 200
    try newWorld([.a, .b, .c, .d, .e], settings: settings)
    try start(.all)
    try elect(.a, by: [.b, .c, .d, .e])
    try write("x", "agreed", on: .a)
    try expectConverged()

    note("(a) the entry of a reaches b alone")
    try cut(.a, [.c, .d, .e])
    _ = try beginWrite("x", "old " + String(repeating: "x", count: 500), on: .a)
    let entry = status(.a)?.lastIndex ?? 0
    try expect("b has the entry, and c has not") {
      status(.b)?.lastIndex == entry && status(.c)?.lastIndex == entry - 1
    }
    // The disk of b has answered by then.
    try wait(.milliseconds(20))

    note("(b) e is elected, and its entry reaches nobody")
    try crash(.a)
    try leadUnheard(.e, electedBy: [.c, .d])
    try wait(.milliseconds(20))

    note("(c) a is elected again, and its old entry reaches c")
    try crash(.e)
    try start(.a)
    try star(.a, [.b, .c])
    try expect("c has the old entry", within: .milliseconds(15_000)) {
      status(.a)?.role == .leader && status(.c)?.lastIndex == entry
    }
    try cut(from: .a, to: .c)
    try wait(.milliseconds(30))
    try expect("the entry is on three of five, and not committed", within: .zero) {
      status(.b)?.lastIndex == entry + 1 && status(.c)?.lastIndex == entry
    }

    note("(d) e is elected by those who cannot know better")
    try crash(.a)
    try start(.e)
    try elect(.e, by: [.c, .d])
    try write("x", "of e", on: .e)
    heal()
    try start(.a)
    try expectConverged()
    try expectRead("x", on: .all, is: "of e")
  }

  /// Leaves only the links between a server and its voters, until it leads.
  private func elect(_ server: Servers, by voters: Servers) throws(ScenarioFailure) {
    try star(server, voters)
    try expectLeader(server, within: .milliseconds(15_000))
  }

  /// As `elect`, but when all have been asked for their votes nothing reaches them any more: so nobody hears of the new leader.
  private func leadUnheard(_ server: Servers, electedBy voters: [Servers]) throws(ScenarioFailure) {
    try star(server, Servers(.several(voters)))
    let before = status(server)?.term ?? 0
    try expect("\(server) asks \(voters.count) servers for their votes", within: .milliseconds(15_000)) {
      guard let candidate = status(server), candidate.role == .candidate, candidate.term > before else { return false }
      for voter in voters where status(voter)?.term != candidate.term { return false }
      return true
    }
    try cut(from: server, to: Servers(.several(voters)))
    try expect("\(server) leads, unheard") { status(server)?.role == .leader }
  }
}
