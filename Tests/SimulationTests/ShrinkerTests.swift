import ByteCoding
import Raft
import Replica
import Testing

@testable import Simulation

@Suite struct ShrinkerTests {
  /// Fails when `b` crashes after operation 17, whatever else happens.
  static func checker(_ story: Story) -> Violation? {
    var isArmed = false
    for step in story.steps {
      switch step.action {
      case .operation(17, _, _): isArmed = true
      case .fault(let fault) where fault.kind == .crash && fault.target == .node("b") && isArmed:
        return Violation(.answers, "found", at: step.at)
      default: break
      }
    }
    return nil
  }

  static var failing: Story {
    var story = Story(seed: 3, nodes: 5)
    story.steps.append(Story.Step(at: story.end, .fault(Fault(.crash, target: .node("b"), duration: Nanoseconds(777_777_777)))))
    return story
  }

  @Test func whatDoesNotMatterIsLeftOut() throws {
    var shrinker = try #require(Shrinker(Self.failing, checker: Self.checker))
    shrinker.shrink()
    let story = shrinker.story
    #expect(story.steps.count == 2)
    #expect(Self.checker(story) != nil)
    #expect(story.names.count <= 2)
    #expect(story.steps.last?.action == .fault(Fault(.crash, target: .node("b"), duration: .milliseconds(10))))
    #expect(story.end < .zero + .milliseconds(100), "no empty stretches")
    #expect(try Story(parsing: story.text) == story, "the short story can be written down")
  }

  /// Fails when two commands were asked and then a machine lost power, or worse.
  static func fussyChecker(_ story: Story) -> Violation? {
    var asked = 0
    for step in story.steps {
      switch step.action {
      case .operation: asked += 1
      case .fault(let fault):
        let isBad = [Fault.Kind.powerLoss, .totalPowerLoss].contains(fault.kind)
        if isBad, asked > 1 { return Violation(.answers, "found", at: step.at) }
      }
    }
    return nil
  }

  @Test func whatIsLeftIsMadeSimple() throws {
    var story = Story(seed: 3, nodes: 5)
    story.place = .wan
    story.scale.starts = .milliseconds(5000)
    story.scale.hasTightBounds = true
    story.core = ["a", "b", "c"]
    story.steps = story.steps.filter { if case .operation = $0.action { true } else { false } }.suffix(20)
    story.steps.append(
      Story.Step(at: story.end, .fault(Fault(.totalPowerLoss, target: .leader, duration: .milliseconds(7777)))))
    var shrinker = try #require(Shrinker(story, checker: Self.fussyChecker))
    shrinker.shrink()
    let short = shrinker.story
    #expect(
      short.text == """
        coracle story 1
        seed 3
        place lan
        nodes a
        keys 1
        values 0
        bounds usual
        log usual
        snapshots 8000
        starts 0s
        end 0s
        core a
        0s operation 1 on a within 1s
        0s operation 2 on a within 1s
        0s powerLoss node a for 10ms

        """)
  }

  /// What fails behind a snapshot needs few operations, if the snapshot comes soon.
  @Test func snapshotsComeSooner() throws {
    func checker(_ story: Story) -> Violation? {
      30 * story.steps.count > story.scale.snapshotBytes ? Violation(.answers, "found", at: story.end) : nil
    }
    var shrinker = try #require(Shrinker(Story(seed: 3, nodes: 3), checker: checker))
    shrinker.shrink()
    #expect(shrinker.story.steps.count == 7)
  }

  @Test func aStoryThatDoesNotFailCannotBeShortened() { #expect(Shrinker(Self.failing, checker: { _ in nil }) == nil) }

  @Test func anotherCheckersFindingIsAnotherStory() throws {
    var shrinker = try #require(
      Shrinker(Self.failing) { story in
        story.steps.count > 100 ? Violation(.answers, "long", at: story.end) : Violation(.liveness, "short", at: story.end)
      })
    shrinker.shrink()
    #expect(shrinker.violation.checker == .answers)
    #expect(shrinker.story.steps.count == 101)
  }

  @Test func itStopsWhenItHasTriedEnough() throws {
    var shrinker = try #require(Shrinker(Self.failing, maximumRuns: 20, checker: Self.checker))
    shrinker.shrink()
    #expect(shrinker.runs == 20)
    #expect(Self.checker(shrinker.story) != nil)
  }

  /// A bug planted in a state machine that the project does not know is found, and its story made short.
  @Test func aPlantedBugIsFoundAndItsStoryMadeShort() throws {
    let story = try #require(
      (1...20 as ClosedRange<UInt64>).lazy.map { Story(seed: $0, nodes: 3, lasting: .milliseconds(20_000)) }.first { !Self.run($0).isEmpty }
    )
    var shrinker = try #require(Shrinker(story, maximumRuns: 60) { Self.run($0).first })
    shrinker.shrink()
    #expect(shrinker.story.steps.count < story.steps.count / 2)
    #expect(Self.run(shrinker.story).first?.checker == shrinker.violation.checker)
  }

  static func run(_ story: Story) -> [Violation] { Run<ForgetfulClients>(story).run().violations }
}

/// Adds up what it is told, and keeps one byte of the sum in its snapshots.
struct ForgetfulTally: StateMachine, SnapshotSource {
  typealias View = ForgetfulTally
  private var total: UInt64 = 0

  init() {}

  mutating func apply(_ commands: [Command]) -> [UInt64] {
    commands.map { command in
      total &+= UInt64(command.payload.first ?? 0)
      return total
    }
  }

  func makeBlocks() -> CollectionOfOne<[UInt8]>.Iterator { CollectionOfOne([UInt8(truncatingIfNeeded: total)]).makeIterator() }

  init(restoring blocks: inout SnapshotBlocks) throws(MalformedBytes) {
    var reader = ByteReader(try blocks.next())
    total = UInt64(try reader.readUInt8())
  }
}

struct ForgetfulClients: Workload {
  typealias Machine = ForgetfulTally

  func operation(_ number: UInt64, seeing view: ForgetfulTally, using random: inout PseudoRandom) -> ClientOperation {
    .command([UInt8(random.below(100))], label: "add")
  }
}
