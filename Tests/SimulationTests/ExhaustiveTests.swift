import Raft
import Testing

@testable import Simulation

/// Small worlds, walked through to the end.
@Suite struct ExhaustiveTests {
  static func explore(_ scope: Scope, states: Int = 100_000) throws -> Exploration {
    var exploration = try Exploration(scope)
    _ = exploration.advance(by: states)
    return exploration
  }

  static func scope(_ preset: Scope.Preset, depth: Int, _ change: (inout Scope) -> Void = { _ in }) -> Scope {
    var scope = Scope(preset)
    scope.depth = depth
    change(&scope)
    return scope
  }

  @Test(arguments: Scope.Preset.allCases) func everyPresetHoldsUpAndIsTheSameEachTime(_ preset: Scope.Preset) throws {
    let scope = Self.scope(preset, depth: 7)
    let first = try Self.explore(scope)
    let second = try Self.explore(scope)
    #expect(first.ending == .depth)
    #expect(first.flaw == nil)
    #expect(first.story.isEmpty)
    #expect(first.distinct > 50)
    #expect(first.depth == 7)
    #expect((first.distinct, first.visited, first.fingerprint) == (second.distinct, second.visited, second.fingerprint))
  }

  @Test func anElectionOfTwoEndsInOneLeaderWhateverTheOrder() throws {
    let scope = Self.scope(.elections, depth: 60) {
      $0.nodes = 2
      $0.budget.timeOuts = 1
      $0.budget.proposals = 1
    }
    let exploration = try Self.explore(scope)
    #expect(exploration.ending == .complete)
    #expect(exploration.frontier == 0)
    // Somebody led, and the value was committed by both.
    let summaries = exploration.interner.summaries
    #expect(summaries.contains { $0.leads && $0.commit == 3 })
    #expect(summaries.contains { !$0.leads && $0.commit == 3 })
  }

  @Test func namesOfNodesAndValuesAreNoDifference() throws {
    let scope = Self.scope(.elections, depth: 6)
    let symmetric = try Self.explore(scope)
    let plain = try Self.explore(Self.scope(.elections, depth: 6) { $0.usesSymmetry = false })
    #expect(symmetric.distinct * 3 < plain.distinct)
    #expect(symmetric.depth == plain.depth)
  }

  @Test func everyBudgetIsSpent() throws {
    let scope = Self.scope(.replication, depth: 4) {
      $0.budget.timeOuts = 1
      $0.budget.crashes = 1
      $0.budget.losses = 1
    }
    let expected: [Step.Kind] = [.deliver, .deliverCopy, .lose, .timeOut, .timeOutAlone, .heartbeat, .propose, .sync, .crash]
    #expect(try Self.kinds(scope).isSuperset(of: expected.map(\.rawValue)))
    // It takes a follower that first hears of a term from its leader.
    let torn = Self.scope(.crashes, depth: 9) { $0.budget.timeOuts = 1 }
    #expect(try Self.kinds(torn).contains(Step.Kind.crashWithinWrite.rawValue))
  }

  /// What led to new states.
  static func kinds(_ scope: Scope) throws -> Set<UInt32> {
    Set(try explore(scope).steps.map { Step(code: $0).kind.rawValue })
  }

  @Test func itEndsWhenTheTableIsFull() throws {
    let exploration = try Self.explore(Self.scope(.elections, depth: 20) { $0.maximumStates = 500 })
    #expect(exploration.ending == .full)
    #expect(exploration.distinct == 500)
    #expect((1..<exploration.depth).contains(exploration.wholeDepth))
  }

  @Test func aStoryHasALineForEachStep() throws {
    let exploration = try Self.explore(Self.scope(.crashes, depth: 6))
    let path = exploration.lastPath
    #expect(path.count == 6)
    let story = exploration.tell(path)
    #expect(story.first == "a: follower in term 1, vote none, log 1c |, committed 1")
    for number in 1...6 { #expect(story.count { $0.hasPrefix("\(number). ") } == 1) }
    #expect(story.contains { $0.contains("would you vote for me? my log ends at 1 of term 1") })
  }

  @Test func senselessScopesAreRefused() throws {
    let changes: [(inout Scope) -> Void] = [
      { $0.nodes = 4 }, { $0.nodes = 1 }, { $0.values = 0 }, { $0.depth = 251 }, { $0.maximumStates = 0 }, { $0.budget.crashes = 16 },
      { $0.budget.timeOuts = -1 },
      {
        $0.nodes = 2
        $0.opening = .diverged
      },
    ]
    for change in changes {
      var scope = Scope()
      change(&scope)
      #expect(throws: ScopeError.self) { try Exploration(scope) }
    }
  }

  // MARK: Parts

  @Test func aStepIsOneNumber() {
    for step in [Step(.deliver, 2, Step.maximumArgument), Step(.crashWithinWrite, 1), Step(.silence, 0, 7)] {
      #expect(Step(code: step.code) == step)
      #expect(step.like(.sync) == Step(.sync, step.node, step.argument))
    }
  }

  @Test func aQueueGivesBackWhatCameFirst() {
    var queue = WorldQueue()
    let worlds = (0..<300_000 as Range<UInt32>).map {
      SmallWorld(nodes: [$0, 1, 2], ghostState: $0 % 7, budget: $0, messages: Array(repeating: $0, count: Int($0 % 3)))
    }
    for world in worlds { queue.append(world) }
    var world = SmallWorld(nodes: [0, 0, 0])
    var isSame = true
    for expected in worlds { isSame = queue.next(into: &world) && world == expected && isSame }
    #expect(isSame)
    let hasMore = queue.next(into: &world)
    #expect(!hasMore)
  }

  @Test func aSetKnowsWhatItSaw() {
    var set = DigestSet()
    let digests = (0..<20_000 as Range<UInt64>).map { Digest(low: ($0 % 5000) &* 0x9e37_79b9_7f4a_7c15, high: $0) }
    let first = digests.count { set.insert($0) }
    let second = digests.count { set.insert($0) }
    #expect((first, second, set.count) == (digests.count, 0, digests.count))
  }

  @Test func everyPermutationIsThereOnceAndTheIdentityFirst() {
    let permutations = Symmetry.permutations(of: 3)
    #expect(permutations.first == [0, 1, 2])
    #expect(Set(permutations).count == 6)
    #expect(permutations.allSatisfy { $0.sorted() == [0, 1, 2] })
  }
}
