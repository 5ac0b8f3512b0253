import KeyValue
import Raft
import Replica
import Testing

@testable import Simulation

/// Each rule of the checker of leases and locks, broken by hand.
@Suite struct LeaseCheckerTests {
  /// A log, and what the checker found in it.
  private struct Log {
    var model = NaiveStore()
    var checker: LeaseChecker
    private(set) var found: String?
    var now = Instant.zero
    /// Of the last command.
    private(set) var index: LogIndex = 0

    init(fastest: Int64 = 0) { checker = LeaseChecker(fastest: fastest) }

    /// - Parameter pretended: the request that the checker sees instead.
    mutating func perform(_ request: Request, after time: Nanoseconds = .zero, as pretended: Request? = nil) {
      now = now + time
      _ = model.perform(request, size: 100, at: index + 1)
      commit(pretended ?? request)
    }

    mutating func commit(_ request: Request) {
      index += 1
      let command = Command(index: index, term: 1, payload: request.encoded()[...])
      if let text = checker.committed(model, command, at: now) { found = found ?? text }
    }

    mutating func grant(_ id: LeaseID, for seconds: Int64 = 4) { perform(.leaseGrant(LeaseGrantRequest(id: id, timeToLive: seconds))) }

    mutating func put(_ key: Key, lease: LeaseID = 0, _ value: String = "") {
      perform(.put(PutRequest(key: key, value: Value(value.utf8), lease: lease)))
    }

    /// With what the checker was not told of.
    mutating func changeUnseen(_ request: Request) { _ = model.perform(request, size: 100) }
  }

  private static func key(_ text: String) -> Key { Key(text.utf8) }

  /// A lease with two keys, another with one.
  private func leased(fastest: Int64 = 0) -> Log {
    var log = Log(fastest: fastest)
    log.grant(1001)
    log.grant(1002)
    log.put(Self.key("a"), lease: 1001)
    log.put(Self.key("b"), lease: 1001)
    log.put(Self.key("c"), lease: 1002)
    return log
  }

  // MARK: Time

  @Test func acceptsLeasesThatEndInTime() {
    var log = leased()
    log.perform(.leaseRevoke(1002))
    log.perform(.leaseExpiry(1001, grant: 1), after: .milliseconds(4000))
    #expect(log.found == nil)
    #expect(log.checker.granted == 2 && log.checker.expired == 1)
    #expect(log.checker.leases(from: 1).isEmpty)
  }

  @Test func seesAnEarlyExpiry() {
    var log = leased()
    log.perform(.leaseExpiry(1001, grant: 1), after: .milliseconds(3900))
    #expect(log.found?.contains("expires after 3900 ms") == true)
    var fast = leased(fastest: 200_000)
    fast.perform(.leaseExpiry(1001, grant: 1), after: .milliseconds(3400))
    #expect(fast.found == nil)
    fast.perform(.leaseExpiry(1002, grant: 2), after: .milliseconds(-100))
    #expect(fast.found?.contains("expires after 3300 ms") == true)
  }

  /// What was proposed to end one ends no other of its number, whenever it comes.
  @Test func seesThatAnotherOfItsNumberExpires() {
    var log = leased()
    log.perform(.leaseRevoke(1001))
    log.grant(1001)
    let grant = log.index
    log.perform(.leaseExpiry(1001, grant: 1), after: .milliseconds(9000))
    #expect(log.found == nil)
    #expect(log.checker.leases(from: 1) == [1002, 1001])
    log.perform(.leaseExpiry(1001, grant: grant), as: .leaseExpiry(1001, grant: 1))
    #expect(log.found == "lease 1001 of command \(grant) ends, and that of command 1 expired")
  }

  @Test func seesAnExpiryOfWhatIsKeptAlive() {
    var log = leased()
    log.now = log.now + .milliseconds(3000)
    #expect(log.checker.keptAlive(1001, for: 4, askedAt: log.now) == nil)
    log.perform(.leaseExpiry(1001, grant: 1), after: .milliseconds(3900))
    #expect(log.found?.contains("expires after 3900 ms") == true)
  }

  /// The answer may come when the lease is gone.
  @Test func seesThatItWasKeptAliveWhenItExpired() {
    var log = leased()
    log.perform(.leaseExpiry(1001, grant: 1), after: .milliseconds(4500))
    log.perform(.leaseRevoke(1002))
    let asked = Instant.zero + .milliseconds(3000)
    #expect(log.checker.keptAlive(1001, for: 4, askedAt: asked)?.contains("expires after 1500 ms") == true)
    #expect(log.checker.keptAlive(1001, for: 4, askedAt: .zero + .milliseconds(400)) == nil)
    #expect(log.checker.keptAlive(1002, for: 4, askedAt: asked) == nil)
  }

  @Test func seesFalseAnswers() {
    var log = leased()
    #expect(log.checker.keptAlive(1001, for: 3, askedAt: .zero)?.contains("not what was granted") == true)
    #expect(log.checker.keptAlive(1003, for: 4, askedAt: .zero)?.contains("never granted") == true)
    log.perform(.leaseRevoke(1001))
    #expect(log.checker.keptAlive(1001, for: 4, askedAt: .zero + .milliseconds(1))?.contains("gone before") == true)
  }

