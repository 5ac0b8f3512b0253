import Raft
import Testing

@testable import Replica

@Suite struct InFlightTests {
  static func inFlight() -> InFlight {
    var inFlight = InFlight(stream: 9)
    inFlight.add([(1, [1]), (2, [2])], term: 3, sequence: inFlight.nextSequence())
    inFlight.add([(3, [3])], term: 4, sequence: 0)
    inFlight.add([(4, [4])], term: 5, sequence: inFlight.nextSequence())
    return inFlight
  }

  @Test func anEntryOfANewerTermSettlesWhatWasSentBefore() {
    var inFlight = Self.inFlight()
    let early = inFlight.takeOvertaken(by: 3)
    #expect(early.isEmpty)
    let overtaken = inFlight.takeOvertaken(by: 5).map(\.id)
    #expect(overtaken == [1, 2, 3])
    #expect(inFlight.count == 1)
  }

  @Test func aRefusalConcernsItsOwnMessage() {
    var inFlight = Self.inFlight()
    let none = inFlight.takeRefused(7)
    #expect(none.isEmpty)
    let refused = inFlight.takeRefused(1).map(\.id)
    #expect(refused == [1, 2])
    let again = inFlight.takeRefused(1)
    #expect(again.isEmpty)
  }

  @Test func whatWasAnsweredIsForgotten() {
    var inFlight = Self.inFlight()
    inFlight.forget { $0 != 4 }
    #expect(inFlight.count == 1)
    inFlight.removeAll()
    #expect(inFlight.count == 0)
  }
}
