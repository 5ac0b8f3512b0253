import Raft
import Testing

@testable import Simulation

@Suite struct StoryTests {
  @Test(arguments: 1...20 as ClosedRange<UInt64>) func aStoryIsItsText(seed: UInt64) throws {
    let story = Story(seed: seed)
    #expect(try Story(parsing: story.text) == story)
  }

  @Test func everyFaultIsDrawnNowAndThen() {
    var seen: Set<Fault.Kind> = []
    for seed in 1...200 as ClosedRange<UInt64> {
      for step in Story(seed: seed).steps { if case .fault(let fault) = step.action { seen.insert(fault.kind) } }
    }
    #expect(seen.count == Fault.Kind.allCases.count)
  }

  @Test func aSwarmIsBusyEnough() {
    for seed in 1...20 as ClosedRange<UInt64> {
      let steps = Story(seed: seed).steps
      let operations = steps.count { if case .operation = $0.action { true } else { false } }
      #expect(operations > 50 * 60 && steps.count - operations > 20, "seed \(seed)")
    }
  }

  static let whole = """
    coracle story 1
    seed 7
    place lan
    nodes a b c
    end 2s
    core a b
    10ms operation 1 on a within 500ms   # the first
    20ms oneWayCut node a to b for 1s
    30ms drift leader by -200 for 1s
    """

  @Test func commentsAndSpacesMeanNothing() throws {
    let story = try Story(parsing: "# by hand\n\n" + Self.whole)
    #expect(story.steps.count == 3)
    #expect(story.steps[1].action == .fault(Fault(.oneWayCut(to: "b"), target: .node("a"), duration: .milliseconds(1000))))
    #expect(story.steps[2].action == .fault(Fault(.drift(perMillion: -200), target: .leader, duration: .milliseconds(1000))))
  }

  @Test func aNumberOutOfBoundsIsBroughtIntoThem() {
    for kind in Fault.Kind.allCases {
      for amount in [Int64.min, -1, 0, 1, 7, 1_000_000, .max] {
        for losingPower in [false, true] {
          let harm = Fault.Harm(kind, by: amount, to: "b", losingPower: losingPower)
          #expect(harm.kind == kind)
          #expect(Fault.Harm(kind, by: harm.amount, to: harm.other ?? "", losingPower: harm.losesPower) == harm)
        }
      }
    }
    #expect(Fault.Harm(.flapping, by: 0, to: "b") == .flapping(with: "b", every: .milliseconds(1)))
    #expect(Fault.Harm(.crashDuringRecovery, by: 7) == .crashDuringRecovery(afterCalls: 7, losingPower: false))
  }

  @Test(arguments: [
    ("", "majority"), ("hello", "coracle story 1"), (whole + "\n5ms crash node a", "order"), (whole + "\n40ms crash node x", "no node"),
    (whole + "\n40ms explode node a", "no fault"), (whole + "\n40ms crash node a for 3 hours", "no time"),
    (whole + "\n40ms crash node", "of what"), (whole + "\n99999999999999s crash node a", "no time"), (whole + "\ncore a", "majority"),
    (whole + "\nnodes a a b", "one name"), (whole + "\nnodes a b c d e f g h i j", "1 to 9"), (whole + "\nseed minus", "no number"),
    (whole + "\n40ms operation one on a within 1s", "reads"), (whole + "\n40ms slowNode node a by 1e3", "whole number"),
    (whole + "\n40ms crash node a losing heart", "losing heart"),
    (whole + "\nlinks -1", "kilobytes"), (whole + "\nframes often", "ordered"), (whole + "\nlimits many", "no number"),
  ])
  func whatIsNoStoryIsNamed(text: String, reason: String) {
    #expect {
      try Story(parsing: text)
    } throws: { error in
      "\(error)".contains(reason) || "\(error)".contains("1 to 9")
    }
  }

  /// Any bytes give a story or an error, and no story makes a run trap.
  @Test(arguments: 1...100 as ClosedRange<UInt64>) func noTextIsFatal(seed: UInt64) {
    var random = PseudoRandom(seed: seed)
    var words = Self.whole.split(whereSeparator: { $0 == " " }).map(String.init)
    for _ in 0..<3 {
      let strange = ["", "-1", "99999999999999999999", "leader", "by", "for", "1ns", "\n", "rot", "clog", "c", "9223372036854775807"]
      words[Int(random.below(UInt64(words.count)))] = random.pick(strange)
    }
    if let story = try? Story(parsing: words.joined(separator: " ")), story.end < .zero + .milliseconds(10_000) { _ = story.runKeyValue() }
  }
}
