import Raft
import Testing

@testable import Simulation

/// Every scenario with a name, with some seeds; `simulate scenario NAME --runs K` plays it as often as one likes.
@Suite struct ScenarioTests {
  @Test(arguments: Scenario.all.map(\.name), 1...3 as ClosedRange<UInt64>)
  func goesAsTold(name: String, seed: UInt64) throws {
    let report = try #require(Scenario.named(name)).run(seed: seed)
    #expect(report.failure == nil, "\(report.transcript.suffix(12).joined(separator: "\n"))")
  }

  @Test func aSeedIsARun() throws {
    let scenario = try #require(Scenario.named("master-dies"))
    let first = scenario.run(seed: 5)
    let again = scenario.run(seed: 5)
    #expect(first.fingerprint == again.fingerprint)
    #expect(first.transcript == again.transcript)
    #expect(first.fingerprint != scenario.run(seed: 6).fingerprint)
  }

  @Test func theNamesAreUniqueAndEachHasAStory() {
    #expect(Set(Scenario.all.map(\.name)).count == Scenario.all.count)
    for scenario in Scenario.all { #expect(!scenario.summary.isEmpty && scenario.story.count > 200, "\(scenario.name)") }
  }

  @Test func theExampleInTheDocumentsGoesAsTold() {
    let scenario = Scenario("deaf", "a leader that hears nobody makes room", story: "…") { stage throws(ScenarioFailure) in
      try stage.start(.all)
      let deaf = try stage.expectLeader()
      try stage.write("x", "1", on: deaf)
      try stage.cut(from: .all(but: deaf), to: deaf)
      let unheard = try stage.beginWrite("x", "2", on: deaf)
      let new = try stage.expectLeader(.all(but: deaf))
      try stage.write("x", "3", on: new)
      try stage.expectAnswered(unheard)
      stage.heal()
      try stage.expectRead("x", on: .all, is: "3")
    }
    let report = scenario.run(seed: 7)  // failure, transcript, fingerprint
    #expect(report.failure == nil)
  }

  @Test func aNameThatIsNearlyRightIsUnderstood() {
    #expect(Scenario.named("head-spilt") == nil)
    #expect(Scenario.suggestions(for: "head-spilt").first == "head-split")
    #expect(Scenario.suggestions(for: "partition").contains("ring-partition"))
    #expect(Scenario.suggestions(for: "weather").isEmpty)
  }

  /// The number of directed graphs of four nodes, up to renaming (OEIS A000273).
  @Test func everyKindOfContactListsIsThere() {
    #expect(ContactLists.shapes.count == 218)
    #expect(Set(ContactLists.shapes).count == 218)
  }
}

/// A scenario that cannot fail shows nothing: each expectation names what it expected and what it saw.
@Suite struct ScenarioLanguageTests {
  typealias Program = @Sendable (Stage) throws(ScenarioFailure) -> Void

  static func failure(of program: @escaping Program) -> ScenarioFailure? {
    Scenario("test", "", story: "", program: program).run(seed: 1).failure
  }

  struct Claim: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Parts of what has to be said.
    let expected: String
    let seen: String
    let program: Program

    /// `program` begins with three servers and a leader, who has written x=1.
    init(_ description: String, expected: String, seen: String, _ program: @escaping Program) {
      testDescription = description
      self.expected = expected
      self.seen = seen
      self.program = program
    }
  }

