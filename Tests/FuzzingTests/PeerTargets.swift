import ByteCoding
import Raft
import WriteAheadLog

@testable import Replica

/// What other nodes send.
extension FuzzTarget {
  static let peers = [
    FuzzTarget(name: "frame", seeds: { frames.map { Array($0.encoded().dropFirst(4)) } }, run: decodeFrame),
    FuzzTarget(name: "configuration", seeds: { [configuration.encoded()] }, run: decodeConfiguration),
    FuzzTarget(
      name: "entry", seeds: { [Array(Entry(index: 2, term: 1, kind: .command, payload: [1, 2]).record.dropFirst(4))] }, run: decodeEntry),
  ]

  static let configuration = Configuration(voters: [
    Member(id: NodeID(1), name: "a", peerAddress: "a:1", clientAddress: "a:2"),
    Member(id: NodeID(2), name: "b", peerAddress: "b:1", clientAddress: ""),
  ])
  static let descriptor = SnapshotDescriptor(
    position: LogPosition(index: 7, term: 1), configuration: configuration, configurationIndex: 1)

  /// With the checksum that a peer of ill will would send too.
  static func sealed(_ body: [UInt8]) -> [UInt8] {
    var writer = ByteWriter(capacity: 4 + body.count)
    writer.write(CRC32C.checksum(body))
    writer.write(raw: body)
    return writer.bytes
  }

  private static var frames: [Frame] {
    let position = LogPosition(index: 5, term: 4)
    let entries = [Entry(index: 6, term: 9, kind: .noop), Entry(index: 7, term: 9, kind: .command, payload: [1, 2, 3])]
    let bodies: [Message.Body] = [
      .preVoteRequest(last: position), .preVoteResponse(granted: true), .voteRequest(last: position), .voteResponse(granted: false),
      .append(previous: position, entries: entries, commit: 3), .appendAccepted(match: 5), .appendRejected(previous: 6, hint: position),
      .heartbeat(round: 1, commit: 2, confirmed: 3), .heartbeatResponse(round: 1, confirmed: 2, received: 3, match: 4), .commit(5),
      .snapshotBlock(descriptor, number: 4, block: [1, 2, 3], last: true), .snapshotProgress(position, next: 6), .readRequest(5),
      .readResponse(5, index: 6), .proposals(stream: 1, sequence: 2, [[1, 2, 3], []]), .proposalsRefused(stream: 1, sequence: 2), .outdated,
    ]
    let (from, to) = (NodeID(1), NodeID(2))
    let messages = bodies.map { Frame.Body.message(Message(from: from, to: to, term: 9, body: $0)) }
    let bootstrap = [IdentityRecord.Phase.undecided, .formed(configuration)].map { phase in
      Frame.Body.bootstrap(BootstrapMessage(name: "a", peerAddress: "a:1", clientAddress: "a:2", names: ["a", "b"], phase: phase))
    }
    return (messages + bootstrap + [.greeting, .wrongCluster]).map { Frame(cluster: ClusterID(1), from: from, to: to, body: $0) }
  }

  private static func decodeFrame(_ bytes: [UInt8]) throws -> Bool {
    guard let frame = try? Frame(decoding: sealed(bytes)[...]) else { return false }
    try BrokenProperty.check(try Frame(decoding: frame.encoded()[...]) == frame, "a frame that was read is written as another one")
    return true
  }

  private static func decodeConfiguration(_ bytes: [UInt8]) throws -> Bool {
    guard let configuration = try? Configuration(decoding: bytes[...]) else { return false }
    let again = try Configuration(decoding: configuration.encoded()[...])
    try BrokenProperty.check(again == configuration && again.digest == configuration.digest, "a configuration is written as another one")
    return true
  }

  private static func decodeEntry(_ bytes: [UInt8]) throws -> Bool {
    let record = sealed(bytes)
    var reader = ByteReader(record[...])
    guard let entry = try? Entry(from: &reader) else { return false }
    let again = Entry(index: entry.index, term: entry.term, kind: entry.kind, payload: entry.payload)
    try BrokenProperty.check(again == entry && reader.isAtEnd, "an entry is written as another one")
    return true
  }
}
