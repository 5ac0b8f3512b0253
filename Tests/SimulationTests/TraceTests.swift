import Raft
import Simulation
import Testing

/// A trace with one event of each case, and labels that no other event has.
private func everyCase() -> Trace {
  var trace = Trace(names: ["ann", "bo"])
  let events: [Trace.Event] = [
    .phase("the faults"), .started(node: 0), .role(node: 0, .leader, term: 901),
    .progress(node: 0, last: 814, durable: 813, commit: 812, applied: 811),
    .sent(message: 1, from: 0, to: 1, label: "append, 3 entries", term: 901), .arrived(message: 1),
    .sent(message: 2, from: 1, to: 0, label: "appendAccepted to 7", term: 901), .arrived(message: 2), .arrived(message: 2),
    .sent(message: 3, from: 1, to: 0, label: "readRequest 5", term: 901), .lost(message: 3, why: "the wire is cut"),
    .faultBegan(fault: 6, label: "slowDisk by 20", nodes: [1]), .faultEnded(fault: 6), .paused(node: 1), .resumed(node: 1),
    .asked(request: 77, node: 0, label: "put x"), .answered(request: 77, label: "revision 9", good: true),
    .asked(request: .max, node: 1, label: "read y"), .answered(request: .max, label: "given up", good: false),
    .note(node: 1, "has a snapshot"), .ended(node: 1, how: "no power"), .violation(checker: "logMatching", "two logs differ"),
  ]
  for (number, event) in events.enumerated() { trace.add(event, at: time(number)) }
  return trace
}

private func time(_ milliseconds: Int) -> Instant { .zero + .milliseconds(Int64(milliseconds)) }

private func page(_ trace: Trace, title: String = "A run", facts: [(name: String, value: String)] = []) -> String {
  TracePage(title: title, facts: facts, trace: trace).html
}

/// What the page's scripts read.
private func data(_ page: String) throws -> JSONValue {
  let start = try #require(page.firstRange(of: "<script type=\"application/json\" id=\"trace\">"))
  let rest = page[start.upperBound...]
  let end = try #require(rest.firstRange(of: "</script>"))
  return try JSONValue(parsing: String(rest[..<end.lowerBound]))
}

@Suite struct TraceTests {
  @Test func eventsOfUnknownNodesAreNotRecorded() {
    var trace = Trace(names: ["a", "b"])
    trace.add(.started(node: 2), at: .zero)
    trace.add(.started(node: -1), at: .zero)
    trace.add(.faultBegan(fault: 1, label: "cut", nodes: [0, 2]), at: .zero)
    trace.add(.sent(message: 1, from: 0, to: 9, label: "append", term: 1), at: .zero)
    #expect(trace.events.isEmpty)
  }

  @Test func timeDoesNotGoBack() {
    var trace = Trace(names: ["a"])
    trace.add(.started(node: 0), at: time(5))
    trace.add(.paused(node: 0), at: time(3))
    #expect(trace.events.map(\.at) == [time(5), time(5)])
  }

  @Test func whatIsFoundLaterStandsWhereItBelongs() {
    var trace = Trace(names: ["a"])
    for number in 1...3 { trace.add(.note(node: 0, "note \(number)"), at: time(number)) }
    trace.insert(.violation(checker: "answers", "wrong"), at: time(2))
    trace.insert(.phase("first"), at: .zero)
    #expect(TraceText(trace).story.split(separator: "\n").map { $0.split(separator: " ").last } == ["—", "1", "2", "wrong", "3"])
  }

