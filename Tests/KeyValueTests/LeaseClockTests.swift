import ByteCoding
import Raft
import Replica
import Testing

@testable import KeyValue

@Suite struct LeaseClockTests {
  @Test func expiresWhenItsTimeIsOver() {
    var leader = Leader()
    #expect(leader.turn() == [])
    leader.perform(.grant(1, seconds: 10), .grant(2, seconds: 5))
    #expect(leader.turn(after: .seconds(1)) == [])
    #expect(leader.machine.leaderDeadline == leader.now + .seconds(5))
    #expect(leader.turn(after: .milliseconds(4999)) == [])
    #expect(leader.turn(after: .milliseconds(1)) == [.leaseExpiry(2, grant: 1)])
    leader.perform(.leaseExpiry(2, grant: 1))
    #expect(leader.turn(after: .milliseconds(4999)) == [])
    #expect(leader.turn(after: .milliseconds(1)) == [.leaseExpiry(1, grant: 1)])
    leader.perform(.leaseExpiry(1, grant: 1))
    #expect(leader.turn(after: .seconds(100)) == [])
  }

  @Test func aKeepAliveGivesTheFullTimeAgain() {
    var leader = Leader()
    _ = leader.turn()
    leader.perform(.grant(1, seconds: 10))
    _ = leader.turn()
    for _ in 0..<5 {
      #expect(leader.turn(after: .seconds(9)) == [])
      #expect(leader.keepAlive(1) == .lease(remaining: 10, granted: 10))
    }
    #expect(leader.turn(after: .milliseconds(9999)) == [])
    #expect(leader.turn(after: .milliseconds(1)) == [.leaseExpiry(1, grant: 1)])
    // Too late now, and for as long as it is there.
    #expect(leader.keepAlive(1) == .gone)
    #expect(leader.remaining(1) == .lease(remaining: 0, granted: 10))
    leader.perform(.leaseExpiry(1, grant: 1))
    #expect(leader.keepAlive(1) == .gone)
    #expect(leader.remaining(1) == .gone)
    #expect(leader.keepAlive(77) == .gone)
  }

  @Test func whoAskedInTimeIsNotLate() {
    var leader = Leader()
    _ = leader.turn()
    leader.perform(.grant(1, seconds: 10), .grant(2, seconds: 10))
    _ = leader.turn()
    // The leader was held up.
    leader.now = leader.now + .seconds(12)
    #expect(leader.keepAlive(1, askedAt: Instant.zero + .seconds(9)) == .lease(remaining: 10, granted: 10))
    #expect(leader.keepAlive(2, askedAt: Instant.zero + .seconds(10)) == .gone)
    #expect(leader.turn() == [.leaseExpiry(2, grant: 1)])
    #expect(leader.turn(after: .milliseconds(9999)).contains(.leaseExpiry(1, grant: 1)) == false)
    #expect(leader.turn(after: .milliseconds(1)).contains(.leaseExpiry(1, grant: 1)))
  }

  @Test func secondsThatAreLeftAreWholeOnes() {
    var leader = Leader()
    _ = leader.turn()
    leader.perform(.grant(1, seconds: 10))
    #expect(leader.remaining(1) == .lease(remaining: 10, granted: 10))
    _ = leader.turn()
    for (milliseconds, left) in [(0, 10), (1, 9), (999, 9), (500, 8), (8500, 0), (500, 0)] as [(Int64, Int64)] {
      leader.now = leader.now + .milliseconds(milliseconds)
      #expect(leader.remaining(1) == .lease(remaining: left, granted: 10))
    }
  }

