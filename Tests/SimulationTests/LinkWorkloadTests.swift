import KeyValue
import Links
import Raft
import Replica
import Testing

@testable import Simulation

@Suite struct LinkWorkloadTests {
  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func noFaultBreaksAPromiseOfLinks(seed: UInt64) {
    let report = Story(seed: seed, lasting: .milliseconds(10_000)).runLinks()
    #expect(report.violations.isEmpty)
    for name in ["links created", "edited", "deleted", "looked up", "visited", "visits committed"] {
      #expect(report.counted.first { $0.name == name }.map { $0.count > 0 } == true, "\(name), of \(report.counted)")
    }
  }

  @Test func aSeedIsARun() {
    func fingerprint() -> UInt64 { Story(seed: 11, nodes: 3, lasting: .milliseconds(3000)).runLinks().fingerprint }
    #expect(fingerprint() == fingerprint())
  }
}

/// The judge is judged: it accepts what may be, and names what may not.
@Suite struct LinkJudgeTests {
  static let slug = try! Slug("s1")
  static let owner: UInt64 = 1
  static let other = try! Target("https://example.org/other")

  static func stored(_ create: Revision, _ mod: Revision) -> StoredLink {
    StoredLink(slug: slug, link: link, createRevision: create, modRevision: mod)
  }

  static var link: Link { Link(target: try! Target("https://example.org/1"), createdSeconds: 1) }

  /// Clients whose answers are made by hand.
  struct Bench {
    var workload = LinkWorkload()
    private var requests: RequestID = 0

    /// Asked, and never answered.
    @discardableResult mutating func ask(_ errand: LinkWorkload.Errand) -> RequestID {
      requests += 1
      workload.ask(errand, as: requests, at: .zero)
      return requests
    }

    /// Asked, and answered that it was done.
    mutating func succeed(_ errand: LinkWorkload.Errand, at revision: Revision) {
      let response = Response.transaction(succeeded: true, responses: [.put(previous: nil)])
      workload.answered(ask(errand), .output(.success(Answer(revision: revision, response: response))), at: .zero)
    }

    mutating func fail(_ errand: LinkWorkload.Errand, _ answer: ClientAnswer<KeyValueMachine>) {
      workload.answered(ask(errand), answer, at: .zero)
    }

    /// The first violation.
    func verdict(_ view: KeyValueView = KeyValueMachine().view) -> String? {
      var (workload, report) = (workload, RunReport())
      return workload.finalViolations(&report, view: view).first?.text
    }
  }

  static func store(_ pairs: (key: String, value: Value)...) -> KeyValueView {
    var machine = KeyValueMachine()
    for (number, pair) in pairs.enumerated() {
      let command = Request.put(PutRequest(key: Key(pair.key.utf8), value: pair.value)).encoded()
      _ = machine.apply([Command(index: LogIndex(number + 1), term: 1, payload: command[...])])
    }
    return machine.view
  }

  static let linkPair = (key: "links/s1", value: link.encoded)

  static func counterPair(life: Int = 2, _ count: String) -> (key: String, value: Value) {
    ("visits/s1,000000000000000\(life),0000000000000001", Value(count.utf8))
  }

  // MARK: Changes

  static let create = LinkWorkload.Errand.create(slug, link)
  static let delete = LinkWorkload.Errand.delete(slug, nil)

  @Test func namesALinkCreatedTwice() throws {
    var bench = Bench()
    bench.succeed(Self.create, at: 2)
    bench.succeed(Self.create, at: 5)
    #expect(try #require(bench.verdict()).contains("created at 5"))
  }

  @Test func acceptsACreateAfterADelete() {
    var bench = Bench()
    bench.succeed(Self.create, at: 2)
    bench.succeed(Self.delete, at: 3)
    bench.succeed(Self.create, at: 5)
    #expect(bench.verdict() == nil)
  }

  @Test func aDeleteBeforeBothCreatesExplainsNothing() {
    var bench = Bench()
    bench.succeed(Self.delete, at: 2)
    bench.succeed(Self.create, at: 3)
    bench.succeed(Self.create, at: 5)
    #expect(bench.verdict() != nil)
  }

  @Test(arguments: [true, false]) func aDeleteOfUnknownOutcomeExplainsOneCreate(isAnswered: Bool) throws {
    var bench = Bench()
    bench.succeed(Self.create, at: 2)
    if isAnswered { bench.fail(Self.delete, .unknown) } else { bench.ask(Self.delete) }
    bench.succeed(Self.create, at: 5)
    #expect(bench.verdict() == nil)
    bench.succeed(Self.create, at: 8)
    #expect(try #require(bench.verdict()).contains("created at 8"))
  }

  @Test func aDeleteThatDoesNotFitExplainsNothing() {
    for (base, first, second) in [(nil, 2, 3), (1, 2, 5), (4, 2, 5)] as [(Revision?, Revision, Revision)] {
      var bench = Bench()
      bench.succeed(Self.create, at: first)
      bench.fail(.delete(Self.slug, base), .unknown)
      bench.succeed(Self.create, at: second)
      #expect(bench.verdict() != nil, "a delete of \(base ?? 0) between \(first) and \(second)")
    }
  }

