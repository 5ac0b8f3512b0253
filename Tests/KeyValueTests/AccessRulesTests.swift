import ByteCoding
import Replica
import Testing

@testable import KeyValue

/// Which rights each request needs.
@Suite struct AccessRulesTests {
  /// May read a to c and write b to d.
  private static func guarded() -> KeyValueMachine {
    KeyValueMachine.guarded("anna", "bert", roles: ["anna": [.read("a", "c"), .write("b", "d")]])
  }

  private static func compare(_ start: String, _ end: String? = nil) -> Comparison {
    Comparison(range: KeyRange(start, end), relation: .equal, operand: .version(0))
  }

  static let permitted: [Request] = [
    .get("a"), .get("a", "c"), .get("b"), .get("x", "x"), .put("b"), .put("c"), .put("b", previous: true), .delete("b", "d"),
    .delete("b", "c", previous: true), .transaction([compare("a", "c")], then: [.put("c"), .get("a")], else: [.delete("b")]),
    .transaction(then: [.transaction([compare("b")], then: [.put("c")], else: [.get("a", "c")])]), .grant(1), .leases, .lease(5),
    .transaction(),
  ]

  static let denied: [Request] = [
    .get("c"), .get("a", "c\0"), .get("a", "d"), .get("a", "\0"), .get("0", "c"), .put("a"), .put("d"), .put("c", previous: true),
    .put("c", ignoreValue: true), .put(PutRequest(key: k("c"), value: [], ignoreLease: true)), .delete("a"), .delete("a", "d"),
    .delete("b", "d\0"), .delete("b", "\0"), .delete("b", "d", previous: true),
    // A comparison, either branch, and what is inside, though it would not be done.
    .transaction([compare("c")]), .transaction([compare("a"), compare("a", "d")]), .transaction(then: [.put("a")]),
    .transaction(else: [.put("a")]), .transaction(then: [.get("c")]), .transaction(else: [.delete("b", "d", previous: true)]),
    .transaction(then: [.put("c", previous: true)]), .transaction(then: [.transaction([compare("c")])]),
    .transaction(then: [.transaction(else: [.transaction(else: [.get("d")])])]), .compaction(CompactionRequest(revision: 1)),
    .settings(StoreSettings()), .access(.disable), .access(.enable), .access(.addRole("r")),
    .access(.changePassword("anna", verifier: [1])),
    .access(.revokeToken(digest: [UInt8](repeating: 1, count: 32))),
  ]

  private static func error(_ output: KeyValueMachine.Output) -> KeyValueError? {
    if case .failure(let error) = output { error } else { nil }
  }

  @Test(arguments: permitted) func mayBeDone(request: Request) {
    var machine = Self.guarded()
    machine.perform(.put("b", "1"))
    machine.perform(.grant(5))
    #expect(Self.error(machine.view.answer(.onBehalf(of: .user("anna"), request))) == nil)
    #expect(machine.perform(request, for: .user("anna")) == Self.guarded().performing(.put("b", "1"), .grant(5), request))
    // Only who is known, and has the role.
    #expect(Self.error(machine.perform(request, for: .nobody)) == .access(.userNameEmpty))
    #expect(Self.error(machine.perform(request, for: .user("x"))) == .access(.permissionDenied))
  }

  @Test(arguments: denied) func mayNotBeDone(request: Request) {
    var machine = Self.guarded()
    machine.perform(.put("b", "1"))
    let before = machine.view.digest
    #expect(Self.error(machine.perform(request, for: .user("anna"))) == .access(.permissionDenied))
    #expect(Self.error(machine.view.answer(.onBehalf(of: .user("anna"), request))) == .access(.permissionDenied))
    #expect(Self.error(machine.perform(request, for: .user("bert"))) == .access(.permissionDenied))
    #expect(Self.error(machine.perform(request, for: .nobody)) == .access(.userNameEmpty))
    #expect(machine.view.digest == before)
    // With authentication off it may be.
    machine.change(.disable)
    #expect(Self.error(machine.view.answer(.onBehalf(of: .nobody, request))) != .access(.userNameEmpty))
    #expect(Self.error(machine.view.answer(.onBehalf(of: .user("anna"), request))) != .access(.permissionDenied))
  }

