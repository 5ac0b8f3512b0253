import ByteCoding
import Raft
import Testing
import WriteAheadLog

@testable import Replica

@Suite struct FrameTests {
  static let configuration = Configuration(voters: [
    Member(id: NodeID(1), name: "a", peerAddress: "[::1]:1", clientAddress: ""),
    Member(id: NodeID(.max), name: "b", peerAddress: "h:2", clientAddress: "ä:3"),
  ])

  static let numbers: [UInt64] = [0, 1, 255, 1 << 32, .max]

  static func messages(_ number: UInt64) -> [Message.Body] {
    let position = LogPosition(index: number, term: number / 2)
    let descriptor = SnapshotDescriptor(position: position, configuration: configuration, configurationIndex: number / 3)
    let small = Int(number & 0xffff_ffff)
    let entries = Entry.batch(of: [[], [1], [UInt8](repeating: 7, count: 300)[...]], kind: .command, first: 5, term: 9)
    return [
      .preVoteRequest(last: position), .preVoteResponse(granted: true), .preVoteResponse(granted: false), .voteRequest(last: position),
      .voteResponse(granted: true), .voteResponse(granted: false), .append(previous: position, entries: entries, commit: number),
      .append(previous: position, entries: [], commit: 0), .appendAccepted(match: number),
      .appendRejected(previous: number, hint: position), .heartbeat(round: number, commit: 1, confirmed: number),
      .heartbeatResponse(round: number, confirmed: 2, received: number, match: 4), .commit(number),
      .snapshotBlock(
        descriptor, number: small, block: [1, 2, 3], last: true, file: SnapshotFingerprint(checksum: 7, blocks: 8, bytes: number)),
      .snapshotBlock(descriptor, number: small, block: [], last: false), .snapshotProgress(position, next: small), .readRequest(number),
      .readResponse(number, index: 3), .proposals(stream: number, sequence: 1, [[1], [], [2, 3]]),
      .proposals(stream: 1, sequence: number, []), .proposalsRefused(stream: number, sequence: 5), .outdated,
      .timeoutNow, .removed, .transferVoteRequest(last: position),
    ]
  }

  static func frames(_ number: UInt64) -> [Frame] {
    let (a, b) = (NodeID(1), NodeID(2))
    let messages = messages(number).map { body in
      Frame(
        cluster: ClusterID(number | 1), from: a, to: b, body: .message(Message(from: a, to: b, term: number, body: body)))
    }
    let phases: [IdentityRecord.Phase] = [.undecided, .voted(configuration), .formed(configuration)]
    let bootstraps = phases.map { phase in
      Frame(
        cluster: nil, from: a, to: nil,
        body: .bootstrap(BootstrapMessage(name: "a", peerAddress: "p", clientAddress: "", names: ["a", "b"], phase: phase)))
    }
    let address = Introduction.Address(node: b, peerAddress: "b:1", clientAddress: "b:2")
    let introduction = Introduction(own: address, priority: 7, wantsAnswer: true, configurationIndex: 5, others: [address])
    let questions = QuestionFrame(
      number: number, items: [Questions.Item(id: 1, payload: []), Questions.Item(id: number, payload: [1, 2])])
    let others = [Frame.Body.wrongCluster, .greeting, .introduction(introduction), .questions(questions), .answers(questions)].map {
      Frame(cluster: ClusterID(3), from: b, to: a, body: $0)
    }
    return messages + bootstraps + others
  }

  @Test(arguments: numbers) func everyKindComesBackAsItWas(number: UInt64) throws {
    for frame in Self.frames(number) { #expect(try Frame(decoding: frame.encoded()[...]) == frame) }
  }

  @Test func everyKindHasItsName() {
    var seen: Set<FrameKind> = []
    for frame in Self.frames(1) {
      let bytes = frame.encoded()
      #expect(FrameKind(of: bytes) == frame.kind)
      #expect(FrameDescription(bytes).label.prefix { $0 != " " } == frame.kind.name)
      seen.insert(frame.kind)
    }
    #expect(seen == Set(FrameKind.allCases))
  }

  @Test func aSliceOfALargerBufferIsReadInItsPlace() throws {
    for frame in Self.frames(9) {
      let bytes = [1, 2, 3] + frame.encoded() + [4]
      #expect(try Frame(decoding: bytes[3..<(bytes.count - 1)]) == frame)
    }
  }

  @Test func everyFlippedBitIsFound() {
    for frame in Self.frames(5) {
      let bytes = frame.encoded()
      for bit in 0..<(min(bytes.count, 120) * 8) {
        var damaged = bytes
        damaged[bit / 8] ^= 1 << UInt8(bit % 8)
        #expect(throws: MalformedBytes.self) { try Frame(decoding: damaged[...]) }
      }
    }
  }

  @Test func everyTruncationIsFound() {
    for frame in Self.frames(5) {
      let bytes = frame.encoded()
      for count in 0..<bytes.count { #expect(throws: MalformedBytes.self) { try Frame(decoding: bytes[..<count]) } }
      #expect(throws: MalformedBytes.self) { try Frame(decoding: (bytes + [0])[...]) }
    }
  }

  /// With a checksum that is right, as a malicious peer would send it.
  static func sealed(_ body: [UInt8]) -> [UInt8] {
    var writer = ByteWriter()
    writer.write(CRC32C.checksum(body))
    writer.write(raw: body)
    return writer.bytes
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>) func forgedFramesNeverTrap(seed: UInt64) {
    var random = PseudoRandom(seed: seed)
    for frame in Self.frames(random.next()) {
      for _ in 0..<100 {
        var body = Array(frame.encoded().dropFirst(4))
        for _ in 0...random.below(4) { body[Int(random.below(UInt64(body.count)))] = UInt8(truncatingIfNeeded: random.next()) }
        if random.below(3) == 0 { body.removeLast(Int(random.below(UInt64(body.count)))) }
        guard let decoded = try? Frame(decoding: Self.sealed(body)[...]) else { continue }
        #expect((try? Frame(decoding: decoded.encoded()[...])) == decoded)
      }
    }
    for _ in 0..<2000 {
      let garbage = [1, UInt8(random.below(40))] + (0..<random.below(80)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      _ = try? Frame(decoding: Self.sealed(garbage)[...])
    }
  }

  @Test func anotherVersionIsNamedInTheError() throws {
    var body = Array(Frame(cluster: nil, from: NodeID(1), to: NodeID(2), body: .wrongCluster).encoded().dropFirst(4))
    body[0] = 9
    let error = #expect(throws: MalformedBytes.self) { try Frame(decoding: Self.sealed(body)[...]) }
    #expect(try #require(error).description.contains("version 9"))
  }

  @Test func announcedCountsAreBoundedByTheBytes() {
    var writer = ByteWriter()
    for byte in [1, 30] as [UInt8] { writer.write(byte) }
    for number in [1, 2, 3, 4, 5, 6] as [UInt64] { writer.write(number) }
    writer.write(UInt32.max)
    #expect(throws: MalformedBytes.self) { try Frame(decoding: Self.sealed(writer.bytes)[...]) }
  }
}