  @Test func aNewTermGivesTheFullTimeToAll() {
    var leader = Leader()
    _ = leader.turn()
    leader.perform(.grant(1, seconds: 10), .grant(2, seconds: 20))
    #expect(leader.turn(after: .seconds(9)) == [])
    // Another leads for a while: nothing is counted, and nothing is proposed.
    leader.term = nil
    #expect(leader.turn(after: .seconds(5)) == [])
    #expect(leader.machine.leaderDeadline == .never)
    leader.perform(.grant(3, seconds: 10))
    #expect(leader.turn(after: .seconds(500)) == [])
    leader.term = 3
    #expect(leader.turn() == [])
    for (id, seconds) in [(1, 10), (2, 20), (3, 10)] as [(LeaseID, Int64)] {
      #expect(leader.remaining(id) == .lease(remaining: seconds, granted: seconds))
    }
    // The same without a pause between two terms.
    #expect(leader.turn(after: .seconds(9)) == [])
    leader.term = 4
    #expect(leader.turn() == [])
    #expect(leader.turn(after: .milliseconds(9999)) == [])
    #expect(leader.turn(after: .milliseconds(1)) == [.leaseExpiry(1, grant: 1), .leaseExpiry(3, grant: 1)])
  }

  @Test func whatIsLostIsGivenAgain() {
    var leader = Leader()
    _ = leader.turn()
    leader.perform(.grant(1, seconds: 2))
    _ = leader.turn()
    #expect(leader.turn(after: .seconds(2)) == [.leaseExpiry(1, grant: 1)])
    #expect(leader.turn() == [])
    #expect(leader.turn(after: .milliseconds(2999)) == [])
    #expect(leader.turn(after: .milliseconds(1)) == [.leaseExpiry(1, grant: 1)])
    // Granted anew, in the turn in which it went.
    leader.perform(.leaseExpiry(1, grant: 1), .grant(1, seconds: 4))
    #expect(leader.turn() == [])
    #expect(leader.keepAlive(1) == .lease(remaining: 4, granted: 4))
    #expect(leader.turn(after: .milliseconds(3999)) == [])
    #expect(leader.turn(after: .milliseconds(1)) == [.leaseExpiry(1, grant: 1)])
  }

  /// A client ends a lease whose expiry is on its way, and is granted its number again.
  @Test func anExpiryOnItsWayEndsNoOther() {
    var leader = Leader()
    _ = leader.turn()
    leader.perform(.grant(1, seconds: 2), at: 4)
    _ = leader.turn()
    let expiries = leader.turn(after: .seconds(2))
    #expect(expiries == [.leaseExpiry(1, grant: 4)])
    leader.perform(.leaseRevoke(1), at: 5)
    leader.perform(.grant(1, seconds: 2), at: 6)
    #expect(leader.turn() == [])
    leader.perform(expiries[0], at: 7)
    #expect(leader.keepAlive(1) == .lease(remaining: 2, granted: 2))
    #expect(leader.turn(after: .milliseconds(1999)) == [])
    #expect(leader.remaining(1) == .lease(remaining: 0, granted: 2))
    #expect(leader.turn(after: .milliseconds(1)) == [.leaseExpiry(1, grant: 6)])
  }

  @Test func manyThatExpireAtOnceGoBitByBit() {
    var leader = Leader()
    _ = leader.turn()
    for id in 1...1000 as ClosedRange<LeaseID> { leader.perform(.grant(id, seconds: 5)) }
    _ = leader.turn()
    leader.now = leader.now + .seconds(5)
    var expired: [Request] = []
    for count in [256, 256, 256, 232, 0] {
      let requests = leader.turn()
      #expect(requests.count == count)
      #expect((leader.machine.leaderDeadline <= leader.now) == (count == 256))
      expired += requests
    }
    #expect(Set(expired).count == 1000)
  }