  /// What lets a lease's keys go needs to be allowed for each of them, wherever it stands.
  @Test func aLeaseIsItsKeys() {
    var machine = Self.guarded()
    for id in [1, 2, 3, 4] as [LeaseID] { machine.perform(.grant(id)) }
    for (key, lease) in [("b", 1), ("c", 1), ("b1", 2), ("x", 2), ("a", 3), ("b2", 3), ("b3", 4)] as [(String, Int64)] {
      machine.perform(.put(key, lease: lease))
    }
    func error(_ request: Request) -> KeyValueError? { Self.error(machine.view.answer(.onBehalf(of: .user("anna"), request))) }
    for (lease, mayWrite, mayRead) in [(1, true, false), (2, false, false), (3, false, true), (4, true, true)] as [(Int64, Bool, Bool)] {
      let ofWriting: KeyValueError? = mayWrite ? nil : .access(.permissionDenied)
      #expect(error(.leaseRevoke(lease)) == ofWriting)
      #expect(error(.put("bb", lease: lease)) == ofWriting)
      #expect(error(.transaction(else: [.put("bb", lease: lease)])) == ofWriting)
      #expect(error(.lease(lease)) == (mayRead ? nil : .access(.permissionDenied)))
    }
    #expect(error(.leaseRevoke(9)) == .leaseNotFound)
    #expect(error(.put("bb", lease: 9)) == .leaseNotFound)
  }

  /// As many steps as intervals, not as keys; and a bound on those.
  @Test func manyKeysOfALeaseAreFewSteps() {
    var machine = KeyValueMachine.guarded("anna", "bert", roles: ["anna": [], "bert": [.write("k", "l")]])
    machine.state.access.accounts.roles[0].permissions = (0..<1000).map { .readWrite("k\($0)-", "k\($0).") }
    machine.state.access.accounts.renewRights(changed: "anna")
    machine.perform(.grant(1))
    for number in 0..<1000 { machine.perform(.put("k\(number)-", lease: 1)) }
    let puts = (0..<101).map { Request.put("k1-\($0)", lease: 1) }
    func error(_ count: Int, _ user: AccessName) -> KeyValueError? {
      Self.error(machine.view.answer(.onBehalf(of: .user(user), .transaction(then: Array(puts.prefix(count))))))
    }
    #expect(error(100, "anna") == nil)
    #expect(error(101, "anna") == .tooCostly)
    #expect(error(101, "bert") == nil)
  }