  @Test func detailsAreForgottenFirst() {
    var trace = Trace(names: ["a", "b"], limit: 200)
    trace.add(.role(node: 0, .leader, term: 4), at: .zero)
    trace.add(.faultBegan(fault: 1, label: "cut", nodes: [0]), at: .zero)
    trace.add(.progress(node: 1, last: 9, durable: 9, commit: 9, applied: 9), at: .zero)
    for number in 0..<5000 { trace.add(.sent(message: number, from: 0, to: 1, label: "append", term: 4), at: time(number)) }
    trace.add(.violation(checker: "durability", "gone"), at: time(5000))
    #expect(trace.events.count <= 200 && trace.events.count >= 100)
    #expect(trace.forgotten == 5004 - trace.events.count)
    let sent = trace.events.filter { if case .sent = $0.event { true } else { false } }
    #expect(trace.events.count - sent.count == 4, "role, fault, the last progress and the violation remain")
    #expect(sent.last?.at == time(4999))
    #expect(sent.allSatisfy { $0.at >= trace.detailedSince } && trace.detailedSince > time(4000))
  }

  @Test func theBoundHoldsWhateverComes() {
    var trace = Trace(names: ["a", "b"], limit: 200)
    trace.add(.faultBegan(fault: 7, label: "drift", nodes: []), at: .zero)
    for number in 0..<3000 {
      trace.add(.role(node: 1, number % 2 == 0 ? .candidate : .follower, term: Term(number)), at: time(number))
      trace.add(.note(node: 0, "again"), at: time(number))
      #expect(trace.events.count <= 200)
    }
    #expect(trace.events.contains { if case .faultBegan(7, _, _) = $0.event { true } else { false } }, "it has not ended")
    #expect(page(trace).contains("at most 200 events"))
    #expect(TraceText(trace).story.contains("events forgotten"))
  }

  @Test(arguments: [
    ("heartbeat", Trace.MessageKind.heartbeat), ("heartbeatResponse", .heartbeat), ("preVoteRequest, last 7", .election),
    ("voteResponse granted", .election), ("append 2 entries", .log), ("appendRejected", .log), ("commit 4", .log),
    ("snapshotBlock 3", .log), ("readRequest", .other), ("", .other),
  ]) func theFirstWordTellsTheKind(label: String, kind: Trace.MessageKind) {
    #expect(Trace.MessageKind(label: label) == kind)
  }
}

