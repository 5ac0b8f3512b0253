import KeyValue
import Links
import Raft
import Replica
import Testing

@testable import Simulation

@Suite struct LinkWorkloadTests {
  @Test func noFaultBreaksAPromiseOfLinks() {
    var total = RunReport()
    for seed in 1...6 as ClosedRange<UInt64> {
      let report = Story(seed: seed, lasting: .milliseconds(10_000)).runLinks()
      #expect(report.violations.isEmpty, "seed \(seed)")
      total.add(report)
    }
    #expect(total.counted.count == 10)
    for (name, count) in total.counted { #expect(count > 0 || name == "dropped", "\(name) of \(total.counted)") }
  }

  @Test func aSeedIsARun() {
    func fingerprint() -> UInt64 { Story(seed: 11, nodes: 3, lasting: .milliseconds(3000)).runLinks().fingerprint }
    #expect(fingerprint() == fingerprint())
  }
}

/// The checker is checked: it accepts what may be, and names what may not.
@Suite struct LinkCheckerTests {
  static let owner: UInt64 = 1
  let slug: Slug
  let link: Link
  let other: Target

  init() throws {
    slug = try Slug("s1")
    link = Link(target: try Target("https://example.org/1"), createdSeconds: 1)
    other = try Target("https://example.org/other")
  }

  func stored(_ create: Revision, _ mod: Revision) -> StoredLink {
    StoredLink(slug: slug, link: link, createRevision: create, modRevision: mod)
  }

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
      let response = OperationResult.transaction(succeeded: true, responses: [.put(previous: nil)])
      workload.answered(ask(errand), .output(.success(Response(revision: revision, result: response))), at: .zero)
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

  var linkPair: (key: String, value: Value) { ("links/s1", link.encoded) }

  static func counterPair(life: Int = 2, _ count: String) -> (key: String, value: Value) {
    ("visits/s1,000000000000000\(life),0000000000000001", Value(count.utf8))
  }

  // MARK: Changes

  var create: LinkWorkload.Errand { .create(slug, link) }
  var delete: LinkWorkload.Errand { .delete(slug, nil) }

  @Test func namesALinkCreatedTwice() throws {
    var bench = Bench()
    bench.succeed(create, at: 2)
    bench.succeed(create, at: 5)
    #expect(try #require(bench.verdict()).contains("created at 5"))
  }

  @Test func acceptsACreateAfterADelete() {
    var bench = Bench()
    bench.succeed(create, at: 2)
    bench.succeed(delete, at: 3)
    bench.succeed(create, at: 5)
    #expect(bench.verdict() == nil)
  }

  @Test func aDeleteBeforeBothCreatesExplainsNothing() {
    var bench = Bench()
    bench.succeed(delete, at: 2)
    bench.succeed(create, at: 3)
    bench.succeed(create, at: 5)
    #expect(bench.verdict() != nil)
  }

  @Test(arguments: [true, false]) func aDeleteOfUnknownOutcomeExplainsOneCreate(isAnswered: Bool) throws {
    var bench = Bench()
    bench.succeed(create, at: 2)
    if isAnswered { bench.fail(delete, .unknown) } else { bench.ask(delete) }
    bench.succeed(create, at: 5)
    #expect(bench.verdict() == nil)
    bench.succeed(create, at: 8)
    #expect(try #require(bench.verdict()).contains("created at 8"))
  }

  @Test func aDeleteThatDoesNotFitExplainsNothing() {
    for (base, first, second) in [(nil, 2, 3), (1, 2, 5), (4, 2, 5)] as [(Revision?, Revision, Revision)] {
      var bench = Bench()
      bench.succeed(create, at: first)
      bench.fail(.delete(slug, base), .unknown)
      bench.succeed(create, at: second)
      #expect(bench.verdict() != nil, "a delete of \(base ?? 0) between \(first) and \(second)")
    }
  }

  @Test func aDeleteThatWasRefusedExplainsNothing() {
    var bench = Bench()
    bench.succeed(create, at: 2)
    bench.fail(delete, .notDone)
    bench.succeed(create, at: 5)
    #expect(bench.verdict() != nil)
  }