  @Test func leasesOfBeforeAreTakenUpBitByBit() {
    var leader = Leader(term: nil)
    let count = LeaseID(LeaseClock.mostSteps) * 2 + 10
    for id in 1...count { leader.perform(.grant(id, seconds: 10)) }
    _ = leader.turn(after: .seconds(1))
    leader.term = 5
    _ = leader.turn()
    #expect(leader.machine.leaderDeadline <= leader.now)
    // Of those that have no deadline yet too.
    #expect(leader.keepAlive(count) == .lease(remaining: 10, granted: 10))
    leader.now = leader.now + .seconds(4)
    #expect(leader.remaining(count - 1) == .lease(remaining: 6, granted: 10))
    #expect(leader.remaining(1) == .lease(remaining: 6, granted: 10))
    leader.perform(.leaseRevoke(count - 2), .grant(count - 2, seconds: 30))
    for _ in 0..<3 { _ = leader.turn() }
    #expect(leader.machine.leaderDeadline == leader.now + .seconds(6))
    #expect(leader.remaining(count - 2) == .lease(remaining: 30, granted: 30))
    #expect(leader.remaining(count) == .lease(remaining: 6, granted: 10))
  }

  /// Those that are kept alive, and those that are revoked long before their time, do not make the queue grow.
  @Test func theQueueIsBounded() {
    var leader = Leader()
    _ = leader.turn()
    leader.perform(.grant(1, seconds: 10))
    _ = leader.turn()
    for _ in 0..<500 {
      #expect(leader.keepAlive(1) == .lease(remaining: 10, granted: 10))
      #expect(leader.turn(after: .milliseconds(100)) == [])
    }
    #expect(leader.machine.leaseClock.queueCount == 1)
    for _ in 0..<5000 {
      leader.perform(.grant(2, seconds: 1_000_000_000))
      _ = leader.turn(after: .microseconds(1))
      leader.perform(.leaseRevoke(2))
    }
    #expect(leader.machine.leaseClock.queueCount <= 1030)
    #expect(leader.turn(after: .seconds(9)) == [])
    #expect(leader.turn(after: .seconds(1)) == [.leaseExpiry(1, grant: 1)])
  }

  @Test func questionsThatMeanNothingAreAnswered() throws {
    var machine = KeyValueMachine()
    var generator = Generator(seed: 9)
    for question in [LeaseQuestion.keepAlive(-7), .remaining(.max)] {
      let bytes = question.encoded()
      #expect(try LeaseQuestion(decoding: bytes[...]) == question)
      for count in 0..<bytes.count { #expect(throws: MalformedBytes.self) { try LeaseQuestion(decoding: bytes[..<count]) } }
      #expect(throws: MalformedBytes.self) { try LeaseQuestion(decoding: (bytes + [0])[...]) }
    }
    for answer in [LeaseAnswer.gone, .malformed, .lease(remaining: 1, granted: .max)] {
      let bytes = answer.encoded()
      #expect(try LeaseAnswer(decoding: bytes[...]) == answer)
      for count in 0..<bytes.count { #expect(throws: MalformedBytes.self) { try LeaseAnswer(decoding: bytes[..<count]) } }
    }
    for bytes in [[], [1], [1, 3] + [UInt8](repeating: 0, count: 8), [2, 1] + [UInt8](repeating: 0, count: 8)] {
      #expect(machine.answer(bytes[...], askedAt: .zero, now: .zero) == LeaseAnswer.malformed.encoded())
    }
    for _ in 0..<500 { _ = machine.answer(generator.bytes(upTo: 20)[...], askedAt: .zero, now: .zero) }
    #expect(LeaseQuestion.keepAlive(7).encoded() == [1, 1, 7, 0, 0, 0, 0, 0, 0, 0])
    #expect(LeaseAnswer.lease(remaining: 1, granted: 2).encoded() == [1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0])
  }

  /// What the leader counts is its own: replicas stay equal, and so do those that are restored.
  @Test func theClockIsNoPartOfTheState() throws {
    var leader = Leader()
    var follower = KeyValueMachine()
    _ = leader.turn()
    for request in [.grant(1), .put("a", lease: 1), .grant(2)] as [Request] {
      leader.perform(request)
      follower.perform(request)
      _ = leader.turn(after: .seconds(1))
      _ = leader.keepAlive(1)
    }
    #expect(leader.machine.view.digest == follower.view.digest)
    #expect(leader.machine.view.blocks == follower.view.blocks)
    #expect(try KeyValueMachine(restoring: leader.machine.view.blocks).leaderDeadline == .never)
  }
}
