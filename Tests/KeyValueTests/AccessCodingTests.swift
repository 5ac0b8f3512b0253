import ByteCoding
import Golden
import Replica
import Testing

@testable import KeyValue

/// The bytes of access; see "Command of the key-value store" and "In a snapshot" in `Docs/Formats.md`.
@Suite struct AccessCodingTests {
  private static let digest = [UInt8](repeating: 0xdd, count: 32)

  static let requests: [(Request, Golden)] = [
    (.onBehalf(of: .nobody, .leases), Golden("01 11 00 0a")), (.onBehalf(of: .operator, .leases), Golden("01 11 02 0a")),
    (.onBehalf(of: .user("é"), .delete("k")), Golden("01 11 01 02000000c3a9 03 00 010000006b 00000000")),
    (.access(.enable), Golden("01 10 01")), (.access(.disable), Golden("01 10 02")),
    (.access(.addUser("u", verifier: nil)), Golden("01 10 03 0100000075 00")),
    (.access(.addUser("u", verifier: [7])), Golden("01 10 03 0100000075 01 0100000007")),
    (.access(.deleteUser("u")), Golden("01 10 04 0100000075")),
    (.access(.changePassword("u", verifier: [7])), Golden("01 10 05 0100000075 0100000007")),
    (.access(.grantRole("r", toUser: "u")), Golden("01 10 06 0100000072 0100000075")),
    (.access(.revokeRole("r", fromUser: "u")), Golden("01 10 07 0100000072 0100000075")),
    (.access(.addRole("r")), Golden("01 10 08 0100000072")), (.access(.deleteRole("r")), Golden("01 10 09 0100000072")),
    (.access(.grantPermission(.write("a", "b"), toRole: "r")), Golden("01 10 0a 0100000072 01 0100000061 0100000062")),
    (.access(.revokePermission(KeyRange("a"), fromRole: "r")), Golden("01 10 0b 0100000072 0100000061 00000000")),
    (
      .access(.issueToken(TokenGrant(user: "u", digest: digest, issuedAt: 5, passwordRevision: 6))),
      Golden("01 10 0c 0100000075 20000000 dd*32 0500000000000000 0600000000000000")
    ), (.access(.revokeToken(digest: digest)), Golden("01 10 0d 20000000 dd*32")),
  ]

