import Raft
import Testing

@testable import Replica

@Suite struct PendingRequestsTests {
  @Test(arguments: 1...20 as ClosedRange<UInt64>) func doesWhatTheModelDoes(seed: UInt64) {
    var random = PseudoRandom(seed: seed)
    var pending = PendingRequests()
    var model: [(id: RequestID, bytes: Int, deadline: Int64)] = []
    var next: RequestID = 0
    var now: Int64 = 0
    for _ in 0..<2000 {
      switch random.below(10) {
      case 0...4:
        next += 1
        let (bytes, deadline) = (Int(random.below(100)), now + Int64(random.below(300)))
        pending.add(next, PendingRequests.Item(state: .queued, bytes: bytes, deadline: Instant(nanoseconds: deadline)))
        model.append((next, bytes, deadline))
      case 5...8:
        let id = random.below(next + 2)
        let expected = model.firstIndex { $0.id == id }.map { model.remove(at: $0) }
        let taken = pending.take(id)
        #expect(taken?.bytes == expected?.bytes)
      default:
        now += Int64(random.below(60))
        let expired = pending.takeExpired(now: Instant(nanoseconds: now)).map(\.id)
        let expected = model.filter { $0.deadline <= now }.sorted { ($0.deadline, $0.id) < ($1.deadline, $1.id) }
        #expect(expired == expected.map(\.id))
        model.removeAll { $0.deadline <= now }
      }
      #expect(pending.count == model.count)
      #expect(pending.bytes == model.reduce(0) { $0 + $1.bytes })
      // It may be early, for one that was answered: a tick for nothing does no harm. It must not be late.
      #expect(pending.deadline.nanoseconds <= model.map(\.deadline).min() ?? .max)
      if model.isEmpty { #expect(pending.deadline == .never) }
    }
    let rest = pending.takeAll().map(\.id)
    #expect(rest == model.sorted { ($0.deadline, $0.id) < ($1.deadline, $1.id) }.map(\.id))
    #expect(pending.isEmpty && pending.bytes == 0)
  }

  @Test func aMarkChangesTheState() {
    var pending = PendingRequests()
    pending.add(1, PendingRequests.Item(state: .queued, bytes: 1, deadline: .never))
    pending.mark(1, .sent)
    pending.mark(2, .sent)
    #expect(pending.take(1)?.state == .sent)
    #expect(pending.take(2)?.state == nil)
  }
}