  @Test func operatorAndAdministratorMayDoEverything() {
    for request in Self.permitted + Self.denied {
      for subject in [Subject.operator, .user(.root)] {
        let machine = Self.guarded()
        let error = Self.error(machine.view.answer(.onBehalf(of: subject, request)))
        if case .access(let error)? = error { #expect(error == .permissionDenied && subject != .operator && Self.isOfToken(request)) }
      }
    }
  }

  private static func isOfToken(_ request: Request) -> Bool {
    if case .access(.revokeToken) = request { true } else { false }
  }

  /// What the state says when a command is applied counts, within a batch too.
  @Test func rightsAreThoseOfTheMoment() {
    var machine = Self.guarded()
    let requests: [Request] = [
      .onBehalf(of: .user("anna"), .put("b")), .access(.revokeRole("anna", fromUser: "anna")), .onBehalf(of: .user("anna"), .put("b")),
      .access(.grantRole("anna", toUser: "bert")), .onBehalf(of: .user("bert"), .put("b")),
      .access(.revokePermission(KeyRange("b", "d"), fromRole: "anna")), .onBehalf(of: .user("bert"), .put("b")),
      .onBehalf(of: .user("bert"), .get("b")), .access(.deleteUser("bert")), .onBehalf(of: .user("bert"), .get("b")),
    ]
    let outputs = machine.apply(requests.map { Command(index: 1, term: 1, payload: $0.encoded()[...]) })
    #expect(outputs.map { Self.error($0) == nil } == [true, true, false, true, true, true, false, true, true, false])
  }

  /// Several roles together, and permissions that touch.
  @Test func permissionsAddUp() {
    var machine = KeyValueMachine.guarded(
      "anna", roles: ["anna": [.read("a", "b"), .read("c", "e")], "more": [.read("b"), .read("b\0", "c")]])
    #expect(!machine.view.access.mayRead(KeyRange("a", "e"), .user("anna")))
    machine.change(.grantRole("more", toUser: "anna"))
    #expect(machine.view.access.mayRead(KeyRange("a", "e"), .user("anna")))
    #expect(!machine.view.access.mayRead(KeyRange("a", "e\0"), .user("anna")))
    machine.change(.revokePermission(KeyRange("b"), fromRole: "more"))
    #expect(!machine.view.access.mayRead(KeyRange("a", "e"), .user("anna")))
  }

  @Test func whatIsWrongWithARequestIsToldFirst() {
    var machine = Self.guarded()
    #expect(Self.error(machine.perform(.put(""), for: .user("anna"))) == .emptyKey)
    #expect(Self.error(machine.perform(.transaction(then: [.put("x"), .put("x")]), for: .user("anna"))) == .duplicateKey)
    #expect(Self.error(machine.view.answer(.onBehalf(of: .operator, .leaseExpiry(1, grant: 1)))) == .leaderOnly)
  }

  // MARK: On behalf of somebody

  @Test func isNeverNested() {
    let nested = Request.onBehalf(of: .nobody, .onBehalf(of: .operator, .put("a")))
    #expect(throws: KeyValueError.notInTransaction) { try nested.validate() }
    #expect(throws: MalformedBytes.self) { try Request(decoding: nested.encoded()[...]) }
    #expect(throws: MalformedBytes.self) {
      try Request(decoding: Request.transaction(then: [.onBehalf(of: .operator, .put("a"))]).encoded()[...])
    }
    #expect(throws: MalformedBytes.self) { try Request(decoding: Request.transaction(then: [.access(.enable)]).encoded()[...]) }
    #expect(throws: MalformedBytes.self) {
      try Request(decoding: Request.onBehalf(of: .operator, .leaseExpiry(1, grant: 1)).encoded()[...])
    }
    #expect(throws: KeyValueError.leaderOnly) { try Request.onBehalf(of: .operator, .leaseExpiry(1, grant: 1)).validate() }
    for isOn in [false, true] {
      let machine = isOn ? Self.guarded() : KeyValueMachine()
      #expect(Self.error(machine.view.answer(nested)) != nil)
      #expect(Self.error(machine.view.answer(.transaction(then: [.onBehalf(of: .operator, .put("a"))]))) == .notInTransaction)
      #expect(Self.error(machine.view.answer(.transaction(then: [.access(.enable)]))) == .notInTransaction)
    }
  }

  @Test func isSeenThrough() {
    let put = Request.put("a", previous: true)
    #expect(Request.onBehalf(of: .nobody, put).unwrapped == put && put.unwrapped == put)
    #expect(Request.onBehalf(of: .nobody, .get("a")).isReadOnly && !Request.onBehalf(of: .nobody, put).isReadOnly)
    #expect(Request.onBehalf(of: .nobody, put).mayReturnPairs && !Request.access(.enable).mayReturnPairs)
    #expect(!Request.access(.enable).isReadOnly)
    let large = Request.put(PutRequest(key: [1], value: [UInt8](repeating: 0, count: Limits.requestBytes - 12)))
    #expect(throws: Never.self) { try large.validate() }
    #expect(throws: KeyValueError.tooLarge) { try Request.onBehalf(of: .nobody, large).validate() }
  }

  @Test func aLeaseIsCountedForWhoeverItIsGrantedFor() {
    var machine = Self.guarded()
    _ = machine.lead(1, now: .zero)
    machine.perform(.grant(7, seconds: 5), for: .user("anna"))
    _ = machine.lead(1, now: .zero)
    let answer = machine.answer(LeaseQuestion.remaining(7).encoded()[...], askedAt: .zero, now: .zero)
    #expect((try? LeaseAnswer(decoding: answer[...])) == .lease(remaining: 5, granted: 5))
  }
}

extension KeyValueMachine {
  /// What the last of them answers.
  fileprivate func performing(_ requests: Request...) -> Output? {
    var copy = self
    return requests.map { copy.perform($0) }.last
  }
}
