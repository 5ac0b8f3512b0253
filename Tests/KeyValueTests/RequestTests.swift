import ByteCoding
import Testing

@testable import KeyValue

@Suite struct RequestCodingTests {
  @Test func decodesWhatWasEncoded() throws {
    var generator = Generator(seed: 11)
    for _ in 0..<3000 {
      let request = generator.request()
      let bytes = request.encoded()
      #expect(bytes.count == request.encodedCount)
      #expect(try Request(decoding: bytes[...]) == request)
      #expect(try Request(decoding: ([1, 2] + bytes)[2...]) == request)
    }
  }

  /// One encoding for each request: what can be decoded at all encodes to the same bytes again.
  @Test func hostileBytesAreRefusedOrMeanWhatTheySay() {
    var generator = Generator(seed: 12)
    var machine = KeyValueMachine()
    var refused = 0
    for _ in 0..<5000 {
      var bytes = generator.request().encoded()
      switch generator.below(4) {
      case 0: bytes.removeLast(1 + generator.below(bytes.count))
      case 1: bytes += generator.bytes(count: 1 + generator.below(4))
      case 2: for _ in 0..<3 { bytes[generator.below(bytes.count)] = UInt8(truncatingIfNeeded: generator.next()) }
      default: bytes[generator.below(bytes.count)] ^= 1 << UInt8(generator.below(8))
      }
      if let request = try? Request(decoding: bytes[...]) {
        #expect(request.encoded() == bytes)
      } else {
        refused += 1
        let digest = machine.view.digest
        guard case .failure(.malformed) = machine.apply(bytes: bytes) else {
          Issue.record("malformed bytes were applied")
          continue
        }
        #expect(machine.view.digest == digest)
      }
      _ = machine.apply(bytes: bytes)
    }
    #expect(refused > 2000)
  }

  @Test func aPutMayHaveALease() throws {
    for lease in [1, -1, .max, .min] as [Int64] {
      let request = Request.put(PutRequest(key: Key("a".utf8), value: [], previous: true, lease: lease))
      let bytes = request.encoded()
      #expect(bytes.count == request.encodedCount)
      #expect(try Request(decoding: bytes[...]) == request)
      #expect(throws: MalformedBytes.self) { try Request(decoding: bytes.dropLast()) }
      #expect(throws: MalformedBytes.self) { try Request(decoding: (bytes.dropLast(8) + [UInt8](repeating: 0, count: 8))[...]) }
    }
  }

  @Test func everyTruncationIsMalformed() {
    let bytes = Request.transaction(
      [Comparison(range: KeyRange("a"), relation: .less, operand: .value([1]))], then: [.put("a", "b"), .get("a", "b")],
      else: [.delete("x")]
    ).encoded()
    for count in 0..<bytes.count { #expect(throws: MalformedBytes.self) { try Request(decoding: bytes[..<count]) } }
    #expect(throws: MalformedBytes.self) { try Request(decoding: (bytes + [0])[...]) }
  }

  @Test func anotherFormatVersionIsMalformed() {
    var bytes = Request.put("a").encoded()
    bytes[0] = 2
    #expect(throws: MalformedBytes("request: format version 2")) { try Request(decoding: bytes[...]) }
  }

  @Test func nestingIsBounded() throws {
    var request = Request.transaction()
    for _ in 1..<Limits.nesting { request = .transaction(then: [request]) }
    #expect(try Request(decoding: request.encoded()[...]) == request)
    #expect(throws: MalformedBytes.self) { try Request(decoding: Request.transaction(then: [request]).encoded()[...]) }
  }
}

@Suite struct RequestValidationTests {
  static let refused: [(Request, KeyValueError)] = [
    (.put(""), .emptyKey),
    (.get(""), .emptyKey),
    (.get("", "x"), .emptyKey),
    (.delete(""), .emptyKey),
    (.transaction(then: [.put("")]), .emptyKey),
    (.transaction(else: [.transaction(then: [.delete("")])]), .emptyKey),
    (.transaction([Comparison(range: KeyRange(""), relation: .equal, operand: .version(0))]), .emptyKey),
    (.put("a", "value", ignoreValue: true), .valueProvided),
    (.transaction(else: [.put("a", "value", ignoreValue: true)]), .valueProvided),
    (.put("", lease: 5), .emptyKey),
    (.put("a", "value", ignoreValue: true, lease: 5), .valueProvided),
    (.transaction(then: [.put("a", lease: 5), .put("a")]), .duplicateKey),
    (.leaseGrant(LeaseGrantRequest(id: 0, timeToLive: 5)), .leaseNotFound),
    (.leaseGrant(LeaseGrantRequest(id: 1, timeToLive: 9_000_000_001)), .leaseTTLTooLarge),
    // A key changed twice.
    (.transaction(then: [.put("a"), .put("a")]), .duplicateKey),
    (.transaction(else: [.put("a"), .put("b"), .put("a")]), .duplicateKey),
    // One of many is found as well as one of few.
    (.transaction(then: (1...12).map { .put("k\($0)") } + [.put("k12")]), .duplicateKey),
    (.transaction(then: (1...12).map { .put("k\($0)") } + [.put("k1")]), .duplicateKey),
    (.transaction(then: [.put("a"), .delete("a")]), .duplicateKey),
    (.transaction(then: [.delete("a"), .put("a")]), .duplicateKey),
    (.transaction(then: [.delete("a", "c"), .put("b")]), .duplicateKey),
    (.transaction(then: [.put("b"), .delete("a", "\0")]), .duplicateKey),
    (.transaction(then: [.put("a"), .transaction(then: [.put("a")])]), .duplicateKey),
    (.transaction(then: [.transaction(else: [.put("a")]), .put("a")]), .duplicateKey),
    (.transaction(then: [.transaction(then: [.put("a")]), .transaction(else: [.put("a")])]), .duplicateKey),
    (.transaction(then: [.transaction(then: [.transaction(then: [.put("a"), .put("a")])])]), .duplicateKey),
    (.transaction(then: [.delete("a", "c"), .transaction(then: [.put("b")])]), .duplicateKey),
    (.transaction(then: [.transaction(then: [.put("b")]), .delete("a", "c")]), .duplicateKey),
    (.transaction(then: [.transaction(then: [.delete("a", "c")]), .put("b")]), .duplicateKey),
    (.transaction(then: [.transaction(then: [.put("b")]), .transaction(then: [.delete("a", "c")])]), .duplicateKey),
  ]

