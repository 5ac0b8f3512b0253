import KeyValue
import Raft
import Testing

@testable import Simulation

/// Each rule of the checker of watches, broken by hand.
@Suite struct WatchCheckerTests {
  private typealias Told = WatchChecker.Told

  /// A log of five changes, revisions 2 to 6: two keys put, both in one revision, one deleted, another key.
  private struct Log {
    var model = NaiveStore()
    var checker = WatchChecker()

    init() {
      put("a", "1")
      put("b", "2")
      perform(.transaction(TransactionRequest(success: [Self.request("a", "3"), Self.request("b", "4")])))
      perform(.delete(DeleteRequest(range: KeyRange(Key("a".utf8)))))
      put("z", "5")
    }

    private static func request(_ key: String, _ value: String) -> Request {
      .put(PutRequest(key: Key(key.utf8), value: Value(value.utf8)))
    }

    mutating func put(_ key: String, _ value: String) { perform(Self.request(key, value)) }

    mutating func perform(_ request: Request) {
      _ = model.perform(request, size: 100)
      checker.committed(model)
    }

    /// What the log did, as a watcher is told.
    func events(_ revisions: ClosedRange<Revision>) -> [Told] {
      model.past.changes.filter { revisions.contains($0.revision) }
        .map { Told(revision: $0.revision, key: $0.change.key, new: $0.change.new, old: $0.change.old) }
    }
  }

  private let log = Log()

  private func account(
    _ range: KeyRange = .all, next: Revision = 2, filter: EventFilter = [], splitting: Bool = false
  ) -> WatchChecker.Account {
    WatchChecker.Account(WatchRequest(range: range, filter: filter, splitsRevisions: splitting), next: next)
  }

  /// What is wrong with pieces that are told one after the other.
  private func wrong(_ account: WatchChecker.Account, _ pieces: [Told]..., isFragment: Bool = false, compact: Revision = -1) -> String? {
    var account = account
    for piece in pieces {
      if let text = log.checker.told(piece, isFragment: isFragment, compactRevision: compact, to: &account) { return text }
    }
    return nil
  }

  @Test func acceptsWhatTheLogDid() {
    #expect(wrong(account(), log.events(2...3), [], log.events(4...6)) == nil)
    #expect(wrong(account(KeyRange(Key("z".utf8))), log.events(6...6)) == nil)
    #expect(wrong(account(filter: .noPut), log.events(5...5)) == nil)
    let parts = log.events(4...4)
    #expect(wrong(account(next: 4, splitting: true), [parts[0]], [], [parts[1]], isFragment: true) == nil)
  }

  @Test func seesARepeat() {
    #expect(wrong(account(), log.events(2...3), log.events(3...4))?.contains("revision 3 again") == true)
    #expect(wrong(account(), log.events(3...3) + log.events(2...2)) != nil)
  }

  @Test func seesAGap() {
    #expect(wrong(account(), log.events(2...2), log.events(4...4))?.contains("not told of b at 3") == true)
    #expect(wrong(account(), log.events(3...3))?.contains("not told of a at 2") == true)
  }

  @Test func seesWhatIsNotCommitted() {
    let told = Told(revision: 7, key: [1], new: nil, old: nil)
    #expect(wrong(account(next: 7), [told])?.contains("the log has only 6") == true)
    let unwanted = log.events(2...2)
    #expect(wrong(account(KeyRange(Key("b".utf8))), unwanted)?.contains("the log made 0") == true)
    #expect(wrong(account(filter: .noPut), unwanted) != nil)
  }

  @Test func seesARevisionInParts() {
    let parts = log.events(4...4)
    #expect(wrong(account(next: 4), [parts[0]], [parts[1]])?.contains("told of 1 changes") == true)
    #expect(wrong(account(next: 4), [parts[0]], isFragment: true)?.contains("did not ask for parts") == true)
    #expect(wrong(account(next: 4), [parts[1], parts[0]])?.contains("instead of a") == true)
    #expect(wrong(account(next: 4, splitting: true), [parts[0]], log.events(5...5), isFragment: true) != nil)
    // What came of a revision before the connection broke is told again.
    var broken = account(next: 4, splitting: true)
    #expect(log.checker.told([parts[0]], isFragment: true, compactRevision: -1, to: &broken) == nil)
    broken.breakOff()
    #expect(log.checker.told(parts, isFragment: false, compactRevision: -1, to: &broken) == nil)
  }

  @Test func seesAnotherPair() throws {
    let right = try #require(log.events(5...5).first)
    func told(_ new: KeyValuePair?, _ old: KeyValuePair?) -> [Told] { [Told(revision: 5, key: right.key, new: new, old: old)] }
    #expect(wrong(account(next: 5), told(right.old, right.old))?.contains("after the change") == true)
    #expect(wrong(account(next: 5), told(nil, nil))?.contains("before the change") == true)
    // Of what is compacted no pair before is told.
    #expect(wrong(account(next: 5), told(nil, nil), compact: 5) == nil)
    #expect(wrong(account(next: 5), told(nil, right.old), compact: 5) != nil)
  }