  // MARK: Keys

  @Test func seesALeaseThatEndsByItself() {
    var log = leased()
    log.perform(.leaseRevoke(1001), as: .leaseRevoke(1002))
    #expect(log.found?.contains("ends by another request") == true)
  }

  @Test func seesKeysThatGoOneByOne() {
    var log = leased()
    log.changeUnseen(.delete(DeleteRequest(range: KeyRange(Self.key("a")))))
    log.perform(.leaseRevoke(1001))
    #expect(log.found?.contains("do not go in one revision") == true)
  }

  @Test func seesKeysThatStayOrGoWithAnother() {
    var log = leased()
    log.model.pairs.removeAll { $0.pair.key == Self.key("b") }
    log.perform(.leaseRevoke(1001))
    #expect(log.found?.contains("had 2 keys, and 1 keys change") == true)
    log = leased()
    log.perform(.delete(DeleteRequest(range: KeyRange(Self.key("c")))), as: .leaseExpiry(1007, grant: 7))
    #expect(log.found?.contains("its lease 1002 stays") == true)
    log = leased()
    log.perform(.delete(DeleteRequest(range: KeyRange(Self.key("c")))))
    #expect(log.found == nil)
  }

  @Test func seesAKeyOfALeaseThatIsNotThere() {
    var log = leased()
    log.perform(.leaseRevoke(1001))
    log.model.leases.append((1001, 4, 1))
    log.changeUnseen(.put(PutRequest(key: Self.key("a"), value: [], lease: 1001)))
    log.model.leases.removeLast()
    log.commit(.put(PutRequest(key: Self.key("a"), value: [], lease: 1001)))
    #expect(log.found?.contains("which is not there") == true)
  }

  // MARK: Locks

  /// Two claims of lock `0`; their fences.
  private func claimed(_ log: inout Log) -> (first: Fence, second: Fence) {
    func claim(_ lease: LeaseID) -> Fence {
      let key = LeaseChecker.lock(Self.key("0")) + Self.key("/\(lease)")
      log.put(key, lease: lease)
      return Fence(key: key, token: log.model.revision, lease: lease)
    }
    return (claim(1001), claim(1002))
  }

  private func write(_ fence: Fence) -> Request { .put(LeaseChecker.write(1, to: Self.key("0"), under: fence)) }

  @Test func seesAWriteOfOneWhoDoesNotHold() {
    var log = leased()
    let (first, second) = claimed(&log)
    log.perform(write(first))
    #expect(log.found == nil)
    log.perform(write(second))
    #expect(log.found?.contains("passes, and lock 0 is held with \(first.token)") == true)
  }

  @Test func seesAWriteOfOneWhoHeld() {
    var log = leased()
    let (first, second) = claimed(&log)
    log.perform(.leaseRevoke(1001))
    log.perform(write(second))
    #expect(log.found == nil)
    log.perform(write(first))
    #expect(log.found?.contains("is held with \(second.token)") == true)
  }

  @Test func seesATokenThatGoesBack() {
    var log = leased()
    let (first, second) = claimed(&log)
    log.perform(.leaseRevoke(1001))
    log.perform(write(second))
    // As if the older claim had come back.
    let pair = KeyValuePair(key: first.key, value: [], createRevision: first.token, modRevision: first.token, version: 1)
    log.model.pairs.append(NaiveStore.Kept(pair))
    log.model.pairs.sort { $0.pair.key.lexicographicallyPrecedes($1.pair.key) }
    log.commit(.leases)
    log.perform(write(first))
    #expect(log.found?.contains("goes back from \(second.token) to \(first.token)") == true)
  }

  // MARK: The end

  /// What nobody keeps alive must go.
  @Test func missesALeaseThatStays() {
    var clients = LockClients(nodes: 1, seed: 1)
    var model = NaiveStore()
    let grant = Request.leaseGrant(LeaseGrantRequest(id: 1001, timeToLive: 2))
    _ = model.perform(grant, size: 10, at: 1)
    #expect(clients.committed(model, Command(index: 1, term: 1, payload: grant.encoded()[...]), at: .zero) == nil)
    #expect(clients.awaited == "lease 1001 is still there")
    let expiry = Request.leaseExpiry(1001, grant: 1)
    _ = model.perform(expiry, size: 10)
    #expect(clients.committed(model, Command(index: 2, term: 1, payload: expiry.encoded()[...]), at: .zero + .seconds(2)) == nil)
    #expect(clients.awaited == nil)
  }

  /// What the swarm is there for happens in a few runs.
  @Test func runsMeetEverything() {
    var sum = RunReport()
    for seed in 1...12 as ClosedRange<UInt64> {
      let report = Story(seed: seed, lasting: .milliseconds(15_000)).runKeyValue()
      #expect(report.violations.isEmpty)
      sum.add(report)
    }
    let names = LockClients(nodes: 0, seed: 0).named.map(\.name) + ["compactions proposed by leaders"]
    for name in names { #expect(sum.counted.contains { $0.name == name && $0.count > 0 }, "\(name)") }
  }
}