  static let falseClaims: [Claim] = [
    Claim("a leader that is down", expected: "that one of b leads", seen: "b is down") { stage throws(ScenarioFailure) in
      try stage.crash(.b)
      try stage.expectLeader(.b, within: .milliseconds(1500))
    },
    Claim("a leader without a majority", expected: "leads, within 400.0 ms", seen: "leader") { stage throws(ScenarioFailure) in
      try stage.crash(.followers)
      try stage.expectLeader(within: .milliseconds(400))
    },
    Claim("no leader where there is one", expected: "that none of all leads", seen: "leader") { stage throws(ScenarioFailure) in
      try stage.expectNoLeader(among: .all, for: .milliseconds(100))
    },
    Claim("a steady leader that goes", expected: "goes on to lead in term 2", seen: "term") { stage throws(ScenarioFailure) in
      try stage.isolate(.leader)
      try stage.expectSteadyLeader(for: .milliseconds(2000))
    },
    Claim("another value", expected: "show x=2", seen: "x=1") { stage throws(ScenarioFailure) in
      try stage.expectRead("x", on: .all, is: "2")
    },
    Claim("a value where there is none", expected: "show y=1", seen: "y=nothing") { stage throws(ScenarioFailure) in
      try stage.expectRead("y", on: .a, is: "1")
    },
    Claim("no value where there is one", expected: "show x=nothing", seen: "x=1") { stage throws(ScenarioFailure) in
      try stage.expectRead("x", on: .a, is: nil)
    },
    Claim("a read without a majority", expected: "to serve reads", seen: "no leader") { stage throws(ScenarioFailure) in
      try stage.crash([.a, .b])
      try stage.expectRead("x", on: .c, is: "1")
    },
    Claim("a write without a majority", expected: "the write of x=2 on c to be done", seen: "") { stage throws(ScenarioFailure) in
      try stage.crash([.a, .b])
      try stage.write("x", "2", on: .c, within: .milliseconds(1000))
    },
    Claim("a write to a server that is down", expected: "to be answered", seen: "no answer") { stage throws(ScenarioFailure) in
      let attempt = try stage.beginWrite("x", "2", on: .a, within: .milliseconds(500))
      try stage.crash(.a)
      try stage.expectAnswered(attempt)
    },
    Claim("a refused write that is done", expected: "x=2 on a to be refused", seen: "done, revision 3") {
      stage throws(ScenarioFailure) in
      try stage.expectWriteRefused("x", "2", on: .a)
    },
    Claim("a refused read that is answered", expected: "the read on a to be refused", seen: "revision 2") {
      stage throws(ScenarioFailure) in
      try stage.expectReadRefused(on: .a)
    },
    Claim("agreement while one is cut off", expected: "come to agree", seen: "log") { stage throws(ScenarioFailure) in
      try stage.isolate(.followers)
      _ = try stage.beginWrite("x", "2", on: .leader)
      try stage.expectConverged(within: .milliseconds(300))
    },
    Claim("a sound server that does not start", expected: "that a does not start", seen: "it started") {
      stage throws(ScenarioFailure) in
      try stage.crash(.a)
      try stage.expectStartRefused(.a, because: "damaged")
    },
    Claim("another reason not to start", expected: "because of moonlight", seen: "is damaged at byte") {
      stage throws(ScenarioFailure) in
      try stage.crash(.a)
      try stage.rot(.a)
      try stage.expectStartRefused(.a, because: "moonlight")
    },
    Claim("a member that is turned away", expected: "that a is turned away", seen: "nothing") { stage throws(ScenarioFailure) in
      try stage.expectTurnedAway(.a, because: "without a")
    },
    Claim("a rotten disk that starts", expected: "a to start from what it left", seen: "is damaged") {
      stage throws(ScenarioFailure) in
      try stage.crash(.a)
      try stage.rot(.a)
      try stage.start(.a)
    },
    Claim("a server that is not there", expected: "a server called j", seen: "[\"a\", \"b\", \"c\"]") {
      stage throws(ScenarioFailure) in
      try stage.crash(.j)
    },
    Claim("one server where there are two", expected: "the followers to be one server", seen: "[") { stage throws(ScenarioFailure) in
      try stage.write("x", "2", on: .followers)
    },
    Claim("a condition that never holds", expected: "that pigs fly, within 100.0 ms", seen: "a ") { stage throws(ScenarioFailure) in
      try stage.expect("pigs fly", within: .milliseconds(100)) { false }
    },
    Claim("a condition that ceases to hold", expected: "that a is up, for 100.0 ms", seen: "a is down") {
      stage throws(ScenarioFailure) in
      try stage.crash(.a)
      try stage.expectThroughout(.milliseconds(100), "a is up") { stage.status(.a) != nil }
    },
  ]

  @Test(arguments: falseClaims) func aFalseClaimFails(_ claim: Claim) throws {
    let failure = try #require(
      Self.failure { stage throws(ScenarioFailure) in
        try stage.start(.all)
        try stage.expectLeader()
        try stage.write("x", "1", on: .leader)
        try claim.program(stage)
      })
    #expect(failure.expected.contains(claim.expected), "\(failure)")
    #expect(failure.seen.contains(claim.seen), "\(failure)")
    #expect(failure.at > .zero)
  }

  /// Nothing is asked for here, and yet it fails: the cluster has lost what it acknowledged.
  @Test func whatWasAcknowledgedIsLookedForWithoutBeingAsked() throws {
    let failure = try #require(
      Self.failure { stage throws(ScenarioFailure) in
        try stage.start(.all)
        try stage.write("x", "1", on: .a)
        try stage.crash(.all)
        for server in [Servers.a, .b, .c] { try stage.wipe(server) }
      })
    #expect(failure.expected == "that no promise is broken")
    #expect(failure.seen.contains("x is gone") || failure.seen.contains("stale read"), "\(failure)")
  }

  /// All faults end by themselves, so a scenario may end in the middle of them.
  @Test func theEndBringsEverybodyBack() {
    let failure = Self.failure { stage throws(ScenarioFailure) in
      try stage.start(.all)
      try stage.write("x", "1", on: .a)
      try stage.cut(.a, .b)
      try stage.pause(.b)
      try stage.losePower(.c)
    }
    #expect(failure == nil)
  }

  @Test func twoStoresInOneWorldAreCheckedApart() {
    let failure = Self.failure { stage throws(ScenarioFailure) in
      try stage.newWorld([.h, .i], knowing: [(.h, [.h]), (.i, [.i])])
      try stage.start(.all)
      try stage.write("x", "of h", on: .h)
      try stage.write("x", "of i", on: .i)
      try stage.expectRead("x", on: .h, is: "of h")
      try stage.expectRead("x", on: .i, is: "of i")
    }
    #expect(failure == nil)
  }

  @Test func theTranscriptTellsEachStepWithItsTime() {
    let report = Scenario("test", "", story: "") { stage throws(ScenarioFailure) in
      try stage.wait(.milliseconds(1500))
      try stage.crash([.a, .b])
      try stage.cut(.a, .all(but: .a))
    }.run(seed: 1)
    #expect(report.transcript == ["0.0 ms  wait 1500.0 ms", "1500.0 ms  crash a, b", "1500.0 ms  cut a | all but a"])
  }
}
