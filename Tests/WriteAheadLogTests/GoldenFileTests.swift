import ByteCoding
import Golden
import Raft
import Simulation
import Testing
import WriteAheadLog

/// The bytes of every file in a data directory; see "On disk" in `Docs/Formats.md`.
@Suite struct GoldenFileTests {
  static let identities: [(IdentityRecord.Phase, Golden)] = [
    (.undecided, identityUndecided), (.voted(configuration), identityVoted), (.formed(configuration), identityFormed),
    (.joined(configuration), identityJoined),
  ]

  @Test(arguments: identities.indices) func identity(place: Int) throws {
    let (phase, golden) = Self.identities[place]
    let record = IdentityRecord(node: NodeID(0xa1), name: "a", phase: phase)
    let written = SimulatedDisk()
    try DataDirectory.write(record, to: written)
    #expect(Golden(written.contents(of: "identity") ?? []) == golden, "\(Golden.advice)")
    let disk = SimulatedDisk()
    disk.replace("identity", with: golden.bytes)
    if case .formed = phase { disk.replace(segment(1), with: Self.log.bytes) }
    #expect(try DataDirectory.load(disk).identity == record)
  }

  @Test func voteOfANewNode() throws {
    let disk = SimulatedDisk()
    _ = try open(disk)
    #expect(Golden(disk.contents(of: "vote") ?? []) == Self.voteNew, "\(Golden.advice)")
  }

  @Test func vote() throws {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    let state = HardState(term: 3, vote: NodeID(0xb1))
    try log.append([LogWrite(sequence: 1, hardState: state)])
    #expect(Golden(disk.contents(of: "vote") ?? []) == Self.vote, "\(Golden.advice)")
    disk.replace("vote", with: Self.vote.bytes)
    #expect(try recover(disk).get().hardState == state)
  }

  /// Every kind of record, a batch of more than one sector, and free sectors.
  @Test func segmentOfTheLog() throws {
    let disk = SimulatedDisk()
    var (log, _) = try open(disk)
    let first = [
      Entry(index: 1, term: 1, kind: .noop), Entry(index: 2, term: 1, kind: .configuration, payload: configuration.encoded()[...]),
      Entry(index: 3, term: 1, kind: .command, payload: [1, 2, 3]),
    ]
    let second = Entry(index: 4, term: 1, kind: .command, payload: Bytes(repeating: 7, count: 480))
    try log.append([LogWrite(sequence: 1, entries: first, commit: 1)])
    try log.append([LogWrite(sequence: 2, entries: [second], commit: 3)])
    let withoutReset = disk.copy()
    let reset = LogPosition(index: 9, term: 2)
    try log.append([LogWrite(sequence: 3, reset: reset, commit: 9)])
    #expect(Golden(disk.contents(of: segment(1)) ?? []) == Self.log, "\(Golden.advice)")
    #expect(try recover(withoutReset).get().entries == first + [second])
    disk.replace(segment(1), with: Self.log.bytes)
    let (again, recovered) = try open(disk)
    again.close()
    #expect(recovered.start == reset && recovered.entries.isEmpty && recovered.commit == 9 && again.repairs.isEmpty)
  }

  @Test func snapshot() throws {
    let disk = SimulatedDisk()
    let store = try SnapshotStore.open(disk, identity: me)
    var writer = try store.begin(descriptor(7))
    try writer.append([1, 2, 3])
    try writer.append([4])
    try writer.finish()
    let name = "snapshot-0000000000000007"
    #expect(Golden(disk.contents(of: name) ?? []) == Self.snapshotFile, "\(Golden.advice)")
    disk.replace(name, with: Self.snapshotFile.bytes)
    let reader = try store.read(7)
    #expect(reader.descriptor == descriptor(7))
    #expect(try (0..<reader.blockCount).map { try reader.block($0) } == [[1, 2, 3], [4]])
  }
}

extension GoldenFileTests {
  static let identityUndecided = Golden(
    """
    436f7261636c6549 01000000 0000000000000000 a100000000000000  # file header: magic, version, cluster, node
    01000000 61  # name
    00  # phase
    00000000  # configuration
    a5c64639  # checksum
    """)

  static let identityVoted = Golden(
    """
    436f7261636c6549 01000000 312a3d88898fe12f a100000000000000  # file header: magic, version, cluster, node
    01000000 61  # name
    01  # phase
    39000000
    010200a100000000000000010000006103000000613a3103000000613a32b100
    000000000000010000006203000000623a3103000000623a32  # configuration
    47a3e6e2  # checksum
    """)