@Suite struct TraceTextTests {
  @Test func everyCaseIsTold() {
    #expect(
      TraceText(everyCase()).story == """
        0.000000       — the faults —
        0.001000  ann  starts
        0.002000  ann  leader in term 901
        0.003000  ann  log to 814, durable 813, commit 812, applied 811
        0.004000  ann  → bo  append, 3 entries, term 901
        0.005000  bo   ← ann  append, 3 entries, term 901
        0.006000  bo   → ann  appendAccepted to 7, term 901
        0.007000  ann  ← bo  appendAccepted to 7, term 901
        0.008000  ann  ← bo  appendAccepted to 7, term 901
        0.009000  bo   → ann  readRequest 5, term 901
        0.010000  bo   ✕ ann  readRequest 5, term 901, is lost: the wire is cut
        0.011000       fault 6 begins: slowDisk by 20 (bo)
        0.012000       fault 6 ends: slowDisk by 20
        0.013000  bo   is paused
        0.014000  bo   resumes
        0.015000  ann  asked 77: put x
        0.016000  ann  answers 77: revision 9, after 1 ms
        0.017000  bo   asked 18446744073709551615: read y
        0.018000  bo   fails 18446744073709551615: given up, after 1 ms
        0.019000  bo   has a snapshot
        0.020000  bo   ends: no power
        0.021000       VIOLATION of logMatching: two logs differ

        """)
  }

  @Test func heartbeatsAreCounted() {
    var trace = Trace(names: ["a", "b"])
    trace.add(.started(node: 0), at: .zero)
    for number in 1...6 {
      trace.add(.sent(message: number, from: 0, to: 1, label: "heartbeat", term: 1), at: time(number))
      trace.add(number.isMultiple(of: 3) ? .lost(message: number, why: "cut") : .arrived(message: number), at: time(number))
    }
    trace.add(.ended(node: 0, how: "crash"), at: time(12_000))
    #expect(
      TraceText(trace).story == """
         0.000000  a  starts
         0.005000  b  … 4 heartbeats
         0.006000  a  … 6 heartbeats, 2 of them lost
        12.000000  a  ends: crash

        """)
  }

  @Test func onlyTheLastProgressIsTold() {
    var trace = Trace(names: ["a"])
    for index in 1...9 as ClosedRange<LogIndex> {
      trace.add(.progress(node: 0, last: index, durable: index, commit: 0, applied: 0), at: time(Int(index)))
    }
    #expect(TraceText(trace).story == "0.009000  a  log to 9, durable 9, commit 0, applied 0\n")
  }

  @Test func progressThatIsNoneIsNotToldAgain() {
    var trace = Trace(names: ["a"])
    for number in 0..<3 {
      trace.add(.progress(node: 0, last: 4, durable: 4, commit: 4, applied: 4), at: time(2 * number))
      trace.add(.note(node: 0, "note \(number)"), at: time(2 * number + 1))
    }
    #expect(TraceText(trace).story.split(separator: "\n").count == 4)
  }

  @Test(
    arguments: [
      (0, "0 µs"), (999_999, "999 µs"), (1_000_000, "1 ms"), (3_013_400, "3.013 ms"), (1_250_000_000, "1.25 s"), (64_000_000_000, "64 s"),
    ] as [(Int64, String)])
  func aTimeIsReadable(nanoseconds: Int64, text: String) { #expect(TraceText.lasting(Nanoseconds(nanoseconds)) == text) }

  @Test func theEndsAreTheLastLinesOfEachNode() {
    var trace = Trace(names: ["a", "b"])
    trace.add(.phase("early"), at: .zero)
    trace.add(.note(node: 1, "quiet since"), at: time(1))
    for number in 2..<9 { trace.add(.note(node: 0, "note \(number)"), at: time(number)) }
    trace.add(.violation(checker: "recovery", "it does not start"), at: time(9))
    #expect(
      TraceText(trace).ends(2) == """
        (5 lines left out)
        0.000000     — early —
        0.001000  b  quiet since
        0.007000  a  note 7
        0.008000  a  note 8
        0.009000     VIOLATION of recovery: it does not start

        """)
    #expect(TraceText(trace).ends(0) == "(9 lines left out)\n0.009000     VIOLATION of recovery: it does not start\n")
  }

  @Test func aLabelStaysOnItsLine() {
    var trace = Trace(names: ["a"])
    trace.add(.note(node: 0, "one\ntwo\u{1B}[31m\u{2028}three"), at: .zero)
    #expect(TraceText(trace).story == "0.000000  a  one two [31m three\n")
  }
}

@Suite struct TracePageTests {
  /// Each would leave the place where it stands, if it were not escaped there.
  private static let hostile = [
    "</script><script>alert(1)</script>", "<!--<script>", "\"],\"x\":[\"", "\\\"", "\\", "'><img src=x onerror=alert(1)>", "&lt;", "]]>",
    "\u{0}\u{1}\u{7F}\u{85}\u{2028}\u{2029}", "\n\r\t", "\u{202E}tfel", "👩‍👩‍👧 é", "",
  ]

  @Test func everyCaseIsInTheData() throws {
    let data = try data(page(everyCase()))
    let kinds = Set(data["events"]?.array.compactMap { $0.array.dropFirst().first?.string } ?? [])
    #expect(
      kinds == [
        "started", "ended", "paused", "resumed", "role", "progress", "sent", "arrived", "lost", "faultBegan", "faultEnded", "asked",
        "answered", "note", "phase", "violation",
      ])
    #expect(data["names"] == .array([.string("ann"), .string("bo")]))
    let labels = data["labels"]?.array.compactMap(\.string) ?? []
    for label in [
      "the faults", "append, 3 entries", "the wire is cut", "slowDisk by 20", "put x", "revision 9", "has a snapshot", "no power",
      "logMatching", "two logs differ",
    ] { #expect(labels.contains(label)) }
  }

