import ByteCoding
import Golden
import Testing

@testable import KeyValue

/// The bytes of commands and snapshots; see "Command of the key-value store" and "In a snapshot" in `Docs/Formats.md`.
@Suite struct GoldenBytesTests {
  static let requests: [(Request, Golden)] = [
    (
      .range(rangeRequest),
      Golden(
        """
        01 01  # version, kind
        03 02 03  # flags, order, sorted by
        0100000061 0100000062  # range
        0100000000000000 0200000000000000  # limit, revision
        0300000000000000 0400000000000000 0500000000000000 0600000000000000  # mod revisions, create revisions
        """)
    ),
    (
      .put("k", "v"),
      Golden(
        """
        01 02 00 010000006b 0100000076
        """)
    ),
    (
      .put("k", previous: true, ignoreValue: true, lease: 8),
      Golden(
        """
        01 02 07 010000006b 00000000 0800000000000000
        """)
    ),
    (
      .delete("k", previous: true),
      Golden(
        """
        01 03 01 010000006b 00000000
        """)
    ),
    (
      .delete(DeleteRequest(range: KeyRange(start: k("k"), end: [0]))),
      Golden(
        """
        01 03 00 010000006b 0100000000
        """)
    ),
    (
      .transaction(comparisons, then: [.put("k", "v")], else: [.delete("k")]),
      Golden(
        """
        01 04  # version, kind
        04000000  # comparisons
        010000006b 00000000 00 01 0100000000000000
        010000006b 00000000 01 02 0200000000000000
        010000006b 00000000 02 03 0300000000000000
        010000006b 00000000 03 04 0100000076
        01000000  # requests if they hold
        02 00 010000006b 0100000076
        01000000  # requests if not
        03 00 010000006b 00000000
        """)
    ),
    (
      .compaction(CompactionRequest(revision: 3)),
      Golden(
        """
        01 05 0300000000000000
        """)
    ),
    (
      .settings(StoreSettings(quota: 1, historyAge: 2, historyBytes: 3)),
      Golden(
        """
        01 06 0100000000000000 0200000000000000 0300000000000000
        """)
    ),
    (
      .leaseGrant(LeaseGrantRequest(id: 7, timeToLive: 60)),
      Golden(
        """
        01 07 0700000000000000 3c00000000000000
        """)
    ),
    (
      .leaseRevoke(-1),
      Golden(
        """
        01 08 ffffffffffffffff
        """)
    ),
    (
      .leaseExpiry(7, grant: 0),
      Golden(
        """
        01 09 0700000000000000
        """)
    ),
    (
      .leaseExpiry(7, grant: 8),
      Golden(
        """
        01 0c 0700000000000000 0800000000000000
        """)
    ),
    (
      .leases,
      Golden(
        """
        01 0a
        """)
    ),
    (
      .lease(7),
      Golden(
        """
        01 0b 0700000000000000
        """)
    ),
  ]

  private static let rangeRequest = RangeRequest(
    range: KeyRange("a", "b"), limit: 1, revision: 2, order: .descending, target: .modRevision, keysOnly: true, countOnly: true,
    minimumModRevision: 3, maximumModRevision: 4, minimumCreateRevision: 5, maximumCreateRevision: 6)

  private static let comparisons = [
    Comparison(range: KeyRange("k"), relation: .equal, operand: .version(1)),
    Comparison(range: KeyRange("k"), relation: .greater, operand: .createRevision(2)),
    Comparison(range: KeyRange("k"), relation: .less, operand: .modRevision(3)),
    Comparison(range: KeyRange("k"), relation: .notEqual, operand: .value(k("v"))),
  ]

  @Test(arguments: requests.indices) func commands(place: Int) throws {
    let (request, golden) = Self.requests[place]
    #expect(Golden(request.encoded()) == golden, "\(Golden.advice)")
    #expect(try Request(decoding: golden.bytes[...]) == request)
  }

  @Test func snapshot() throws {
    let golden = Golden(
      """
      03 1400000000000000 1300000000000000  # version, revision, compact revision
      0000010000000000 0200000000000000 0300000000000000 00  # quota, age and bytes of the history, out of space
      1000000000000000  # number of the first change
      06 0700000000000000 0a00000000000000 0100000000000000  # a lease: its number, its time, its grant
      01 0300000000000000 0300000000000000 0100000000000000 0100000062 00000000  # a pair: revisions, version, key, value
      02 0200000000000000 1100000000000000 0f00000000000000 0700000000000000 0100000063 0100000032  # one with a lease
      03 1200000000000000 0100000061 0100000031  # a put: revision, key, value
      04 1300000000000000 0700000000000000 0100000062 0100000032  # one with a lease
      05 1400000000000000 0100000063  # a deletion
      00
      """)
    var machine = KeyValueMachine(
      .settings(StoreSettings(quota: 65536, historyAge: 2, historyBytes: 3)), .grant(7), .put("c"), .put("b"))
    for _ in 0..<14 { machine.perform(.put("c", "2", lease: 7)) }
    for request in [.put("a", "1"), .put("b", "2", lease: 7), .delete("c")] as [Request] { machine.perform(request) }
    _ = machine.compact(at: 19)
    machine.perform(.leases)
    #expect(machine.view.blocks.map { Golden($0) } == [golden], "\(Golden.advice)")
    let restored = try KeyValueMachine(restoring: [golden.bytes])
    #expect(restored.view.digest == machine.view.digest)
    #expect(restored.view.revision == 20)
    #expect(restored.view.answer(Request.lease(7)) == machine.view.answer(Request.lease(7)))
  }
}
