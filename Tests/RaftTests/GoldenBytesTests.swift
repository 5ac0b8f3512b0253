import ByteCoding
import Golden
import Raft
import Testing

/// The bytes of what the log, files and messages have in common; see "Record" and "Identity" in `Docs/Formats.md`.
@Suite struct GoldenBytesTests {
  static let configuration = Configuration(voters: [
    Member(id: NodeID(0xb1), name: "b", peerAddress: "b:1", clientAddress: "b:2"),
    Member(id: NodeID(0xa1), name: "a", peerAddress: "a:1", clientAddress: "a:2"),
  ])

  /// Checksum, length, index, term, kind, payload.
  static let records: [(Entry, Golden)] = [
    (
      Entry(index: 3, term: 2, kind: .noop), Golden("125d8d31 00000000 0300000000000000 0200000000000000 01")
    ),
    (
      Entry(index: 4, term: 2, kind: .command, payload: [1, 2, 3]),
      Golden("44735d03 03000000 0400000000000000 0200000000000000 03 010203")
    ),
    (
      Entry(index: 1, term: 1, kind: .configuration, payload: configuration.encoded()[...]),
      Golden(
        """
        f228750c 39000000 0100000000000000 0100000000000000 02
        010200a100000000000000010000006103000000613a3103000000613a32b100
        000000000000010000006203000000623a3103000000623a32
        """)
    ),
  ]

  @Test(arguments: records.indices) func recordsOfEntries(place: Int) throws {
    let (entry, golden) = Self.records[place]
    #expect(Golden(Array(entry.record)) == golden, "\(Golden.advice)")
    var reader = ByteReader(golden.bytes[...])
    #expect(try Entry(from: &reader) == entry)
    #expect(reader.isAtEnd)
  }

  @Test func configurations() throws {
    let golden = Golden(
      """
      01  # version
      0200  # voters
      a100000000000000 01000000 61 03000000 613a31 03000000 613a32  # node, name, peer address, client address
      b100000000000000 01000000 62 03000000 623a31 03000000 623a32
      """)
    #expect(Golden(Self.configuration.encoded()) == golden, "\(Golden.advice)")
    #expect(try Configuration(decoding: golden.bytes[...]) == Self.configuration)
    #expect(Self.configuration.digest.description == "2fe18f89883d2a31", "\(Golden.advice)")
  }

  /// With all roles, and identities that left.
  @Test func configurationsWithRoles() throws {
    func member(_ id: UInt64, _ name: String) -> Member {
      Member(id: NodeID(id), name: name, peerAddress: "\(name):1", clientAddress: "")
    }
    let configuration = Configuration(
      voters: [member(0xa1, "a"), member(0xb1, "b")], outgoing: [member(0xa1, "a"), member(0xc1, "c")],
      learners: [
        Learner(member(0xd1, "d"), .onRequest), Learner(member(0xe1, "e"), .whenCaughtUp),
        Learner(member(0xf1, "f"), .replacing(NodeID(0xb1))),
      ], removed: [NodeID(9), NodeID(8)])
    let golden = Golden(
      """
      02  # version
      0600  # members
      a100000000000000 01000000 61 03000000 613a31 00000000 03  # a voter before and after
      b100000000000000 01000000 62 03000000 623a31 00000000 01  # a voter
      c100000000000000 01000000 63 03000000 633a31 00000000 02  # a voter that leaves
      d100000000000000 01000000 64 03000000 643a31 00000000 04  # a learner
      e100000000000000 01000000 65 03000000 653a31 00000000 0c  # a learner that is promoted by itself
      f100000000000000 01000000 66 03000000 663a31 00000000 14 b100000000000000  # a learner that replaces a voter
      0200 0900000000000000 0800000000000000  # those that left
      """)
    #expect(Golden(configuration.encoded()) == golden, "\(Golden.advice)")
    #expect(try Configuration(decoding: golden.bytes[...]) == configuration)
  }

  /// Index, term, index of the configuration, configuration.
  @Test func descriptorsOfSnapshots() throws {
    let golden = Golden(
      """
      0700000000000000 0100000000000000 0100000000000000
      39000000010200a100000000000000010000006103000000613a310300000061
      3a32b100000000000000010000006203000000623a3103000000623a32
      """)
    let descriptor = SnapshotDescriptor(
      position: LogPosition(index: 7, term: 1), configuration: Self.configuration, configurationIndex: 1)
    var writer = ByteWriter()
    descriptor.encode(into: &writer)
    #expect(Golden(writer.bytes) == golden, "\(Golden.advice)")
    var reader = ByteReader(golden.bytes[...])
    #expect(try SnapshotDescriptor(from: &reader) == descriptor)
    #expect(reader.isAtEnd)
  }

  /// Checksum, blocks, bytes.
  @Test func fingerprintsOfSnapshots() throws {
    let golden = Golden("01000000 02000000 0300000000000000")
    let fingerprint = SnapshotFingerprint(checksum: 1, blocks: 2, bytes: 3)
    var writer = ByteWriter()
    fingerprint.encode(into: &writer)
    #expect(Golden(writer.bytes) == golden, "\(Golden.advice)")
    var reader = ByteReader(golden.bytes[...])
    #expect(try SnapshotFingerprint(from: &reader) == fingerprint)
  }
}
