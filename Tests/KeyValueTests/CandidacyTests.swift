import Testing

@testable import KeyValue

/// Candidates for one name, over one store: what they ask is done at once.
@Suite struct CandidacyTests {
  private struct Bench {
    var machine = KeyValueMachine()
    var waiting: [(candidacy: Candidacy, key: Key, from: Revision)] = []

    init() {
      for lease in 1...3 as ClosedRange<Int64> { _ = machine.perform(.leaseGrant(LeaseGrantRequest(id: lease, timeToLive: 10))) }
    }

    /// Goes on until it holds, waits, or is lost.
    mutating func go(_ candidacy: inout Candidacy, _ step: Candidacy.Step) -> Candidacy.Step {
      var step = step
      while case .perform(let request) = step {
        guard case .success(let response) = machine.perform(request) else { return .lost }
        step = candidacy.answered(response)
      }
      return step
    }

    mutating func enter(_ lease: Int64, value: String = "") -> (Candidacy, Candidacy.Step) {
      var candidacy = Candidacy(name: Array("lock".utf8), lease: lease, value: Array(value.utf8))
      let step = go(&candidacy, candidacy.begin())
      return (candidacy, step)
    }
  }

  private func fence(_ step: Candidacy.Step) -> Fence? { if case .held(let fence, _) = step { fence } else { nil } }
  private func awaited(_ step: Candidacy.Step) -> Key? { if case .wait(let key, _) = step { key } else { nil } }

  @Test func oneHoldsAndTheOthersWaitForTheOneBefore() throws {
    var bench = Bench()
    let (first, one) = bench.enter(1)
    var (second, two) = bench.enter(2)
    var (third, three) = bench.enter(3)
    let held = try #require(fence(one))
    #expect(held.key == k("lock/1") && held.lease == 1)
    #expect(awaited(two) == k("lock/1") && awaited(three) == k("lock/2"))
    // The second gives up: the third waits for the first.
    _ = bench.machine.perform(try #require(second.withdrawal))
    three = bench.go(&third, third.released())
    #expect(awaited(three) == k("lock/1"))
    _ = bench.machine.perform(try #require(first.withdrawal))
    three = bench.go(&third, third.released())
    let next = try #require(fence(three))
    #expect(next.token > held.token)
    // What the first one still wants to do is not done.
    let late = bench.machine.perform(.transaction(TransactionRequest(underFence: held, [.put("state", "old")])))
    #expect(try late.get().isChange == false)
    let now = bench.machine.perform(.transaction(TransactionRequest(underFence: next, [.put("state", "new")])))
    #expect(try now.get().isChange)
    two = bench.go(&second, second.released())
    guard case .lost = two else {
      Issue.record("it goes on without its key")
      return
    }
  }

  /// A deletion and a new key of the same name are two claims, with two tokens.
  @Test func theSameLeaseGetsTheSameClaimAgain() throws {
    var bench = Bench()
    let (one, first) = bench.enter(1, value: "a")
    let again = bench.enter(1, value: "a").1
    #expect(fence(first) == fence(again))
    // Another value is proclaimed.
    #expect(fence(bench.enter(1, value: "b").1) == fence(first))
    #expect(bench.machine.view.get(k("lock/1"))?.value == k("b"))
    _ = bench.machine.perform(try #require(one.withdrawal))
    let later = try #require(fence(bench.enter(1).1))
    #expect(later.token > (fence(first)?.token ?? .max))
  }

  @Test func aLeaseThatExpiresWhileItWaitsLosesIt() throws {
    var bench = Bench()
    _ = bench.enter(1)
    var (second, two) = bench.enter(2)
    #expect(awaited(two) != nil)
    _ = bench.machine.perform(.leaseRevoke(2))
    two = bench.go(&second, second.released())
    guard case .lost = two else {
      Issue.record("it goes on without its lease")
      return
    }
  }

  @Test func anUnknownLeaseMakesNoClaim() {
    var bench = Bench()
    guard case .lost = bench.enter(9).1 else {
      Issue.record("a claim without a lease")
      return
    }
    #expect(bench.machine.view.count == 0)
  }
}