  @Test func seesProgressThatPassesSomething() {
    func seen(_ account: WatchChecker.Account, _ revision: Revision) -> (text: String?, next: Revision) {
      var account = account
      return (log.checker.seen(through: revision, compactRevision: -1, by: &account), account.next)
    }
    #expect(seen(account(next: 6), 6).text?.contains("not told of z at 6") == true)
    #expect(seen(account(next: 7), 7).text?.contains("the log has only 6") == true)
    #expect(seen(account(KeyRange(Key("b".utf8)), next: 5), 6) == (nil, 7))
  }

  @Test func seesACancellationWithoutReason() {
    var log = log
    log.perform(.compaction(CompactionRequest(revision: 4)))
    func cancelled(next: Revision, at revision: Revision) -> (text: String?, next: Revision) {
      var account = account(next: next)
      return (log.checker.cancelled(at: revision, &account), account.next)
    }
    #expect(cancelled(next: 2, at: 5).text?.contains("the log has the changes from 4 on") == true)
    #expect(cancelled(next: 4, at: 4).text?.contains("would have gone on at 4") == true)
    #expect(cancelled(next: 3, at: 4) == (nil, 4))
  }

  // MARK: Who may watch

  private static let anna = AccessName("anna")
  private static let key = Key("a".utf8)

  /// A log in which anna may read the key a, and then nothing any more.
  private static let changes: [AccessRequest] = [
    .addUser(.root, verifier: [1]), .grantRole(.root, toUser: .root), .addRole("readers"),
    .grantPermission(Permission(.read, KeyRange(key)), toRole: "readers"), .addUser(anna, verifier: [1]),
    .grantRole("readers", toUser: anna), .enable, .revokeRole("readers", fromUser: anna),
  ]

  @Test func knowsWhoMightWatchAtEachMoment() throws {
    var (model, checker, machine) = (NaiveStore(), WatchChecker(), KeyValueMachine())
    var stamps: [AccessStamp] = []
    for change in Self.changes {
      _ = try model.perform(.access(change), size: 10).get()
      _ = machine.apply([.init(index: 1, term: 1, payload: Request.access(change).encoded()[...])])
      checker.committed(model)
      stamps.append(machine.view.access.stamp)
    }
    func isRight(_ key: Key, _ subject: Subject?, isDenied: Bool, _ stamp: AccessStamp) -> Bool {
      checker.judged(WatchRequest(range: KeyRange(key), subject: subject), isDenied: isDenied, by: stamp) == nil
    }
    // Whoever reads by old rights is judged by them.
    let (open, granted, revoked) = (stamps[5], stamps[6], stamps[7])
    #expect(isRight(Self.key, .user(Self.anna), isDenied: false, granted) && isRight(Self.key, .user(Self.anna), isDenied: true, revoked))
    #expect(!isRight(Self.key, .user(Self.anna), isDenied: true, granted) && !isRight(Self.key, .user(Self.anna), isDenied: false, revoked))
    #expect(isRight([0x62], .user(Self.anna), isDenied: true, granted) && isRight([0x62], .user(Self.anna), isDenied: false, open))
    #expect(isRight(Self.key, .nobody, isDenied: true, granted) && isRight(Self.key, nil, isDenied: false, revoked))
    #expect(checker.mayWatch(WatchRequest(range: .all, subject: .user(.root))))
  }

  /// At the end everyone has seen everything: one that a node leaves alone is missed.
  @Test func missesWhoIsNotTold() throws {
    var clients = WatchClients(nodes: 1, keys: 3, seed: 1)
    var (machine, model) = (KeyValueMachine(), NaiveStore())
    for number in 0..<40 {
      let request = Request.put(PutRequest(key: KeyValueDrawer.key(UInt64(number % 3)), value: [1]))
      _ = machine.apply([.init(index: 1, term: 1, payload: request.encoded()[...])])
      _ = model.perform(request, size: 10)
      clients.committed(model)
    }
    #expect(clients.awaited != nil)
    clients.heal([0])
    var now = Instant.zero
    for _ in 0..<200 {
      now = now + .milliseconds(20)
      #expect(clients.follow(0, machine.view, at: now) == nil)
    }
    #expect(clients.awaited == nil)
    #expect(clients.counts.events > 0)
  }

  /// What the swarm is there for happens in a few runs.
  @Test func runsMeetEverything() {
    var sum = RunReport()
    for seed in 1...8 as ClosedRange<UInt64> {
      let report = Story(seed: seed, lasting: .milliseconds(10_000)).runKeyValue()
      #expect(report.violations.isEmpty)
      sum.add(report)
    }
    for (name, count) in WatchClients.Counts().named { #expect(sum.counted.contains { $0.name == name && $0.count > count }, "\(name)") }
  }
}
