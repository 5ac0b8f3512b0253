import ByteCoding
import Testing

@testable import Raft

/// The bytes of configurations, on disk and wire.
@Suite struct ConfigurationCodingTests {
  static let full = Configuration(
    voters: [Bench.a, Bench.b, NodeID(4)].map(Bench.member), outgoing: [Bench.a, Bench.b, Bench.c].map(Bench.member),
    learners: [
      Learner(Bench.member(NodeID(5)), .onRequest), Learner(Bench.member(NodeID(6)), .whenCaughtUp),
      Learner(Bench.member(NodeID(7)), .replacing(Bench.b)),
    ], removed: [NodeID(9), NodeID(8)])

  @Test func everyPartComesBackAsItWas() throws {
    #expect(try Configuration(decoding: Self.full.encoded()[...]) == Self.full)
    #expect(try Configuration(decoding: Bench.configuration.encoded()[...]) == Bench.configuration)
  }

  /// The first configuration names the cluster by its digest: its bytes must stay what they are.
  @Test func votersAloneAreWrittenAsEver() {
    var writer = ByteWriter()
    writer.write(1 as UInt8)
    writer.write(3 as UInt16)
    for id in [Bench.a, Bench.b, Bench.c] {
      let member = Bench.member(id)
      writer.write(id.rawValue)
      writer.write(member.name)
      writer.write(member.peerAddress)
      writer.write(member.clientAddress)
    }
    #expect(Bench.configuration.encoded() == writer.bytes)
    #expect(Self.full.encoded().first == 2)
  }

  @Test func everyTruncationIsFound() {
    let bytes = Self.full.encoded()
    for count in 0..<bytes.count { #expect(throws: MalformedBytes.self) { try Configuration(decoding: bytes[..<count]) } }
    #expect(throws: MalformedBytes.self) { try Configuration(decoding: (bytes + [0])[...]) }
  }

  @Test func whatCannotBeIsRefused() {
    let twice = Configuration(voters: [Bench.a, Bench.a].map(Bench.member))
    let nobody = Configuration(voters: [], learners: [Learner(Bench.member(Bench.a), .onRequest)])
    let back = Configuration(voters: [Bench.member(Bench.a)], removed: [Bench.a])
    let many = Configuration(voters: (1...17 as ClosedRange<UInt64>).map { Bench.member(NodeID($0)) })
    for configuration in [twice, nobody, back, many, Configuration(voters: [])] {
      #expect(throws: MalformedBytes.self) { try Configuration(decoding: configuration.encoded()[...]) }
    }
    for version in [0, 3, 255] as [UInt8] {
      #expect(throws: MalformedBytes.self) { try Configuration(decoding: ([version] + Bench.configuration.encoded().dropFirst())[...]) }
    }
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>) func forgedBytesNeverTrap(seed: UInt64) throws {
    var random = PseudoRandom(seed: seed)
    for _ in 0..<2000 {
      var bytes = Self.full.encoded()
      for _ in 0...random.below(4) { bytes[Int(random.below(UInt64(bytes.count)))] = UInt8(truncatingIfNeeded: random.next()) }
      guard let decoded = try? Configuration(decoding: bytes[...]) else { continue }
      #expect(decoded.members.count <= Configuration.maximumMembers && !decoded.voters.isEmpty)
      #expect(try Configuration(decoding: decoded.encoded()[...]) == decoded)
    }
  }
}
