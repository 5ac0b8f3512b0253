import ByteCoding
import Golden
import Raft
import Testing
import WriteAheadLog

@testable import Replica

/// The bytes of every frame between nodes, and of a command's entry; see "Between nodes" and "In the log" in `Docs/Formats.md`. Each begins
/// with checksum, version, kind, cluster, sender and receiver.
@Suite struct GoldenFrameTests {
  static let configuration = Configuration(voters: [
    Member(id: NodeID(0xa1), name: "a", peerAddress: "a:1", clientAddress: "a:2"),
    Member(id: NodeID(0xb1), name: "b", peerAddress: "b:1", clientAddress: "b:2"),
  ])
  static let position = LogPosition(index: 5, term: 4)
  static let entries = [Entry(index: 6, term: 9, kind: .noop), Entry(index: 7, term: 9, kind: .command, payload: [1, 2, 3])]
  static let descriptor = SnapshotDescriptor(
    position: LogPosition(index: 7, term: 1), configuration: configuration, configurationIndex: 1)
  static let file = SnapshotFingerprint(checksum: 1, blocks: 2, bytes: 3)

  static func check(_ frame: Frame, _ golden: Golden) throws {
    #expect(Golden(frame.encoded()) == golden, "\(Golden.advice)")
    #expect(try Frame(decoding: golden.bytes[...]) == frame)
  }

  @Test(arguments: messages.indices) func messagesOfConsensus(place: Int) throws {
    let (from, to) = (NodeID(0xa1), NodeID(0xb1))
    let (body, golden) = Self.messages[place]
    let message = Message(from: from, to: to, term: 9, body: body)
    try Self.check(Frame(cluster: ClusterID(0xc1), from: from, to: to, body: .message(message)), golden)
  }

  @Test func everyKindOfMessageIsThere() {
    let kinds = Set(Self.messages.map { Message(from: NodeID(1), to: NodeID(2), term: 1, body: $0.0).kind })
    #expect(kinds == Set(FrameKind.allCases.filter { $0.rawValue >= 16 }))
  }

  @Test(arguments: bootstrapMessages.indices) func bootstrapMessagesOfNodes(place: Int) throws {
    let (phase, golden) = Self.bootstrapMessages[place]
    let cluster: ClusterID? = if case .undecided = phase { nil } else { Self.configuration.digest }
    let bootstrap = BootstrapMessage(name: "a", peerAddress: "a:1", clientAddress: "a:2", names: ["a", "b"], phase: phase)
    try Self.check(Frame(cluster: cluster, from: NodeID(0xa1), to: nil, body: .bootstrap(bootstrap)), golden)
  }

  @Test(arguments: others.indices) func framesWithoutBody(place: Int) throws {
    let (body, golden) = Self.others[place]
    try Self.check(Frame(cluster: ClusterID(0xc1), from: NodeID(0xa1), to: NodeID(0xb1), body: body), golden)
  }

  /// Node, request, command.
  @Test func proposal() throws {
    let golden = Golden("a100000000000000 0500000000000000 010203")
    let proposal = Proposal(origin: NodeID(0xa1), request: 5, command: [1, 2, 3])
    #expect(Golden(Array(proposal.encoded())) == golden, "\(Golden.advice)")
    let read = try Proposal(decoding: golden.bytes[...])
    #expect(read.origin == proposal.origin && read.request == 5 && read.command == [1, 2, 3])
  }
}

extension GoldenFrameTests {
  static let others: [(Frame.Body, Golden)] = [
    (
      .wrongCluster,
      Golden(
        """
        2992b9a7 01 02 c100000000000000 a100000000000000 b100000000000000
        """)
    ),
    (
      .greeting,
      Golden(
        """
        b4598d89 01 03 c100000000000000 a100000000000000 b100000000000000
        """)
    ),
    (
      .introduction(
        Introduction(
          own: Introduction.Address(node: NodeID(0xa1), peerAddress: "a:1", clientAddress: "a:2"), priority: 5, wantsAnswer: true,
          configurationIndex: 7, others: [Introduction.Address(node: NodeID(0xb1), peerAddress: "b:1", clientAddress: "")])),
      Golden(
        """
        84563e4c 01 04 c100000000000000 a100000000000000 b100000000000000
        05 01 0700000000000000 0200
        a100000000000000 03000000 613a31 03000000 613a32
        b100000000000000 03000000 623a31 00000000
        """)
    ),
    (
      .questions(QuestionFrame(number: 9, items: [Questions.Item(id: 5, payload: []), Questions.Item(id: 6, payload: [1, 2])])),
      Golden(
        """
        6f2e2d79 01 05 c100000000000000 a100000000000000 b100000000000000
        0900000000000000 02000000
        0500000000000000 00000000
        0600000000000000 02000000 0102
        """)
    ),
    (
      .answers(QuestionFrame(number: 9, items: [Questions.Item(id: 5, payload: []), Questions.Item(id: 6, payload: [1, 2])])),
      Golden(
        """
        51beeaf1 01 06 c100000000000000 a100000000000000 b100000000000000
        0900000000000000 02000000
        0500000000000000 00000000
        0600000000000000 02000000 0102
        """)
    ),
  ]