  @Test(arguments: requests.indices) func commands(place: Int) throws {
    let (request, golden) = Self.requests[place]
    #expect(Golden(request.encoded()) == golden, "\(Golden.advice)")
    #expect(request.encodedCount == golden.bytes.count)
    #expect(try Request(decoding: golden.bytes[...]) == request)
    for count in 0..<golden.bytes.count { #expect(throws: MalformedBytes.self) { try Request(decoding: golden.bytes[..<count]) } }
    #expect(throws: MalformedBytes.self) { try Request(decoding: (golden.bytes + [0])[...]) }
  }

  static let malformed: [Golden] = [
    Golden("01 10 00"), Golden("01 10 0e"), Golden("01 11 03 0a"), Golden("01 11 01 02000000c328 0a"), Golden("01 10 08 01000000ff"),
    Golden("01 10 03 0100000075 02"), Golden("01 10 0a 0100000072 03 0100000061 00000000"), Golden("01 11 00 11 00 0a"),
    Golden("01 11 00 09 0100000000000000"), Golden("01 04 00000000 01000000 11 00 0a 00000000"),
    Golden("01 04 00000000 01000000 10 01 00000000"),
  ]

  @Test(arguments: malformed.indices) func whatHasNoMeaningIsRefused(place: Int) {
    #expect(throws: MalformedBytes.self) { try Request(decoding: Self.malformed[place].bytes[...]) }
  }

  @Test func hostileBytesAreRefusedOrMeanWhatTheySay() {
    var generator = Generator(seed: 21)
    var machine = KeyValueMachine()
    var (refused, taken) = (0, 0)
    for number in 0..<4000 {
      var request = Request.access(generator.accessRequest(machine.view.access))
      if generator.chance(50) { request = .onBehalf(of: generator.subject(), generator.chance(50) ? request : generator.request()) }
      var bytes = request.encoded()
      #expect(bytes.count == request.encodedCount && (try? Request(decoding: bytes[...])) == request)
      switch number % 4 {
      case 0: bytes.removeLast(1 + generator.below(bytes.count))
      case 1: for _ in 0..<2 { bytes[generator.below(bytes.count)] = UInt8(truncatingIfNeeded: generator.next()) }
      case 2: bytes[generator.below(bytes.count)] ^= 1 << UInt8(generator.below(8))
      default: break
      }
      if let request = try? Request(decoding: bytes[...]) {
        #expect(request.encoded() == bytes)
        taken += 1
      } else {
        refused += 1
      }
      _ = machine.apply(bytes: bytes)
    }
    #expect(refused > 1000 && taken > 1000)
  }

  // MARK: Snapshots

  private static let header = Golden(
    """
    03 0100000000000000 ffffffffffffffff  # version, revision, compact revision
    0000000200000000 0000000000000000 0000000000000000 00 0000000000000000  # quota, history, alarm, first change
    """
  ).bytes

  private static let stamp = Golden("10 01 0700000000000000").bytes
  private static let role = Golden("11 0100000072").bytes
  private static let permission = Golden("12 02 0100000061 0100000062").bytes
  private static let anna = Golden("13 04000000616e6e61 0600000000000000 00000000 0100 0100000072").bytes
  private static let root = Golden("13 04000000726f6f74 0200000000000000 0100000001 0100 04000000726f6f74").bytes
  private static let token = Golden("14 dd*32 0900000000000000 04000000726f6f74").bytes

  private static func restored(_ records: [UInt8]..., header: [UInt8] = header) -> KeyValueMachine? {
    try? KeyValueMachine(restoring: [header + records.flatMap { $0 } + [0]])
  }

  @Test func snapshot() throws {
    var machine = KeyValueMachine()
    machine.perform(.settings(StoreSettings(quota: 2 << 24, historyAge: 0, historyBytes: 0)))
    machine.change(
      .addUser(.root, verifier: [1]), .grantRole(.root, toUser: .root), .addRole("r"), .grantPermission(.readWrite("a", "b"), toRole: "r"),
      .addUser("anna", verifier: nil), .grantRole("r", toUser: "anna"), .enable,
      .issueToken(TokenGrant(user: .root, digest: Self.digest, issuedAt: 9, passwordRevision: 2)))
    let golden = Self.header + Self.stamp + Self.role + Self.permission + Self.anna + Self.root + Self.token + [0]
    #expect(machine.view.blocks.map { Golden($0) } == [Golden(golden)], "\(Golden.advice)")
    let restored = try KeyValueMachine(restoring: [golden])
    #expect(restored.view.digest == machine.view.digest)
    #expect(restored.view.access.mayRead(KeyRange("a", "b"), .user("anna")) && !restored.view.access.mayRead(.all, .user("anna")))
    #expect(restored.view.access.isAdministrator(.user(.root)))
    #expect(try restored.view.access.user(ofToken: Self.digest, now: 9) == .root)
  }

  @Test func anUntouchedAccessIsNotWritten() {
    let machine = KeyValueMachine()
    #expect(machine.view.access.isUntouched)
    #expect(machine.view.blocks[0].count == Self.header.count + 1)
    #expect(Self.restored()?.view.access.isUntouched == true)
  }

  /// What no requests could have made.
  @Test func whatDoesNotFitTogetherIsRefused() {
    let (stamp, role, permission, anna, root, token) = (Self.stamp, Self.role, Self.permission, Self.anna, Self.root, Self.token)
    #expect(Self.restored(stamp, role, permission, anna, root, token) != nil)
    #expect(Self.restored(stamp, role, anna, root) != nil)
    #expect(Self.restored(role) == nil)
    #expect(Self.restored(stamp, stamp, root) == nil)
    #expect(Self.restored(stamp, role, role, root) == nil)
    #expect(Self.restored(stamp, permission, root) == nil)
    #expect(Self.restored(stamp, role, permission, permission, root) == nil)
    #expect(Self.restored(stamp, anna, root) == nil)
    #expect(Self.restored(stamp, role, root, anna) == nil)
    #expect(Self.restored(stamp, role, anna, permission, root) == nil)
    #expect(Self.restored(stamp, root, role) == nil)
    #expect(Self.restored(stamp, token, root) == nil)
    #expect(Self.restored(stamp, root, token, token) == nil)
    // Authentication that is on without an administrator; sessions though it is off.
    #expect(Self.restored(stamp) == nil)
    #expect(Self.restored(stamp, role, anna) == nil)
    let off = Golden("10 00 0700000000000000").bytes
    #expect(Self.restored(off, role, anna) != nil)
    #expect(Self.restored(off, root, token) == nil)
    // A password later than the last change; a revision below 1; an empty name; a permission for nothing; an unknown kind.
    #expect(Self.restored(Golden("10 01 0100000000000000").bytes, root) == nil)
    #expect(Self.restored(Golden("10 00 0000000000000000").bytes) == nil)
    #expect(Self.restored(stamp, Golden("11 00000000").bytes, root) == nil)
    #expect(Self.restored(stamp, role, Golden("12 02 0100000062 0100000061").bytes, root) == nil)
    #expect(Self.restored(stamp, role, Golden("12 03 0100000061 0100000062").bytes, root) == nil)
    #expect(Self.restored(stamp, root, Golden("15").bytes) == nil)
    // After the leases, or in the version before.
    #expect(Self.restored(Golden("06 0700000000000000 0500000000000000 0100000000000000").bytes, stamp, root) == nil)
    #expect(Self.restored(stamp, root, header: [2] + Self.header.dropFirst()) == nil)
  }
}