  @Test func aDeleteThatWasRefusedExplainsNothing() {
    var bench = Bench()
    bench.succeed(Self.create, at: 2)
    bench.fail(Self.delete, .notDone)
    bench.succeed(Self.create, at: 5)
    #expect(bench.verdict() != nil)
  }

  @Test func namesAnEditOfWhatWasChangedMeanwhile() throws {
    var bench = Bench()
    bench.succeed(Self.create, at: 2)
    bench.succeed(.edit(Self.stored(2, 2), Self.other), at: 3)
    #expect(bench.verdict() == nil)
    bench.succeed(.edit(Self.stored(2, 2), Self.other), at: 4)
    #expect(try #require(bench.verdict()).contains("changed at 4"))
  }

  @Test func namesADeleteOfWhatWasChangedMeanwhile() {
    var bench = Bench()
    bench.succeed(Self.create, at: 2)
    bench.succeed(.edit(Self.stored(2, 2), Self.other), at: 3)
    bench.succeed(.delete(Self.slug, 2), at: 4)
    #expect(bench.verdict() != nil)
  }

  @Test func namesALinkThatIsNotAsItsClientWasTold() throws {
    var bench = Bench()
    bench.succeed(Self.create, at: 2)
    #expect(bench.verdict(Self.store(Self.linkPair)) == nil)
    let elsewhere = Link(target: Self.other, createdSeconds: 1).encoded
    #expect(try #require(bench.verdict(Self.store(("links/s1", elsewhere)))).contains("was told"))
  }

  // MARK: Visits

  @Test func namesAVisitThatNobodyMade() throws {
    var bench = Bench()
    let view = Self.store(Self.linkPair)
    bench.fail(.visit(Self.slug, owner: 0), .view(view, isFresh: false))
    #expect(bench.verdict(Self.store(Self.linkPair, Self.counterPair("1"))) == nil)
    #expect(try #require(bench.verdict(Self.store(Self.linkPair, Self.counterPair("2")))).contains("1 were made"))
  }

  @Test func namesACounterWithoutItsLink() throws {
    for view in [Self.store(("other", []), Self.counterPair("0")), Self.store(Self.linkPair, Self.counterPair(life: 1, "0"))] {
      #expect(try #require(Bench().verdict(view)).contains("left a counter behind"))
    }
  }

  @Test func namesWhatCannotBeRead() {
    for view in [Self.store(("links/s1", [0])), Self.store(Self.linkPair, Self.counterPair("many"))] {
      #expect(Bench().verdict(view) != nil)
    }
  }

  /// A store that says that it did the flush, and did not.
  @Test func namesCommittedVisitsThatAreNotThere() throws {
    var owner = VisitOwner(number: Self.owner)
    var judge = LinkJudge(owners: [Self.owner])
    let life = LinkIdentity(slug: Self.slug, createRevision: 2)
    let view = Self.store(Self.linkPair)
    owner.record(life)
    judge.visited(CounterName(life: life, owner: Self.owner))
    let first = owner.nextFlush()
    let read = try #require(first)
    let toldAfterReading = try owner.receive(view.answer(read).get(), to: read)
    #expect(toldAfterReading.isEmpty)
    let second = owner.nextFlush()
    let write = try #require(second)
    let told = try owner.receive(Answer(revision: 3, response: .transaction(succeeded: true, responses: [])), to: write)
    #expect(told.map(\.visits) == [1])
    judge.look(at: Self.slug, in: view, isNewest: true)
    #expect(judge.violations.isEmpty, "nobody was told yet")
    for (counter, visits) in told { judge.committed(visits, in: counter) }
    judge.look(at: Self.slug, in: view, isNewest: false)
    #expect(judge.violations.isEmpty, "an older state does not have it yet")
    judge.look(at: Self.slug, in: view, isNewest: true)
    #expect(judge.violations.count == 1)
  }

  @Test func deletedLinksNeedNoCounters() {
    var judge = LinkJudge(owners: [Self.owner])
    judge.committed(3, in: CounterName(life: LinkIdentity(slug: Self.slug, createRevision: 1), owner: Self.owner))
    judge.look(at: Self.slug, in: Self.store(), isNewest: true)
    judge.look(at: Self.slug, in: Self.store(Self.linkPair), isNewest: true)
    #expect(judge.violations.isEmpty)
  }

  @Test func namesAnAnswerThatDoesNotFit() {
    var bench = Bench()
    bench.fail(Self.create, .output(.success(Answer(revision: 2, response: .put(previous: nil)))))
    #expect(bench.verdict() != nil)
  }

  @Test func namesARequestThatTheStoreRefuses() {
    var bench = Bench()
    bench.fail(Self.create, .output(.failure(.duplicateKey)))
    #expect(bench.verdict() != nil)
  }
}