  /// The script must know each kind that the data has, and how to word it.
  @Test func theScriptKnowsEveryKind() throws {
    let page = page(everyCase())
    for row in try data(page)["events"]?.array ?? [] {
      let kind = try #require(row.array[1].string)
      #expect(page.contains("\n  \(kind)(trace, event, label, open"), "\(kind)")
      #expect(page.contains("\n  \(kind): (") || page.contains("\n  \(kind): event =>"), "\(kind)")
    }
  }

  @Test func rowsHoldWhatHappened() throws {
    let events = try #require(try data(page(everyCase()))["events"]).array
    #expect(events[3] == .array(["1000000", "progress", "0", "814", "813", "812", "811"].map(Self.cell)))
    #expect(events[4].array.last == .string("log"))
    #expect(events[17].array[2] == .string("18446744073709551615"), "a browser's numbers are not exact so far")
  }

  private static func cell(_ text: String) -> JSONValue { Int(text) == nil ? .string(text) : .number(text) }

  @Test(arguments: hostile) func noLabelLeavesItsPlace(label: String) throws {
    var trace = Trace(names: [label, "b"])
    let events: [Trace.Event] = [
      .phase(label), .started(node: 0), .sent(message: 1, from: 0, to: 1, label: label, term: 1), .lost(message: 1, why: label),
      .faultBegan(fault: 1, label: label, nodes: []), .asked(request: 1, node: 0, label: label),
      .answered(request: 1, label: label, good: false), .note(node: 0, label), .ended(node: 0, how: label),
      .violation(checker: label, label),
    ]
    for event in events { trace.add(event, at: .zero) }
    let harmless = page(Trace(names: ["a", "b"]), title: "t", facts: [("n", "v"), ("replay", "v")])
    let page = page(trace, title: label, facts: [(label, label), ("replay", label)])
    #expect(Self.tags(page) == Self.tags(harmless))
    #expect(!page.unicodeScalars.contains { $0.properties.generalCategory == .control && $0 != "\n" && $0 != "\t" })
    #expect(try data(page)["labels"]?.array.count == 1)
    #expect(try data(page)["events"]?.array.count == events.count)
  }

  /// What begins with `<` and is followed by what may begin a tag, a comment or a declaration.
  private static func tags(_ page: String) -> Int {
    let bytes = Array(page.utf8)
    return zip(bytes, bytes.dropFirst()).count { first, second in
      first == UInt8(ascii: "<") && ("/!?".utf8.contains(second) || Character(Unicode.Scalar(second)).isLetter)
    }
  }

  @Test func escapesKeepWhatWasSaid() throws {
    var trace = Trace(names: ["a"])
    let label = "a < b && \"c\" \\ </script> é\u{2028}\n"
    trace.add(.note(node: 0, label), at: .zero)
    #expect(try data(page(trace))["labels"] == .array([.string(label)]))
    #expect(page(trace, title: "a < b & 'c'").contains("<h1>a &lt; b &amp; &#39;c&#39;</h1>"))
  }

  @Test func longLabelsAreCut() throws {
    var trace = Trace(names: ["a"])
    trace.add(.note(node: 0, String(repeating: "é", count: 100_000)), at: .zero)
    let label = try data(page(trace))["labels"]?.array.first?.string
    #expect(label?.count == TracePage.maximumLabelCharacters + 1)
  }

  @Test func thePageNeedsNothingElse() {
    let page = page(everyCase(), facts: [("replay", "simulate --seed 7")])
    for link in ["src=", "href=", "@import", "url(", "http://", "https://"] { #expect(!page.contains(link), "\(link)") }
    #expect(page.contains("default-src 'none'"))
    #expect(page.contains("<code>simulate --seed 7</code>"))
  }

  @Test func anEmptyTraceIsAPage() throws {
    #expect(try data(page(Trace(names: [])))["events"] == .array([]))
  }
}
