import ByteCoding
import Raft
import Simulation
import Testing

@testable import Replica

/// Counts what was applied; its leader counts questions, and proposes a byte each second.
struct Watchman: StateMachine, SnapshotSource {
  typealias View = Watchman
  private(set) var applied: [[UInt8]] = []
  /// Of the leader alone.
  private(set) var ledTerm: Term?
  private var nextCall = Instant.never
  private(set) var questions: UInt8 = 0

  init() {}

  mutating func apply(_ commands: [Command]) -> [Int] {
    commands.map { command in
      applied.append(Array(command.payload))
      return applied.count
    }
  }

  mutating func lead(_ term: Term?, now: Instant) -> [LeaderCommand] {
    if term != ledTerm {
      ledTerm = term
      questions = 0
      nextCall = term == nil ? .never : now + .seconds(1)
    }
    guard term != nil, now >= nextCall else { return [] }
    nextCall = now + .seconds(1)
    return [LeaderCommand(payload: [0xc0], notice: "calls")]
  }

  var leaderDeadline: Instant { nextCall }

  mutating func answer(_ question: Bytes, askedAt: Instant, now: Instant) -> [UInt8] {
    questions &+= 1
    return Array(question) + [UInt8(truncatingIfNeeded: ledTerm ?? 0)]
  }

  func makeBlocks() -> CollectionOfOne<[UInt8]>.Iterator {
    var writer = ByteWriter()
    for payload in applied { writer.write(prefixed: payload[...]) }
    return CollectionOfOne(writer.bytes).makeIterator()
  }

  init(restoring blocks: inout SnapshotBlocks) throws(MalformedBytes) {
    var reader = ByteReader(try blocks.next())
    while !reader.isAtEnd { applied.append(Array(try reader.readPrefixed())) }
  }
}

/// What only the leader does and knows, through all of a cluster.
@Suite struct QuestionTests {
  typealias Cluster = SimulatedCluster<Watchman>

  private func started(_ names: [String] = ["a", "b", "c"], seed: UInt64 = 5) throws -> Cluster {
    let cluster = Cluster(names: names, seed: seed)
    try cluster.startAll()
    #expect(cluster.run(within: .milliseconds(10_000)) { cluster.leader != nil })
    return cluster
  }

  private func answer(_ request: RequestID, in cluster: Cluster) -> [UInt8]? {
    if case .answered(let bytes) = cluster.outcome(of: request) { bytes } else { nil }
  }

  @Test(arguments: [["only"], ["a", "b", "c"]]) func everyNodeGetsTheLeadersAnswer(names: [String]) throws {
    let cluster = try started(names)
    cluster.run(for: .milliseconds(200))
    let leader = try #require(cluster.leader)
    let term = try #require(cluster.status(of: leader)?.term)
    for name in names {
      let asked = (1...3 as ClosedRange<UInt8>).map { cluster.ask([$0], on: name) }
      #expect(cluster.run(within: .milliseconds(1000)) { asked.allSatisfy { cluster.outcome(of: $0) != nil } })
      for (number, request) in zip(1...3 as ClosedRange<UInt8>, asked) {
        #expect(answer(request, in: cluster) == [number, UInt8(truncatingIfNeeded: term)], "through \(name)")
      }
    }
    #expect(cluster.view(of: leader)?.questions == UInt8(3 * names.count))
    #expect(cluster.violations.isEmpty)
  }

