import ByteCoding
import Golden
import Testing

@testable import KeyValue

/// What the nodes' own software keeps in the replicated state.
@Suite struct ClusterRecordsTests {
  private func change(_ name: String, _ expected: [UInt8]?, _ value: [UInt8]?) -> Request {
    .record(RecordChange(name: name, expected: expected, value: value))
  }

  private func fault(_ output: KeyValueMachine.Output) -> KeyValueError? {
    if case .failure(let error) = output { return error }
    return nil
  }

  @Test func isReplacedIfItIsAsExpected() {
    var machine = KeyValueMachine()
    #expect(fault(machine.perform(change("a", [1], [2]))) == .recordChanged, "there is none")
    #expect(fault(machine.perform(change("a", nil, [1]))) == nil)
    #expect(fault(machine.perform(change("a", nil, [2]))) == .recordChanged, "there is one")
    #expect(fault(machine.perform(change("a", [2], [3]))) == .recordChanged, "it is another")
    #expect(fault(machine.perform(change("a", [2], nil))) == .recordChanged)
    #expect(machine.view.records.value(of: "a") == [1])
    #expect(fault(machine.perform(change("a", [1], []))) == nil)
    #expect(machine.view.records.value(of: "a") == [], "empty is not gone")
    #expect(fault(machine.perform(change("a", [], nil))) == nil)
    #expect(machine.view.records.value(of: "a") == nil)
    #expect(fault(machine.perform(change("a", nil, nil))) == nil, "nothing is as it was")
  }

  @Test func clientsSeeNothingOfIt() throws {
    var machine = KeyValueMachine(.put("b", "x"))
    let revision = machine.view.revision
    machine.perform(change("a", nil, [1]))
    machine.perform(change("c", nil, [1]))
    #expect(machine.view.revision == revision)
    #expect(Array(machine.view.pairs()).map(\.key) == [k("b")])
    #expect(try machine.view.response(RangeRequest(range: .all)).pairs.map(\.key) == [k("b")])
    machine.perform(.delete(DeleteRequest(range: .all)))
    #expect(machine.view.records.value(of: "a") == [1])
  }

  @Test func isNoPartOfATransactionAndNobodysButTheNodes() {
    var machine = KeyValueMachine()
    #expect(fault(machine.perform(.transaction(then: [change("a", nil, [1])]))) != nil)
    #expect(machine.view.records.value(of: "a") == nil)
    for request in [.addUser("root", verifier: [1]), .addRole("root"), .grantRole("root", toUser: "root"), .enable] as [AccessRequest] {
      machine.perform(.access(request))
    }
    #expect(machine.view.access.isEnabled)
    for subject in [.nobody, .user("root"), .user("x")] as [Subject] {
      #expect(fault(machine.perform(.onBehalf(of: subject, change("a", nil, [1])))) == .access(.permissionDenied))
    }
    #expect(machine.view.records.value(of: "a") == nil)
    #expect(fault(machine.perform(.onBehalf(of: .operator, change("a", nil, [1])))) == nil)
    #expect(fault(machine.perform(change("b", nil, [1]))) == nil, "the process itself")
  }

  @Test func sizesAreBounded() {
    var machine = KeyValueMachine()
    let longest = String(repeating: "n", count: Limits.recordNameBytes)
    let largest = [UInt8](repeating: 1, count: Limits.recordBytes)
    #expect(fault(machine.perform(change("", nil, [1]))) == .invalidRecord)
    #expect(fault(machine.perform(change(longest + "n", nil, [1]))) == .invalidRecord)
    #expect(fault(machine.perform(change("a", nil, largest + [1]))) == .invalidRecord)
    #expect(fault(machine.perform(change("a", largest + [1], nil))) == .invalidRecord)
    #expect(fault(machine.perform(change(longest, nil, largest))) == nil)
  }

  @Test func soIsTheirNumber() {
    var machine = KeyValueMachine()
    for number in 0..<Limits.records { machine.perform(change("\(number)", nil, [])) }
    #expect(fault(machine.perform(change("one more", nil, []))) == .tooManyRecords)
    #expect(fault(machine.perform(change("0", [], [1]))) == nil, "what is there may change")
    #expect(fault(machine.perform(change("0", [1], nil))) == nil)
    #expect(fault(machine.perform(change("one more", nil, []))) == nil)
  }

  /// Unicode holds the two spellings of "é" for the same.
  @Test func namesAreBytes() {
    var machine = KeyValueMachine()
    for name in ["e\u{301}", "é", "b/2", "b", "b/", "a", "b/1", "c"] { machine.perform(change(name, nil, Array(name.utf8))) }
    #expect(machine.view.records.value(of: "é") == Array("é".utf8))
    #expect(machine.view.records.value(of: "e\u{301}") == Array("e\u{301}".utf8))
    let names = machine.view.records.all(withPrefix: "").map { Array($0.name.utf8) }
    #expect(names.count == 8 && zip(names, names.dropFirst()).allSatisfy { $0.lexicographicallyPrecedes($1) })
    #expect(machine.view.records.all(withPrefix: "b/").map(\.name) == ["b/", "b/1", "b/2"])
    #expect(machine.view.records.all(withPrefix: "d").isEmpty)
  }

  // MARK: Bytes

