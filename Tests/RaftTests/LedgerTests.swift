import Testing

@testable import Raft

@Suite struct ForwardingLedgerTests {
  /// What is new among these, in their order.
  func areNew(_ seen: [(stream: UInt64, sequence: UInt64, peer: NodeID)]) -> [Bool] {
    var ledger = ForwardingLedger()
    return seen.map { ledger.isNew(stream: $0.stream, sequence: $0.sequence, from: $0.peer) }
  }

  @Test func whatWasSeenIsNotNew() {
    #expect(areNew([(1, 1, Bench.b), (1, 1, Bench.b), (1, 2, Bench.b), (1, 1, Bench.b)]) == [true, false, true, false])
  }

  @Test func peersAndStreamsAreApart() {
    let seen = [(1, 5, Bench.b), (1, 5, Bench.c), (2, 1, Bench.b), (1, 5, Bench.b), (1, 6, Bench.c)] as [(UInt64, UInt64, NodeID)]
    #expect(areNew(seen) == [true, true, true, false, true])
  }

  /// b started again as stream 2 before anything of its stream 1 arrived: that is no reason not to listen to stream 2 any more.
  @Test func whatComesLateDoesNotSilenceWhatIsNewer() {
    let seen = [(2, 1, Bench.b), (1, 1, Bench.b), (2, 2, Bench.b), (1, 1, Bench.b)] as [(UInt64, UInt64, NodeID)]
    #expect(areNew(seen) == [true, true, true, false])
  }

  @Test func remembersABoundedNumberOfStarts() {
    let starts = (1...3000 as ClosedRange<UInt64>).map { (stream: $0, sequence: UInt64(1), peer: Bench.b) }
    let new = areNew(starts + starts)
    #expect(new.prefix(3000).filter { $0 }.count == 1024)
    #expect(!new.suffix(3000).contains(true))
  }
}

@Suite struct ConfigurationHistoryTests {
  let one = Bench.configuration
  let two = Configuration(voters: [Bench.a, Bench.b].map(Bench.member))
  let three = Configuration(voters: [Bench.member(Bench.a)])

  func history() -> ConfigurationHistory {
    var history = ConfigurationHistory(one, at: 1)
    history.append(two, at: 5)
    history.append(three, at: 9)
    return history
  }

  @Test func theNewestCountsFromItsAppend() {
    let history = history()
    #expect(history.newest.configuration == three)
    #expect(history.item(at: 4).configuration == one)
    #expect(history.item(at: 5).configuration == two)
    #expect(history.item(at: 8).configuration == two)
    #expect(history.item(at: .max).configuration == three)
  }

  @Test func truncationBringsAnOlderOneBack() {
    var history = history()
    history.truncate(from: 10)
    #expect(history.newest.index == 9)
    history.truncate(from: 9)
    #expect(history.newest.index == 5)
    history.truncate(from: 2)
    #expect(history.newest.index == 1)
    history.truncate(from: 0)
    #expect(history.newest.configuration == one, "there is always one")
  }

  @Test func compactionKeepsTheOneInForce() {
    var history = history()
    history.compact(through: 4)
    #expect(history.item(at: 4).configuration == one)
    history.compact(through: 7)
    #expect(history.item(at: 7).configuration == two)
    history.compact(through: .max)
    #expect(history.newest.configuration == three)
  }
}