  @Test func theLeaderActsByItselfAndNobodyElseDoes() throws {
    let cluster = try started()
    cluster.run(for: .milliseconds(10_500))
    let calls = try #require(cluster.view(of: "a")).applied.count
    #expect((9...11).contains(calls), "\(calls)")
    #expect(cluster.diagnostics.contains { $0.1 == .leaderActs("calls") })
    let leader = try #require(cluster.leader)
    for name in cluster.names { #expect((cluster.view(of: name)?.ledTerm != nil) == (name == leader)) }
    #expect(cluster.violations.isEmpty)
  }

  /// The leader of the minority does not know that there is another: it must not answer.
  @Test func aLeaderWithoutAMajorityAnswersNothing() throws {
    let cluster = try started()
    let old = try #require(cluster.leader)
    for other in cluster.names where other != old { cluster.network.cut(old, other) }
    let refused = cluster.ask([7], on: old, timeout: .milliseconds(800))
    cluster.run(for: .milliseconds(900))
    guard case .failed(let error) = cluster.outcome(of: refused) else {
      Issue.record("answered: \(String(describing: cluster.outcome(of: refused)))")
      return
    }
    #expect(error.outcome == .notDone)
  }

  /// Asked of a leader that goes, it is asked of the next one.
  @Test func aQuestionOutlivesTheLeader() throws {
    let cluster = try started()
    cluster.run(for: .milliseconds(500))
    let old = try #require(cluster.leader)
    let other = try #require(cluster.names.first { $0 != old })
    let oldTerm = try #require(cluster.status(of: old)?.term)
    cluster.losePower(old)
    let request = cluster.ask([9], on: other, timeout: .milliseconds(10_000))
    #expect(cluster.run(within: .milliseconds(9000)) { cluster.outcome(of: request) != nil })
    let bytes = try #require(answer(request, in: cluster))
    #expect(bytes.first == 9 && bytes.last != UInt8(truncatingIfNeeded: oldTerm))
  }

  /// Frames lost and doubled: each question gets one answer, all of them get one.
  /// Who leads no more, and knows nobody who does, has nothing left of what others asked it.
  @Test func aLeaderThatGoesForgetsWhatOthersAsked() throws {
    let cluster = try started()
    cluster.run(for: .milliseconds(500))
    let old = try #require(cluster.leader)
    let other = try #require(cluster.names.first { $0 != old })
    for name in cluster.names where name != old { cluster.network.cut(from: old, to: name) }
    let request = cluster.ask([9], on: other, timeout: .milliseconds(10_000))
    #expect(cluster.run(within: .milliseconds(9000)) { cluster.outcome(of: request) != nil })
    #expect(answer(request, in: cluster)?.first == 9)
    #expect(cluster.violations.isEmpty)
  }

  @Test func lossesAreMadeUpFor() throws {
    let cluster = try started(seed: 8)
    cluster.network.lossPerMille = 200
    cluster.network.duplicatesPerMille = 200
    let asked = (0..<60).map { number in
      cluster.run(for: .milliseconds(5))
      return cluster.ask([UInt8(number)], on: cluster.names[number % 3], timeout: .milliseconds(20_000))
    }
    #expect(cluster.run(within: .milliseconds(20_000)) { asked.allSatisfy { cluster.outcome(of: $0) != nil } })
    for (number, request) in asked.enumerated() { #expect(answer(request, in: cluster)?.first == UInt8(number)) }
    #expect(cluster.violations.isEmpty)
  }

  @Test func whatIsTooLongIsRefused() throws {
    let cluster = try started()
    let request = cluster.ask([UInt8](repeating: 0, count: ReplicaSettings.largestQuestion + 1), on: "a")
    cluster.run(for: .milliseconds(10))
    guard case .failed(let error) = cluster.outcome(of: request), case .tooLarge(_, let limit) = error.reason else {
      Issue.record("not refused: \(String(describing: cluster.outcome(of: request)))")
      return
    }
    #expect(limit == ReplicaSettings.largestQuestion && error.outcome == .notDone)
  }
}

/// The tables of questions, by hand.
@Suite struct QuestionTableTests {
  private func item(_ id: RequestID, bytes: Int = 1) -> Questions.Item { .init(id: id, payload: [UInt8](repeating: 0, count: bytes)[...]) }

  @Test func soManyFramesAreUnderWayAndTheRestGathers() {
    var questions = Questions()
    var frames = 0
    for id in 1...40 as ClosedRange<RequestID> {
      questions.add(item(id))
      while questions.send(fresh: 7, retryAt: Instant(nanoseconds: 100)) != nil { frames += 1 }
    }
    #expect(frames == Questions.maximumFrames && questions.waiting.count == 24)
    #expect(questions.takeSent(7) == [1])
    #expect(questions.takeSent(7) == [])
    #expect(questions.send(fresh: 0, retryAt: .never)?.items.count == 24)
    questions.retry(now: Instant(nanoseconds: 99))
    #expect(questions.waiting.isEmpty)
    questions.retry(now: Instant(nanoseconds: 100))
    #expect(questions.waiting.map(\.id) == Array(2...16))
  }

  @Test func aFrameHasItsBound() {
    var questions = Questions()
    for id in 1...20 as ClosedRange<RequestID> { questions.add(item(id, bytes: 4096)) }
    let first = questions.send(fresh: 1, retryAt: .never)
    #expect(first?.items.count == 15)
    #expect(questions.waiting.count == 5)
  }

  /// Of a member that asks too much the oldest go; those of others, and the leader's own, stay.
  @Test func aMemberHasItsBoundAtTheLeader() {
    var questions = Questions()
    questions.add(item(1))
    let own = questions.ask(at: .zero, term: 1)
    let other = questions.ask([item(1)], from: NodeID(3), number: 1, at: .zero, term: 1)
    var keys: [UInt64] = []
    for number in 0..<UInt64(Questions.maximumFrames) + 4 {
      keys.append(questions.ask([item(1)], from: NodeID(2), number: number, at: .zero, term: 1))
    }
    #expect(questions.askedCount == Questions.maximumFrames + 2)
    for key in keys + [own, other] { questions.confirm(key) }
    #expect(questions.takeReady().map(\.key) == Array(keys.dropFirst(4)) + [own, other])
  }

  /// Each comes in a turn of its own, and no majority answers meanwhile.
  @Test func aMembersBatchesHaveTheSameBound() throws {
    var bench = try ReplicaBench()
    bench.becomeLeader()
    for number in 1...UInt64(3 * Questions.maximumFrames) {
      let frame = Frame(
        cluster: ReplicaBench.cluster, from: NodeID(2), to: NodeID(1),
        body: .questions(QuestionFrame(number: number, items: [item(number)])))
      bench.step(.frame(frame.encoded()[...], connection: 2))
    }
    let sizes = bench.replica.sizes(now: bench.now)
    #expect(sizes.questionsAsked == Questions.maximumFrames && sizes.readBatches == Questions.maximumFrames)
  }

  /// What a leader asks itself leaves its batch when its time is up; a member's questions are the member's to forget.
  @Test func whatNobodyWaitsForIsForgotten() {
    var questions = Questions()
    for id in 1...3 as ClosedRange<RequestID> { questions.add(item(id)) }
    let own = questions.ask(at: .zero, term: 1)
    let other = questions.ask([item(1), item(3)], from: NodeID(2), number: 1, at: .zero, term: 1)
    questions.forget { $0 != 2 }
    for key in [own, other] { questions.confirm(key) }
    #expect(questions.takeReady().map { $0.list.map(\.id) } == [[2], [1, 3]])
  }

  @Test func hostileFramesAreRefused() throws {
    var writer = ByteWriter()
    writer.write(UInt64(1))
    writer.write(UInt32.max)
    var reader = ByteReader(writer.slice)
    #expect(throws: MalformedBytes.self) { try QuestionFrame(from: &reader) }
  }
}