  static let identityFormed = Golden(
    """
    436f7261636c6549 01000000 312a3d88898fe12f a100000000000000  # file header: magic, version, cluster, node
    01000000 61  # name
    02  # phase
    39000000
    010200a100000000000000010000006103000000613a3103000000613a32b100
    000000000000010000006203000000623a3103000000623a32  # configuration
    adbff6f7  # checksum
    """)

  static let identityJoined = Golden(
    """
    436f7261636c6549 01000000 312a3d88898fe12f a100000000000000  # file header: magic, version, cluster, node
    01000000 61  # name
    03  # phase
    39000000
    010200a100000000000000010000006103000000613a3103000000613a32b100
    000000000000010000006203000000623a3103000000623a32  # configuration
    0bb406fb  # checksum
    """)

  static let voteNew = Golden(
    """
    436f7261636c6556 01000000 c100000000000000 a100000000000000  # file header: magic, version, cluster, node
    0100000000000000  # sequence
    0000000000000000  # term
    00 0000000000000000  # voted, for whom
    00*455
    f7d52788  # checksum, continuing from the copy's offset 0
    00*3584
    436f7261636c6556 01000000 c100000000000000 a100000000000000  # file header: magic, version, cluster, node
    0100000000000000  # sequence
    0000000000000000  # term
    00 0000000000000000  # voted, for whom
    00*455
    2e9c888f  # checksum, continuing from the copy's offset 4096
    """)

  static let vote = Golden(
    """
    436f7261636c6556 01000000 c100000000000000 a100000000000000  # file header: magic, version, cluster, node
    0200000000000000  # sequence
    0300000000000000  # term
    01 b100000000000000  # voted, for whom
    00*455
    27a1f78f  # checksum, continuing from the copy's offset 0
    00*3584
    436f7261636c6556 01000000 c100000000000000 a100000000000000  # file header: magic, version, cluster, node
    0200000000000000  # sequence
    0300000000000000  # term
    01 b100000000000000  # voted, for whom
    00*455
    fee85888  # checksum, continuing from the copy's offset 4096
    """)

  static let log = Golden(
    """
    436f7261636c654c 02000000 c100000000000000 a100000000000000  # file header: magic, version, cluster, node
    0100000000000000 0100000000000000  # segment, first batch
    0000000000000000 0000000000000000 0000000000000000 00000000  # base: index and term; commit index; chain
    00*424
    0000000000000000 0000 0000  # batch, position, sectors
    5e7de34c  # sector 0
    87000000 00000000 0100000000000000  # length of the records, chain, commit index
    85e9eb97 00000000 0100000000000000 0100000000000000 01  # record: checksum, length, index, term, kind
    eafcb00a 39000000 0200000000000000 0100000000000000 02
    010200a100000000000000010000006103000000613a3103000000613a32b100
    000000000000010000006203000000623a3103000000623a32
    27c904d4 03000000 0300000000000000 0100000000000000 03 010203
    00*345
    0100000000000000 0000 0100  # batch, position, sectors
    63ff6986  # sector 1
    f9010000 6300be6d 0300000000000000  # length of the records, chain, commit index
    cc64d107 e0010000 0400000000000000 0100000000000000 03 07*455
    0200000000000000 0000 0200  # batch, position, sectors
    bca53918  # sector 2
    07*25
    00*471
    0200000000000000 0100 0200  # batch, position, sectors
    e193515a  # sector 3
    19000000 e3185f71 0900000000000000  # length of the records, chain, commit index
    e43aac25 00000000 0900000000000000 0200000000000000 ff  # reset
    00*455
    0300000000000000 0000 0100  # batch, position, sectors
    bf49b996  # sector 4
    436f7261636c6546 0100000000000000 0500000000000000 00*488  # sector 5, free: magic, segment, place
    436f7261636c6546 0100000000000000 0600000000000000 00*488  # sector 6, free: magic, segment, place
    436f7261636c6546 0100000000000000 0700000000000000 00*488  # sector 7, free: magic, segment, place
    """)

  static let snapshotFile = Golden(
    """
    436f7261636c6553 01000000 c100000000000000 a100000000000000  # file header: magic, version, cluster, node
    55000000  # length of the descriptor
    0700000000000000 0100000000000000 0100000000000000
    39000000010200a100000000000000010000006103000000613a310300000061
    3a32b100000000000000010000006203000000623a3103000000623a32  # index, term, index of the configuration, configuration
    759ebfb8  # checksum
    03000000 c73656bd 010203  # block: length, checksum, bytes
    01000000 7eee0a4b 04  # block: length, checksum, bytes
    00000000 02000000 0400000000000000 292517ea  # footer: zero, blocks, bytes, whole checksum
    b0c37373  # checksum
    """)
}