  /// Name and addresses, names, phase with its configuration.
  static let bootstrapMessages: [(IdentityRecord.Phase, Golden)] = [
    (
      .undecided,
      Golden(
        """
        83f28eeb 01 01 0000000000000000 a100000000000000 0000000000000000
        0100000061 03000000613a31 03000000613a32
        02000000 0100000061 0100000062
        00
        """)
    ),
    (
      .voted(configuration),
      Golden(
        """
        a58703e1 01 01 312a3d88898fe12f a100000000000000 0000000000000000
        0100000061 03000000613a31 03000000613a32
        02000000 0100000061 0100000062
        01
        39000000010200a100000000000000010000006103000000613a310300000061
        3a32b100000000000000010000006203000000623a3103000000623a32
        """)
    ),
    (
      .formed(configuration),
      Golden(
        """
        4f9b13f4 01 01 312a3d88898fe12f a100000000000000 0000000000000000
        0100000061 03000000613a31 03000000613a32
        02000000 0100000061 0100000062
        02
        39000000010200a100000000000000010000006103000000613a310300000061
        3a32b100000000000000010000006203000000623a3103000000623a32
        """)
    ),
  ]

  /// After the frame's header comes the term, and then the fields in the order of the table in `Docs/Formats.md`.
  static let messages: [(Message.Body, Golden)] = [
    (
      .preVoteRequest(last: position),
      Golden(
        """
        17d62089 01 10 c100000000000000 a100000000000000 b100000000000000
        0900000000000000 0500000000000000 0400000000000000
        """)
    ),
    (
      .preVoteResponse(granted: true),
      Golden(
        """
        b633b399 01 11 c100000000000000 a100000000000000 b100000000000000
        0900000000000000 01
        """)
    ),
    (
      .voteRequest(last: position),
      Golden(
        """
        e2dcc103 01 12 c100000000000000 a100000000000000 b100000000000000
        0900000000000000 0500000000000000 0400000000000000
        """)
    ),
    (
      .voteResponse(granted: false),
      Golden(
        """
        17a73196 01 13 c100000000000000 a100000000000000 b100000000000000
        0900000000000000 00
        """)
    ),
    (
      .append(previous: position, entries: entries, commit: 3),
      Golden(
        """
        b4030aa7 01 14 c100000000000000 a100000000000000 b100000000000000
        0900000000000000 0500000000000000 0400000000000000 0300000000000000 02000000
        7e78cab5 00000000 0600000000000000 0900000000000000 01
        a2c06987 03000000 0700000000000000 0900000000000000 03 010203
        """)
    ),
    (
      .appendAccepted(match: 5),
      Golden(
        """
        95944e04 01 15 c100000000000000 a100000000000000 b100000000000000
        0900000000000000 0500000000000000
        """)
    ),
    (
      .appendRejected(previous: 6, hint: position),
      Golden(
        """
        ecb17589 01 16 c100000000000000 a100000000000000 b100000000000000
        0900000000000000 0600000000000000 0500000000000000 0400000000000000
        """)
    ),
    (
      .heartbeat(round: 1, commit: 2, confirmed: 3),
      Golden(
        """
        2ed322f6 01 17 c100000000000000 a100000000000000 b100000000000000
        0900000000000000 0100000000000000 0200000000000000 0300000000000000
        """)
    ),
    (
      .heartbeatResponse(round: 1, confirmed: 2, received: 3, match: 4),
      Golden(
        """
        9a344047 01 18 c100000000000000 a100000000000000 b100000000000000
        0900000000000000 0100000000000000 0200000000000000 0300000000000000 0400000000000000
        """)
    ),
    (
      .commit(5),
      Golden(
        """
        026c2335 01 19 c100000000000000 a100000000000000 b100000000000000
        0900000000000000 0500000000000000
        """)
    ),
    (
      .snapshotBlock(descriptor, number: 4, block: [1, 2, 3], last: true, file: file),
      Golden(
        """
        61972f98 01 1a c100000000000000 a100000000000000 b100000000000000
        0900000000000000 0700000000000000 0100000000000000 0100000000000000
        39000000010200a100000000000000010000006103000000613a310300000061
        3a32b100000000000000010000006203000000623a3103000000623a32 01000000 02000000 0300000000000000
        04000000 01 03000000010203
        """)
    ),
    (
      .snapshotProgress(position, next: 6),
      Golden(
        """
        cae1241e 01 1b c100000000000000 a100000000000000 b100000000000000
        0900000000000000 0500000000000000 0400000000000000 06000000
        """)
    ),
    (
      .readRequest(5),
      Golden(
        """
        d0f3b560 01 1c c100000000000000 a100000000000000 b100000000000000
        0900000000000000 0500000000000000
        """)
    ),
    (
      .readResponse(5, index: 6),
      Golden(
        """
        7637acec 01 1d c100000000000000 a100000000000000 b100000000000000
        0900000000000000 0500000000000000 0600000000000000
        """)
    ),
    (
      .proposals(stream: 1, sequence: 2, [[1, 2, 3], []]),
      Golden(
        """
        45779bc9 01 1e c100000000000000 a100000000000000 b100000000000000
        0900000000000000 0100000000000000 0200000000000000 02000000 03000000010203 00000000
        """)
    ),
    (
      .proposalsRefused(stream: 1, sequence: 2),
      Golden(
        """
        05135481 01 1f c100000000000000 a100000000000000 b100000000000000
        0900000000000000 0100000000000000 0200000000000000
        """)
    ),
    (
      .outdated,
      Golden(
        """
        d8e9a1e1 01 20 c100000000000000 a100000000000000 b100000000000000
        0900000000000000
        """)
    ),
    (
      .timeoutNow,
      Golden(
        """
        f7c298bb 01 21 c100000000000000 a100000000000000 b100000000000000
        0900000000000000
        """)
    ),
    (
      .transferVoteRequest(last: position),
      Golden(
        """
        56480bc2 01 22 c100000000000000 a100000000000000 b100000000000000
        0900000000000000 0500000000000000 0400000000000000
        """)
    ),
    (
      .removed,
      Golden(
        """
        a994ea0f 01 23 c100000000000000 a100000000000000 b100000000000000
        0900000000000000
        """)
    ),
  ]
}