  @Test(arguments: refused)
  func refuses(request: Request, error: KeyValueError) {
    #expect(throws: error) { try request.validate() }
    var machine = KeyValueMachine(.put("a", "1"), .put("b", "2"))
    let digest = machine.view.digest
    #expect(machine.perform(request) == .failure(error))
    #expect(machine.view.digest == digest)
  }

  /// The encoding does not even have it.
  @Test func onlyRangesAndChangesOfKeysStandInATransaction() {
    let alone: [Request] = [
      .compaction(CompactionRequest(revision: 1)), .settings(StoreSettings()), .grant(1), .leaseRevoke(1), .leaseExpiry(1, grant: 0),
      .leaseExpiry(1, grant: 1), .leases, .lease(1),
    ]
    for request in alone {
      for outer in [.transaction(then: [request]), .transaction(then: [.get("a"), .transaction(else: [request])])] as [Request] {
        #expect(throws: KeyValueError.notInTransaction) { try outer.validate() }
        #expect(throws: MalformedBytes.self) { try Request(decoding: outer.encoded()[...]) }
      }
    }
  }

  @Test func refusesWhatIsTooLarge() throws {
    let value = [UInt8](repeating: 0, count: Limits.requestBytes)
    let empty = Request.put(PutRequest(key: [1], value: [])).encodedCount
    try Request.put(PutRequest(key: [1], value: Array(value.dropLast(empty)))).validate()
    let request = Request.put(PutRequest(key: [1], value: Array(value.dropLast(empty - 1))))
    #expect(throws: KeyValueError.tooLarge) { try request.validate() }
    var machine = KeyValueMachine()
    let output = machine.perform(request)
    #expect(output == .failure(.tooLarge))
    let garbage = machine.apply(bytes: value + value)
    #expect(garbage == .failure(.tooLarge))
    #expect(machine.view.revision == 1)
  }

  static let allowed: [Request] = [
    .transaction(then: [.put("a")], else: [.put("a")]),
    .transaction(then: [.transaction(then: [.put("a")], else: [.put("a")])]),
    .transaction(then: [.transaction(then: [.put("a")], else: [.delete("a")])]),
    .transaction(then: [.delete("a"), .delete("a", "c"), .delete("b", "\0")]),
    .transaction(then: [.delete("a", "c"), .put("c"), .put("Z")]),
    .transaction(then: [.get("a"), .put("a"), .get("a"), .get("a", "\0")]),
    .transaction(),
  ]

  @Test(arguments: allowed)
  func allows(request: Request) throws {
    try request.validate()
    var machine = KeyValueMachine()
    #expect(throws: Never.self) { try machine.perform(request).get() }
  }

  @Test func operationsAreLimitedAsInEtcd() throws {
    func puts(_ count: Int, _ letter: String = "k") -> [Request] { (0..<count).map { .put("\(letter)\($0)") } }
    try Request.transaction(then: puts(128), else: puts(128)).validate()
    #expect(throws: KeyValueError.tooManyOperations) { try Request.transaction(then: puts(129)).validate() }
    #expect(throws: KeyValueError.tooManyOperations) { try Request.transaction(else: puts(129)).validate() }
    let comparisons = [Comparison](repeating: Comparison(range: .all, relation: .equal, operand: .version(0)), count: 129)
    #expect(throws: KeyValueError.tooManyOperations) { try Request.transaction(comparisons).validate() }
    // The longest list around counts.
    try Request.transaction(then: [.transaction(then: puts(27))] + puts(100, "x")).validate()
    #expect(throws: KeyValueError.tooManyOperations) {
      try Request.transaction(then: [.transaction(then: puts(28))] + puts(100, "x")).validate()
    }
    // A comb of transactions would multiply.
    let inner = Request.transaction(then: [Request](repeating: .get("a"), count: 64))
    #expect(throws: KeyValueError.tooManyOperations) { try Request.transaction(then: [Request](repeating: inner, count: 64)).validate() }
  }

  @Test func knowsWhatOnlyReads() {
    #expect(Request.get("a").isReadOnly)
    #expect(!Request.put("a").isReadOnly)
    #expect(!Request.delete("a").isReadOnly)
    #expect(Request.transaction(then: [.get("a"), .transaction(else: [.get("b")])]).isReadOnly)
    #expect(!Request.transaction(then: [.get("a"), .transaction(else: [.put("b")])]).isReadOnly)
  }

  @Test func rangesOfPrefixes() {
    #expect(KeyRange(prefix: k("ab")) == KeyRange("ab", "ac"))
    #expect(KeyRange(prefix: [1, 255]) == KeyRange(start: [1, 255], end: [2]))
    #expect(KeyRange(prefix: [255, 255]) == KeyRange(start: [255, 255], end: [0]))
    #expect(KeyRange(prefix: []) == .all)
    #expect(KeyRange(start: [1], end: []) == KeyRange([1]))
  }
}
