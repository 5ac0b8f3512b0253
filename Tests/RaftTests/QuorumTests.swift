import Testing

@testable import Raft

/// Majorities: the paper, section 5.2.
@Suite struct QuorumTests {
  @Test(arguments: [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4), (16, 9)])
  func aMajorityIsMoreThanHalf(voters: Int, majority: Int) { #expect(Quorum.majority(of: voters) == majority) }

  @Test func reachedIsWhatAMajorityHasWhateverTheOrder() {
    #expect(Quorum.reached([7]) == 7)
    #expect(Quorum.reached([7, 3]) == 3)
    #expect(Quorum.reached([1, 9, 5]) == 5)
    #expect(Quorum.reached([9, 5, 1]) == 5)
    #expect(Quorum.reached([1, 2, 3, 4]) == 2)
    #expect(Quorum.reached([5, 1, 4, 2, 3]) == 3)
    #expect(Quorum.reached([Int]()) == nil)
  }

  @Test func reachedAgreesWithCounting() {
    var random = PseudoRandom(seed: 1)
    for _ in 0..<2000 {
      let values = (0...random.below(8)).map { _ in random.below(10) }
      let counted = (0..<10 as Range<UInt64>).last { value in values.filter { $0 >= value }.count * 2 > values.count }
      #expect(Quorum.reached(values) == counted, "\(values)")
    }
  }

  /// Parts that overlap, or do not, or are the same.
  @Test func aJointConfigurationReachesWhatBothPartsDo() {
    var random = PseudoRandom(seed: 2)
    for _ in 0..<2000 {
      func part() -> [NodeID] { (1...7 as ClosedRange<UInt64>).filter { _ in random.below(2) == 0 }.map { NodeID($0) } }
      let (voters, outgoing) = (part(), part())
      guard !voters.isEmpty, !outgoing.isEmpty else { continue }
      let values = (0...7 as ClosedRange<UInt64>).map { _ in random.below(10) }
      let configuration = Configuration(voters: voters.map(Bench.member), outgoing: outgoing.map(Bench.member))
      let counted = (0..<10 as Range<UInt64>).last { value in
        [voters, outgoing].allSatisfy { part in part.count { values[Int($0.rawValue)] >= value } * 2 > part.count }
      }
      #expect(configuration.reached { values[Int($0.rawValue)] } == counted, "\(voters) \(outgoing)")
    }
  }

  @Test func aVoterCountsOnceAndItsFirstWordHolds() {
    var tally = VoteTally()
    tally.record(Bench.b, granted: true)
    tally.record(Bench.b, granted: true)
    #expect(!tally.isWon(in: Bench.configuration))
    tally.record(Bench.c, granted: false)
    tally.record(Bench.c, granted: true)
    #expect(!tally.isWon(in: Bench.configuration))
    tally.record(Bench.a, granted: true)
    #expect(tally.isWon(in: Bench.configuration))
  }

  @Test func whoIsNoVoterDoesNotCount() {
    var tally = VoteTally()
    for stranger in 10..<20 as Range<UInt64> { tally.record(NodeID(stranger), granted: true) }
    #expect(!tally.isWon(in: Bench.configuration))
  }
}
