import Raft
import Replica
import Testing

@testable import Simulation

/// What would heal itself is seen while the story goes on: the network is broken behind the checker's back, which believes all to be whole.
@Suite struct HealthWatchTests {
  /// Three nodes and their clients, and no fault.
  static func quiet(lasting duration: Nanoseconds) -> Story {
    var story = Story(seed: 5, nodes: 3, lasting: duration)
    story.steps.removeAll { if case .fault = $0.action { true } else { false } }
    story.scale = Story.Scale()
    story.scale.linksKeepOrder = true
    story.place = .lan
    return story
  }

  /// What is found when something is done to the cluster once it serves.
  private func found(_ duration: Nanoseconds = .milliseconds(30_000), once change: @escaping (Run<KeyValueWorkload>) -> Void) -> [Violation]
  {
    let run = Run<KeyValueWorkload>(Self.quiet(lasting: duration))
    let commit = run.cluster.onCommit
    run.cluster.onCommit = { entry in
      commit?(entry)
      if entry.index == 20 { change(run) }
    }
    return run.run().violations
  }

  @Test func aQuietRunIsClean() { #expect(found { _ in }.isEmpty) }

  /// A cluster that forms late, and one of which a part is left broken at the end.
  @Test(arguments: [3_636_673, 3_636_134] as [UInt64]) func asksForNoLeaderTooEarlyNorAtTheEnd(seed: UInt64) {
    #expect(Run<KeyValueWorkload>(Story(seed: seed)).run().violations.isEmpty)
  }

  @Test func namesAMajorityWithoutALeader() throws {
    let violation = try #require(
      found { run in
        for name in run.story.names { run.cluster.network.isolate(name, from: run.story.names) }
      }.first)
    #expect(violation.checker == .liveness && violation.text.contains("nobody leads"))
    #expect(violation.at < .zero + .milliseconds(15_000))
  }

  @Test func namesANodeThatDoesNotCatchUp() throws {
    let violation = try #require(
      found { run in
        let name = run.story.names.first { $0 != run.cluster.leader } ?? ""
        // Its own clients would find out first.
        for other in run.story.names where other != name { run.cluster.network.cut(from: other, to: name) }
        run.health.goals[0] = nil
      }.first { $0.text.contains("has applied") || $0.text.contains("no answer") })
    #expect(violation.checker == .liveness)
  }

  @Test func namesARequestThatExpiresUnderAHealthyLeader() throws {
    let violation = try #require(
      found { run in
        let name = run.story.names.first { $0 != run.cluster.leader } ?? ""
        for other in run.story.names where other != name { run.cluster.network.cut(from: name, to: other) }
      }.first)
    #expect(violation.checker == .liveness && violation.text.contains("no answer"))
  }

  @Test func namesAProcessThatGivesUpThoughItsDiskDoesNotFail() throws {
    let violation = try #require(
      found { run in
        run.cluster.disk(of: "a").fail(.sync, after: 0)
        // As if the call had failed before this process began.
        run.health.started("a", failedCalls: 1)
      }.first)
    #expect(violation.checker == .recovery && violation.text.contains("gave up"))
  }

  @Test func aDiskThatFailsMayEndAProcess() {
    #expect(found(.milliseconds(10_000)) { $0.cluster.disk(of: "a").fail(.sync, after: 0) }.isEmpty)
  }

  // MARK: Turns and careers

  @Test func aBusyNodeTakesSeveralEventsInATurn() {
    var story = Self.quiet(lasting: .milliseconds(3000))
    #expect(story.runKeyValue().coverage[.severalEventsInATurn] == 0)
    story.scale.longestTurn = .milliseconds(20)
    let report = story.runKeyValue()
    #expect(report.coverage[.severalEventsInATurn] > 20)
    #expect(report.violations.isEmpty && report.completed > 100)
  }

  @Test func aProcessLeadsFollowsAndLeadsAgain() {
    var drawer = FaultDrawer(names: ["a", "b", "c", "d", "e"], end: .zero + .milliseconds(60_000), random: PseudoRandom(seed: 3))
    var story = Story(seed: 5, nodes: 5, lasting: .milliseconds(60_000))
    story.steps.removeAll { if case .fault = $0.action { true } else { false } }
    story.steps += drawer.drawCareers(isWide: false).map { Story.Step(at: $0, .fault($1)) }
    story.steps.sort { $0.at < $1.at }
    (story.place, story.scale) = (.lan, Story.Scale())
    let report = story.runKeyValue()
    #expect(report.violations.isEmpty)
    #expect(report.coverage[.ledAgain] > 3)
    #expect(report.starts == 5)
  }

  @Test func theQuietTimeLeavesAMajorityAlone() {
    let names = ["a", "b", "c", "d", "e"]
    var drawer = FaultDrawer(names: names, end: .zero + .milliseconds(60_000), random: PseudoRandom(seed: 3))
    let time = Instant.zero + .milliseconds(20_000)...Instant.zero + .milliseconds(40_000)
    let faults = drawer.calm(drawer.draw(), between: time)
    var hit: [String] = []
    for (at, fault) in faults where time.contains(at) {
      guard case .node(let name) = fault.target else { return #expect(Bool(false), "\(fault)") }
      if !hit.contains(name) { hit.append(name) }
    }
    #expect(hit.count <= 2 && faults.contains { at, _ in !time.contains(at) })
    #expect(faults.allSatisfy { at, fault in at >= time.lowerBound || at + fault.duration <= time.lowerBound })
  }
}
