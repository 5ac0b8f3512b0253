import KeyValue
import Links
import LocalStore
import Testing

@Suite struct VisitCounterTests {
  private let links = LinkShortener()
  private let owner = CounterOwner(1)

  private func create(_ slug: Slug, in store: inout LocalStore, carried: UInt64 = 0) throws -> StoredLink {
    let link = Link(target: try Target("https://one.example/"), createdSeconds: 1, carriedVisits: carried)
    let change = links.create(slug, link)
    guard case .created(let stored) = try change.outcome(of: store.perform(change.request)) else { throw LinkError.taken(slug) }
    return stored
  }

  private func delete(_ slug: Slug, in store: inout LocalStore) throws { _ = try store.perform(links.delete(slug).request) }

  private func count(_ link: StoredLink, in store: LocalStore) throws -> UInt64 {
    let query = links.visits(of: link.slug)
    return try query.outcome(of: store.read(query.request)).count(of: link)
  }

  private func flush(_ counter: inout VisitCounter, to store: inout LocalStore) throws {
    while let request = counter.nextRequest() { try counter.receive(store.perform(request)) }
  }

  /// Goes as far as the write, and gives it.
  private func write(_ counter: inout VisitCounter, _ store: inout LocalStore) throws -> Request {
    let read = counter.nextRequest()
    try counter.receive(store.perform(#require(read)))
    let write = counter.nextRequest()
    return try #require(write)
  }

  @Test func sumsOverOwnersAndCarriedVisits() throws {
    var store = LocalStore()
    let link = try create(Slug("a"), in: &store, carried: 10)
    var counters = [1, 2, 3].map { VisitCounter(owner: CounterOwner($0), process: $0) }
    for offset in counters.indices {
      for _ in 0...offset { counters[offset].record(link.identity) }
      try flush(&counters[offset], to: &store)
    }
    #expect(try count(link, in: store) == 16)
    #expect(counters.map(\.committed) == [1, 2, 3])
    #expect(counters.map(\.waiting) == [0, 0, 0])
  }

  @Test func goesOnWhereItWasAfterARestart() throws {
    var store = LocalStore()
    let link = try create(Slug("a"), in: &store)
    for start in 1...3 as ClosedRange<UInt64> {
      var counter = VisitCounter(owner: owner, process: start)
      counter.record(link.identity)
      counter.record(link.identity)
      try flush(&counter, to: &store)
      counter.record(link.identity)
      try flush(&counter, to: &store)
      counter.record(link.identity)  // lost with the process
      #expect(counter.waiting == 1)
    }
    #expect(try count(link, in: store) == 9)
    #expect(store.pairs.count == 3, "one link, one counter, one fence")
  }

  @Test(arguments: [false, true]) func repeatsAWriteOfUnknownOutcome(wasDone: Bool) throws {
    var store = LocalStore()
    let link = try create(Slug("a"), in: &store)
    var counter = VisitCounter(owner: owner, process: 1)
    counter.record(link.identity)
    let attempt = try write(&counter, &store)
    if wasDone { _ = try store.perform(attempt) }
    counter.outcomeUnknown()
    counter.record(link.identity)
    #expect(counter.waiting == 2)
    #expect(counter.nextRequest() == attempt)
    try flush(&counter, to: &store)
    #expect(try count(link, in: store) == 2)
    _ = try store.perform(attempt)  // late
    #expect(try count(link, in: store) == 2)
    #expect(counter.committed == 2)
  }

  @Test func ignoresAWriteOfAProcessOfBefore() throws {
    var store = LocalStore()
    let link = try create(Slug("a"), in: &store)
    var dead = VisitCounter(owner: owner, process: 1)
    for _ in 0..<5 { dead.record(link.identity) }
    let ghost = try write(&dead, &store)
    var living = VisitCounter(owner: owner, process: 2)
    living.record(link.identity)
    try flush(&living, to: &store)
    _ = try store.perform(ghost)
    #expect(try count(link, in: store) == 1)
  }

  @Test func countsOnTopOfAWriteOfBeforeThatCameFirst() throws {
    var store = LocalStore()
    let link = try create(Slug("a"), in: &store)
    var dead = VisitCounter(owner: owner, process: 1)
    for _ in 0..<5 { dead.record(link.identity) }
    let ghost = try write(&dead, &store)
    var living = VisitCounter(owner: owner, process: 2)
    living.record(link.identity)
    _ = try write(&living, &store)
    _ = try store.perform(ghost)
    try flush(&living, to: &store)
    #expect(try count(link, in: store) == 6)
  }

  @Test func ratherLosesThanCountsTwiceWhenTwoProcessesShareAnOwner() throws {
    var store = LocalStore()
    let link = try create(Slug("a"), in: &store)
    var one = VisitCounter(owner: owner, process: 1)
    var two = VisitCounter(owner: owner, process: 2)
    one.record(link.identity)
    two.record(link.identity)
    _ = try store.perform(try write(&one, &store))
    one.outcomeUnknown()
    try flush(&two, to: &store)
    try flush(&one, to: &store)
    #expect(try count(link, in: store) == 2)
    #expect(one.dropped == 1)
    one.record(link.identity)
    try flush(&one, to: &store)
    #expect(try count(link, in: store) == 3)
  }

  @Test func startsFromNothingAfterDeleteAndCreate() throws {
    var store = LocalStore()
    let (slug, other) = (try Slug("a"), try Slug("b"))
    let old = try create(slug, in: &store)
    let kept = try create(other, in: &store)
    var counter = VisitCounter(owner: owner, process: 1)
    counter.record(old.identity)
    try flush(&counter, to: &store)
    counter.record(old.identity)
    counter.record(kept.identity)
    try delete(slug, in: &store)
    let new = try create(slug, in: &store)
    try flush(&counter, to: &store)
    #expect(try count(new, in: store) == 0)
    #expect(try count(kept, in: store) == 1)
    #expect(counter.outlived == 1)
    counter.record(new.identity)
    try flush(&counter, to: &store)
    #expect(try count(new, in: store) == 1)
    #expect(store.pairs.count == 5, "two links, two counters, one fence")
  }

  @Test func leavesNothingBehindWhenALinkIsDeletedDuringAFlush() throws {
    var store = LocalStore()
    let (a, b) = (try create(Slug("a"), in: &store), try create(Slug("b"), in: &store))
    var counter = VisitCounter(owner: owner, process: 1)
    counter.record(a.identity)
    counter.record(b.identity)
    let attempt = try write(&counter, &store)
    counter.outcomeUnknown()
    try delete(a.slug, in: &store)
    try flush(&counter, to: &store)
    _ = try store.perform(attempt)
    #expect(try count(b, in: store) == 1)
    #expect(counter.committed == 1)
    #expect(counter.outlived == 1)
    #expect(store.pairs.count == 3, "one link, one counter, one fence")
  }

  @Test func keepsWithinTheOperationsOfATransaction() throws {
    var store = LocalStore()
    let stored = try (0..<200).map { try create(Slug("s\($0)"), in: &store) }
    var counter = VisitCounter(owner: owner, process: 1)
    for link in stored { counter.record(link.identity) }
    try flush(&counter, to: &store)
    for link in stored { #expect(try count(link, in: store) == 1) }
    let query = links.visits(from: try Slug("s0"), through: try Slug("s99"))
    let visits = try query.outcome(of: store.read(query.request))
    #expect(stored.allSatisfy { visits.count(of: $0) == 1 })
  }

  @Test func boundsWhatWaits() throws {
    var store = LocalStore()
    let stored = try (0..<3).map { try create(Slug("s\($0)"), in: &store) }
    let limits = VisitCounter.Limits(maximumLinks: 2, maximumVisitsPerLink: 4)
    var counter = VisitCounter(owner: owner, process: 1, limits: limits)
    for _ in 0..<5 { for link in stored { counter.record(link.identity) } }
    #expect(counter.waiting == 8)
    #expect(counter.dropped == 7)
    try flush(&counter, to: &store)
    #expect(try stored.map { try count($0, in: store) } == [4, 4, 0])
    for link in stored.reversed() { counter.record(link.identity) }
    try flush(&counter, to: &store)
    #expect(try stored.map { try count($0, in: store) } == [4, 5, 1])
  }

  @Test func staysUsableAfterNonsense() throws {
    var store = LocalStore()
    let (a, b) = (try create(Slug("a"), in: &store), try create(Slug("b"), in: &store))
    var counter = VisitCounter(owner: owner, process: 1)
    counter.record(a.identity)
    counter.record(b.identity)
    try flush(&counter, to: &store)
    let key = try #require(store.pairs.first { String(decoding: $0.key, as: UTF8.self).hasPrefix("visits/a,") }).key
    _ = try store.perform(.put(PutRequest(key: key, value: Array("many".utf8))))
    counter.record(a.identity)
    counter.record(b.identity)
    _ = counter.nextRequest()
    #expect(throws: LinkError.unexpectedAnswer) { try counter.receive(Response(revision: 1, result: .put(previous: nil))) }
    let short = Response(revision: 1, result: .transaction(succeeded: true, responses: [.range(RangeResponse())]))
    #expect(throws: LinkError.unexpectedAnswer) { try counter.receive(short) }
    try flush(&counter, to: &store)
    #expect(try count(b, in: store) == 2)
    #expect(counter.dropped == 1)
    counter.record(b.identity)
    _ = counter.nextRequest()
    counter.refused()
    #expect(counter.nextRequest() == nil)
    #expect(counter.dropped == 2)
  }
}
