import KeyValue
import Raft
import Replica
import Testing

@testable import Simulation

/// What a reader of a failed run is shown.
@Suite struct WordsTests {
  // MARK: Answers

  private static let pair = KeyValuePair(key: [0x6B], value: [0x76], createRevision: 2, modRevision: 3, version: 1)

  @Test(
    arguments: [
      (.put(previous: nil), "revision 8"), (.put(previous: pair), "was v, revision 8"),
      (.delete(count: 2, previous: []), "2 deleted, revision 8"),
      (.delete(count: 0, previous: []), "0 deleted at 8"), (.delete(count: 1, previous: [pair]), "was v, revision 8"),
      (.range(RangeResponse()), "nothing at 8"), (.range(RangeResponse(pairs: [pair], count: 1)), "k = v at 8"),
      (.range(RangeResponse(pairs: [pair, pair], count: 3)), "3 pairs at 8"),
      (.transaction(succeeded: true, responses: [.put(previous: nil)]), "yes, revision 8"),
      (.transaction(succeeded: false, responses: [.range(RangeResponse(pairs: [pair], count: 1))]), "no, k = v at 8"),
    ] as [(OperationResult, String)])
  func anAnswerIsShort(response: OperationResult, text: String) {
    #expect(KeyValueWorkload.label(of: .success(Response(revision: 8, result: response))) == text)
  }

  @Test func anErrorIsNamed() { #expect(KeyValueWorkload.label(of: .failure(.emptyKey)) == "refused: emptyKey") }

  @Test func aFailureSaysWhatIsKnown() {
    #expect(RequestError(.noLeader, outcome: .notDone).shortText == "no leader, not done")
    #expect(RequestError(.deadlineExceeded, outcome: .unknown).shortText == "deadline passed, outcome unknown")
  }

  // MARK: Faults

  @Test func aPartitionNamesItsSides() throws {
    let story = try Story(parsing: Self.story("20ms partition node a by 2 for 1s\n30ms bridge node a by 1 for 1s"))
    let labels = Self.faultLabels(story)
    #expect(labels == ["partition b | a, c", "partition b | c, bridge a"])
  }

  /// The lanes show whom it hits, and the time how long it lasts.
  @Test func noLabelRepeatsTheNodeOrTheTime() throws {
    let story = try Story(parsing: Self.story("20ms loss node a by 34 for 1690ms\n30ms slowDisk node b by 20 for 1690ms"))
    #expect(Self.faultLabels(story) == ["loss of 3.4% of frames", "slow disk: syncs of up to 20 ms"])
  }

  @Test func everyFaultHasWords() {
    for kind in Fault.Kind.allCases {
      let text = Fault(Fault.Harm(kind, by: 3, to: "b"), target: .node("a")).shortText(at: "a", sides: (["a"], ["b"]))
      #expect(!text.isEmpty && text.count < 50 && !text.contains(kind.rawValue + "("))
    }
  }

  private static func story(_ steps: String) -> String {
    "coracle story 1\nseed 7\nplace lan\nnodes a b c\nend 3s\ncore a b c\n\(steps)\n"
  }

  private static func faultLabels(_ story: Story) -> [String] {
    (story.run(tracing: true).trace?.events ?? []).compactMap { if case .faultBegan(_, let label, _) = $0.event { label } else { nil } }
  }

  // MARK: Stories

  @Test func aStoryIsToldWithWhatCameOfIt() throws {
    let steps = """
      10ms operation 1 on b within 1s
      2s operation 2 on a within 1s
      2s operation 3 on a within 1s
      2100ms crash node a for 100ms
      2110ms operation 4 on a within 1s
      2120ms crash node a for 100ms
      2200ms stalledDisk leader for 10ms
      """
    let story = try Story(parsing: Self.story(steps))
    let trace = try #require(story.run(tracing: true).trace)
    let text = story.text(toldBy: trace)
    #expect(try Story(parsing: text) == story, "comments mean nothing")
    let comments = text.split(separator: "\n").suffix(7).map { $0.split(separator: "#", maxSplits: 1).last.map(String.init) ?? "" }
    #expect(comments[0].contains(": "))
    #expect(comments[1] != comments[2])
    #expect(comments[3] == " crash (a)")
    #expect(comments[4] == " a is down")
    #expect(comments[5] == " nobody to hurt")
  }

  @Test func aRunIsTheSameWithATrace() {
    let story = Story(seed: 11, nodes: 3, lasting: .milliseconds(3000))
    #expect(story.run().fingerprint == story.run(tracing: true).fingerprint)
  }

  // MARK: What did not happen

  @Test func gapsHaveNames() {
    var report = RunReport()
    #expect(report.faultsNeverMet == Fault.Kind.allCases.map(\.rawValue))
    #expect(report.framesNeverSent.contains("snapshotBlock"))
    report.frames[26] = 1
    report.faults[0] = 1
    #expect(report.faultsNeverMet == Fault.Kind.allCases.dropFirst().map(\.rawValue))
    #expect(!report.framesNeverSent.contains("snapshotBlock"))
  }

  @Test func aScenarioHasATraceOfEachWorld() throws {
    let scenario = try #require(Scenario.named("figure-8"))
    let report = scenario.run(seed: 1, tracing: true)
    let plain = scenario.run(seed: 1)
    #expect(report.fingerprint == plain.fingerprint && plain.traces.isEmpty)
    #expect(report.traces.count == 1, "nothing happens in the world before")
    let text = TraceText(try #require(report.traces.first)).story
    for part in ["— start a —", "asked 1: put x = agreed", "answers 1: revision 2"] { #expect(text.contains(part), "\(part)") }
  }
}
