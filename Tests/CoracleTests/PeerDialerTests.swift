import NIOCore
import Raft
import Testing

@testable import Coracle

@Suite struct PeerLinkTests {
  @Test func dialsOnceAndHoldsUpToItsBound() {
    let link = PeerDialer(address: "a:1", maximumHeldBytes: 10, seed: 1, now: .now())
    let now = NIODeadline.now()
    #expect(link.send([UInt8](repeating: 0, count: 6), now: now) == .dial)
    #expect(link.send([UInt8](repeating: 0, count: 4), now: now) == .held)
    #expect(link.send([0], now: now) == .drop(.notConnected))
  }

  @Test func waitsLongerAfterEachFailure() {
    let link = PeerDialer(address: "a:1", maximumHeldBytes: 10, seed: 1, now: .now())
    var now = NIODeadline.now()
    #expect(link.send([0], now: now) == .dial)
    for _ in 0..<10 {
      link.ended(nil, now: now)
      #expect(link.send([0], now: now) == .drop(.notConnected))
      now = now + .nanoseconds(Backoff.longest.count)
      #expect(link.send([0], now: now) == .dial)
    }
    #expect(link.failures == 10)
  }

  @Test func backoffDoublesUpToItsCapAndStartsAnew() {
    var backoff = Backoff(seed: 7)
    var ceiling = Backoff.shortest
    for _ in 0..<20 {
      #expect((ceiling / 2...ceiling).contains(backoff.next()))
      ceiling = min(ceiling * 2, Backoff.longest)
    }
    backoff.reset()
    #expect(backoff.next() <= Backoff.shortest)
  }
}