  static let requests: [(Request, Golden)] = [
    (.record(RecordChange(name: "é", expected: nil, value: nil)), Golden("01 12 00 02000000c3a9")),
    (.record(RecordChange(name: "n", expected: [1, 2], value: nil)), Golden("01 12 01 010000006e 020000000102")),
    (.record(RecordChange(name: "n", expected: nil, value: [3])), Golden("01 12 02 010000006e 0100000003")),
    (.record(RecordChange(name: "n", expected: [], value: [3])), Golden("01 12 03 010000006e 00000000 0100000003")),
    (
      .onBehalf(of: .operator, .record(RecordChange(name: "n", expected: nil, value: nil))),
      Golden("01 11 02 12 00 010000006e")
    ),
  ]

  @Test(arguments: requests.indices) func requestsHaveTheirBytes(place: Int) throws {
    let (request, golden) = Self.requests[place]
    #expect(Golden(request.encoded()) == golden, "\(Golden.advice)")
    #expect(request.encodedCount == golden.bytes.count)
    #expect(try Request(decoding: golden.bytes[...]) == request)
    for count in 0..<golden.bytes.count { #expect(throws: MalformedBytes.self) { try Request(decoding: golden.bytes[..<count]) } }
    #expect(throws: MalformedBytes.self) { try Request(decoding: (golden.bytes + [0])[...]) }
  }

  @Test(arguments: ["01 12 04 010000006e", "01 12 00 01000000ff", "01 04 00000000 01000000 12 00 010000006e 00000000"])
  func whatHasNoMeaningIsRefused(text: String) {
    #expect(throws: MalformedBytes.self) { try Request(decoding: Golden(text).bytes[...]) }
  }

  @Test func snapshot() throws {
    let golden = Golden(
      """
      03 0100000000000000 ffffffffffffffff  # version, revision, compact revision
      0000010000000000 0200000000000000 0300000000000000 00  # quota, age and bytes of the history, out of space
      0000000000000000  # number of the first change
      07 0100000061 0100000001  # a record: name, value
      07 0100000062 00000000
      00
      """)
    var machine = KeyValueMachine(.settings(StoreSettings(quota: 65536, historyAge: 2, historyBytes: 3)))
    machine.perform(change("b", nil, []))
    machine.perform(change("a", nil, [1]))
    #expect(machine.view.blocks.map { Golden($0) } == [golden], "\(Golden.advice)")
    #expect(try KeyValueMachine(restoring: [golden.bytes]).view.digest == machine.view.digest)
  }

  private func restored(_ records: String, version: UInt8 = 3) -> KeyValueMachine? {
    var writer = ByteWriter()
    writer.write(version)
    for number in [9, -1, 1000, 0, 0] as [Int64] { writer.write(number) }
    writer.write(UInt8(0))
    writer.write(Int64(16))
    writer.write(raw: Golden(records).bytes)
    return try? KeyValueMachine(restoring: [writer.bytes])
  }

  @Test func aSnapshotKeepsThem() throws {
    var generator = Generator(seed: 41)
    var machine = KeyValueMachine(.put("a", "b"), .grant(7), .put("c", "d", lease: 7))
    machine.perform(.access(.addRole("r")))
    for number in 0..<300 { machine.perform(change("name/\(number)", nil, generator.bytes(upTo: 1000))) }
    let blocks = machine.view.blocks
    #expect(blocks.count > 2, "records do not fit into one block")
    var again = try KeyValueMachine(restoring: blocks)
    #expect(again.view.digest == machine.view.digest)
    #expect(again.view.records.all(withPrefix: "").map(\.value) == machine.view.records.all(withPrefix: "").map(\.value))
    #expect(again.perform(change("name/7", nil, [])) == machine.perform(change("name/7", nil, [])))
  }

  @Test(arguments: [
    "07 0100000062 00000000 07 0100000061 00000000 00", "07 0100000061 00000000 07 0100000061 00000000 00", "07 00000000 00000000 00",
    "07 01000000ff 00000000 00", "07 01010000 61*257 00000000 00", "07 0100000061 01400000 00*16385 00",
    "06 0700000000000000 0a00000000000000 0100000000000000 07 0100000061 00000000 00", "10 00 0200000000000000 07 0100000061 00000000 00",
    "01 0300000000000000 0300000000000000 0100000000000000 0100000062 00000000 07 0100000061 00000000 00",
    "03 0300000000000000 0100000061 0100000031 07 0100000061 00000000 00", "07 0100000061 00000000",
  ])
  func aSnapshotThatNoNodeWritesIsRefused(records: String) {
    #expect(restored(records) == nil)
  }

  @Test func whatGoesBeforeIsTaken() {
    #expect(restored("07 0100000061 00000000 07 0100000062 00000000 00") != nil)
    #expect(restored("07 00010000 61*256 00400000 00*16384 00") != nil, "the largest")
    #expect(restored("07 0100000061 00000000 10 00 0200000000000000 00") != nil)
    #expect(restored("07 0100000061 00000000 00", version: 2) == nil, "older formats have none")
    #expect(restored("00", version: 2) != nil)
    var many = KeyValueMachine()
    for number in 0..<Limits.records { many.perform(change("\(number)", nil, [])) }
    #expect((try? KeyValueMachine(restoring: many.view.blocks)) != nil)
  }

  @Test func whatDiffersHasAnotherDigest() {
    let states: [[(String, [UInt8])]] = [
      [], [("a", [])], [("a", [0])], [("a", [0, 0])], [("a", [1])], [("b", [1])], [("ab", [1])], [("a", [1]), ("b", [1])],
      [("a", Array("b".utf8))], [("ab", [])],
    ]
    let digests = states.map { state in
      var machine = KeyValueMachine()
      for (name, value) in state { machine.perform(change(name, nil, value)) }
      return machine.view.digest
    }
    for (index, digest) in digests.enumerated() { #expect(!digests[..<index].contains(digest), "\(states[index])") }
  }
}
