import KeyValue
import Raft
import Testing

@testable import Simulation

/// The scenarios' checker is checked: it accepts what may be, and names what may not.
@Suite struct TestimonyTests {
  /// A store in which these were put one after the other.
  static func view(_ pairs: (String, String)...) -> KeyValueView {
    var store = KeyValueMachine()
    for (offset, (key, value)) in pairs.enumerated() {
      let command = Request.put(PutRequest(key: Array(key.utf8), value: Array(value.utf8))).encoded()
      _ = store.apply([.init(index: LogIndex(offset + 1), term: 1, payload: command[...])])
    }
    return store.view
  }

  /// x=1 and x=2 were acknowledged, x=3 is under way.
  static func testimony() -> Testimony {
    var testimony = Testimony()
    for (request, value) in [(1, "1"), (2, "2"), (3, "3")] as [(UInt64, String)] { testimony.ask(request, write: "x", value) }
    testimony.acknowledge(1, revision: 2, floor: 1)
    testimony.acknowledge(2, revision: 3, floor: 2)
    return testimony
  }

  @Test func acceptsWhatMayBe() {
    var testimony = Self.testimony()
    testimony.show(Self.view(("x", "1"), ("x", "2")), floor: 3)
    // A read that began before the second write may miss it; the third may be seen before it is acknowledged.
    testimony.show(Self.view(("x", "1")), floor: 2)
    testimony.show(Self.view(("x", "1"), ("x", "2"), ("x", "3")), floor: 3)
    testimony.acknowledge(3, revision: 4, floor: 3)
    #expect(testimony.violations.isEmpty)
    #expect(testimony.acknowledgements == 3)
    #expect(testimony.known == 4)
  }

  @Test func namesAStaleRead() {
    var testimony = Self.testimony()
    testimony.show(Self.view(("x", "1")), floor: 3)
    #expect(testimony.violations.contains { $0.hasPrefix("stale read") })
  }

  @Test func namesAValueThatIsGone() {
    var testimony = Self.testimony()
    testimony.show(Self.view(("y", "1"), ("y", "2")), floor: 3)
    #expect(testimony.violations.contains { $0.hasPrefix("x is gone") })
  }

  @Test func namesAValueThatWasOverwritten() {
    var testimony = Self.testimony()
    testimony.show(Self.view(("x", "1"), ("y", "2")), floor: 3)
    #expect(testimony.violations.contains { $0.contains("although revision 3 overwrote it") })
  }

  @Test func namesAValueThatNobodyWrote() {
    var testimony = Self.testimony()
    testimony.show(Self.view(("x", "1"), ("x", "2"), ("x", "9")), floor: 3)
    #expect(testimony.violations.contains { $0.contains("which nobody wrote") })
  }

  @Test func namesALieAboutWhatWasNotDone() {
    var testimony = Self.testimony()
    testimony.deny(3)
    testimony.show(Self.view(("x", "1"), ("x", "2"), ("x", "3")), floor: 3)
    #expect(testimony.violations.contains { $0.contains("was told that nothing was done") })
  }

  @Test func namesAWriteDoneTwice() {
    var testimony = Self.testimony()
    testimony.show(Self.view(("x", "1"), ("x", "2"), ("x", "3"), ("x", "3")), floor: 3)
    #expect(testimony.violations.contains { $0.contains("changed 4 times; asked for 3 times") })
  }

  @Test func namesTwoWritersOfOneRevision() {
    var testimony = Self.testimony()
    testimony.acknowledge(3, revision: 3, floor: 2)
    #expect(testimony.violations.contains { $0.hasPrefix("revision 3 is x=2 to one client, x=3 to another") })
  }

  @Test func namesTwoStatesOfOneRevision() {
    var testimony = Self.testimony()
    testimony.show(Self.view(("x", "1"), ("x", "3")), floor: 3)
    #expect(testimony.violations.contains { $0.hasPrefix("revision 3 is x=2 to one client, x=3 to another") })
  }

  @Test func namesAnAcknowledgementOfThePast() {
    var testimony = Self.testimony()
    testimony.acknowledge(3, revision: 2, floor: 3)
    #expect(testimony.violations.contains { $0.contains("although 3 was known when it was asked") })
  }
}