  @Test func namesAnEditOfWhatWasChangedMeanwhile() throws {
    var bench = Bench()
    bench.succeed(create, at: 2)
    bench.succeed(.edit(stored(2, 2), other), at: 3)
    #expect(bench.verdict() == nil)
    bench.succeed(.edit(stored(2, 2), other), at: 4)
    #expect(try #require(bench.verdict()).contains("changed at 4"))
  }

  @Test func namesADeleteOfWhatWasChangedMeanwhile() {
    var bench = Bench()
    bench.succeed(create, at: 2)
    bench.succeed(.edit(stored(2, 2), other), at: 3)
    bench.succeed(.delete(slug, 2), at: 4)
    #expect(bench.verdict() != nil)
  }

  @Test func namesALinkThatIsNotAsItsClientWasTold() throws {
    var bench = Bench()
    bench.succeed(create, at: 2)
    #expect(bench.verdict(Self.store(linkPair)) == nil)
    let elsewhere = Link(target: other, createdSeconds: 1).encoded
    #expect(try #require(bench.verdict(Self.store(("links/s1", elsewhere)))).contains("was told"))
  }

  // MARK: Visits

  @Test func namesAVisitThatNobodyMade() throws {
    var bench = Bench()
    let view = Self.store(linkPair)
    bench.fail(.visit(slug, owner: 0), .view(view, isFresh: false))
    #expect(bench.verdict(Self.store(linkPair, Self.counterPair("1"))) == nil)
    #expect(try #require(bench.verdict(Self.store(linkPair, Self.counterPair("2")))).contains("1 were made"))
  }

  @Test func namesACounterWithoutItsLink() throws {
    for view in [Self.store(("other", []), Self.counterPair("0")), Self.store(linkPair, Self.counterPair(life: 1, "0"))] {
      #expect(try #require(Bench().verdict(view)).contains("left a counter behind"))
    }
  }

  @Test func namesWhatCannotBeRead() {
    for view in [Self.store(("links/s1", [0])), Self.store(linkPair, Self.counterPair("many"))] {
      #expect(Bench().verdict(view) != nil)
    }
  }

  /// A store that says that it did the flush, and did not.
  @Test func namesCommittedVisitsThatAreNotThere() throws {
    var owner = VisitOwner(number: Self.owner)
    var checker = LinkChecker(owners: [Self.owner])
    let life = LinkIdentity(slug: slug, createRevision: 2)
    let view = Self.store(linkPair)
    owner.record(life)
    checker.visited(CounterName(life: life, owner: Self.owner))
    let first = owner.nextFlush()
    let read = try #require(first)
    let toldAfterReading = try owner.receive(view.answer(read).get(), to: read)
    #expect(toldAfterReading.isEmpty)
    let second = owner.nextFlush()
    let write = try #require(second)
    let told = try owner.receive(Response(revision: 3, result: .transaction(succeeded: true, responses: [])), to: write)
    #expect(told.map(\.visits) == [1])
    checker.look(at: slug, in: view, isNewest: true)
    #expect(checker.violations.isEmpty, "nobody was told yet")
    for (counter, visits) in told { checker.committed(visits, in: counter) }
    checker.look(at: slug, in: view, isNewest: false)
    #expect(checker.violations.isEmpty, "an older state does not have it yet")
    checker.look(at: slug, in: view, isNewest: true)
    #expect(checker.violations.count == 1)
  }

  @Test func deletedLinksNeedNoCounters() {
    var checker = LinkChecker(owners: [Self.owner])
    checker.committed(3, in: CounterName(life: LinkIdentity(slug: slug, createRevision: 1), owner: Self.owner))
    checker.look(at: slug, in: Self.store(), isNewest: true)
    checker.look(at: slug, in: Self.store(linkPair), isNewest: true)
    #expect(checker.violations.isEmpty)
  }

  @Test func namesAnAnswerThatDoesNotFit() {
    var bench = Bench()
    bench.fail(create, .output(.success(Response(revision: 2, result: .put(previous: nil)))))
    #expect(bench.verdict() != nil)
  }

  @Test func namesARequestThatTheStoreRefuses() {
    var bench = Bench()
    bench.fail(create, .output(.failure(.duplicateKey)))
    #expect(bench.verdict() != nil)
  }
}
