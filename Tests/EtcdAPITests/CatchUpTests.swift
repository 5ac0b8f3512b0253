import Synchronization
import Testing

@testable import EtcdAPI

/// What happens to requests whose token this node does not know.
@Suite struct CatchUpTests {
  /// A store whose reads are answered when it is told to.
  private final class SlowReads: Sendable {
    private let held = Mutex<[@Sendable () -> Void]>([])
    private let begun = Count()

    func release() {
      let held = held.withLock { held in
        defer { held = [] }
        return held
      }
      for answer in held { answer() }
    }

    func read(_ done: @escaping @Sendable () -> Void) {
      begun.add()
      held.withLock { $0.append(done) }
    }

    var count: Int { begun.value }
  }

  private final class Count: Sendable {
    private let count = Mutex(0)

    func add() { count.withLock { $0 += 1 } }
    var value: Int { count.withLock { $0 } }
  }

  private let reads = SlowReads()
  private let catchUps = CatchUps()
  private let served = Count()

  private func wait() -> Bool { catchUps.wait(read: { [reads] in reads.read($0) }, then: { [served] in served.add() }) }

  @Test func allWhoComeWhileOneIsUnderWayShareTheNext() {
    for _ in 0..<100 { #expect(wait()) }
    #expect(reads.count == 1)
    reads.release()
    #expect(served.value == 1, "those who came later may know of something newer")
    #expect(reads.count == 2)
    reads.release()
    #expect(served.value == 100 && reads.count == 2)
    #expect(wait())
    #expect(reads.count == 3)
    reads.release()
    #expect(served.value == 101)
  }

  @Test func oneTooManyIsTurnedAway() {
    for _ in 0...CatchUps.maximumWaiting { #expect(wait()) }
    #expect(!wait())
    reads.release()
    #expect(wait())
  }
}
