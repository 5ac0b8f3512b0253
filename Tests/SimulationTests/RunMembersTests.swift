import Raft
import Replica
import Testing

@testable import Simulation

/// Operators ask for no more than a cluster can do, and it is asked to serve through those who are its members.
@Suite struct RunMembersTests {
  /// A leader is asked to remove a follower while the disk of the other stalls. By what is committed, it is a member until that one has
  /// written; it serves nobody after that.
  @Test func whoIsBeingRemovedIsWaitedFor() throws {
    var story = HealthWatchTests.quiet(lasting: .milliseconds(10_000))
    story.names.append("d")
    story.joining = ["d"]
    let run = Run<KeyValueWorkload>(story)
    for name in story.founders { run.start(name) }
    #expect(run.live(until: .zero + .milliseconds(3000)))
    let leader = try #require(run.cluster.leader)
    let others = story.founders.filter { $0 != leader }
    let removed = try #require(run.cluster.identity(of: others[0]))
    run.begin(Fault(.stalledDisk, target: .node(others[1]), duration: .milliseconds(9000)))
    run.ask(.remove(removed), on: leader)
    #expect(run.live(until: run.cluster.now + .milliseconds(500)))
    #expect(run.votingMachines() == story.founders, "nothing is committed")
    run.settleMembers()
    #expect(run.isClean && run.votingMachines() == [leader, others[1]].sorted())
    #expect(run.cluster.now > .zero + .milliseconds(12_000), "it takes longer than what operators are waited for anyway")
  }

  /// All others move, and find each other through the one that was told. Whom they count out already would tell them in vain.
  @Test func whoIsAskedToLeaveIsNotTheOneThatIsToldWhereAllAre() throws {
    let story = try Story(
      parsing: """
        coracle story 1
        seed 187
        place lan
        nodes a b c d
        keys 1
        joining d
        end 683ms
        core a b c d
        683ms remove node c for 1ms
        683ms moveAll node c for 1ms
        """)
    let run = Run<KeyValueWorkload>(story)
    #expect(run.run().violations.isEmpty)
    #expect(run.members.leaving.count == 1, "the removal was asked for")
  }
}
