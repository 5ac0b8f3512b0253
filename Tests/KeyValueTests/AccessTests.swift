import Replica
import Testing

@testable import KeyValue

/// Users, roles and sessions, as etcd has them.
@Suite struct AccessTests {
  private static func error(_ output: KeyValueMachine.Output) -> AccessError? {
    if case .failure(.access(let error)) = output { error } else { nil }
  }

  private static func isDone(_ output: KeyValueMachine.Output) -> Bool { (try? output.get()) != nil }

  @Test func isOffAtFirstAndEverybodyMayDoEverything() {
    var machine = KeyValueMachine()
    #expect(machine.view.access.stamp == AccessStamp(revision: 1, isEnabled: false))
    #expect(Self.isDone(machine.perform(.put("a"), for: .nobody)))
    #expect(Self.isDone(machine.perform(.access(.addUser("anna", verifier: nil)), for: .user("who"))))
    #expect(machine.view.access.isAdministrator(.nobody) && machine.view.access.mayRead(.all, .nobody))
    #expect(machine.view.revision == 2 && machine.view.access.revision == 2)
  }

  @Test func cannotBeTurnedOnWithoutAnAdministrator() {
    var machine = KeyValueMachine()
    #expect(Self.error(machine.perform(.access(.enable), for: .operator)) == .rootUserMissing)
    machine.change(.addUser(.root, verifier: nil))
    #expect(Self.error(machine.perform(.access(.enable), for: .operator)) == .rootRoleMissing)
    machine.change(.grantRole(.root, toUser: .root))
    for subject in [Subject.nobody, .user(.root)] {
      #expect(Self.error(machine.perform(.access(.enable), for: subject)) == .rootPasswordMissing)
    }
    var other = machine
    #expect(Self.isDone(other.perform(.access(.enable), for: .operator)))
    other = machine
    #expect(Self.isDone(other.change(.enable)[0]))
    machine.change(.changePassword(.root, verifier: [1]))
    #expect(Self.isDone(machine.perform(.access(.enable), for: .nobody)))
    #expect(machine.view.access.stamp == AccessStamp(revision: 4, isEnabled: true))
    // Again it does nothing.
    #expect(Self.isDone(machine.perform(.access(.enable), for: .user(.root))))
    #expect(machine.view.access.revision == 4)
  }

  @Test func theLastAdministratorStays() {
    var machine = KeyValueMachine.guarded("anna")
    machine.change(.addRole(.root))
    for request in [AccessRequest.deleteUser(.root), .revokeRole(.root, fromUser: .root), .deleteRole(.root)] {
      #expect(Self.error(machine.perform(.access(request), for: .operator)) == .invalidManagement)
    }
    machine.change(.grantRole(.root, toUser: "anna"))
    #expect(Self.isDone(machine.perform(.access(.revokeRole(.root, fromUser: "anna")), for: .user("anna"))))
    #expect(Self.error(machine.perform(.access(.disable), for: .user("anna"))) == .permissionDenied)
    #expect(Self.isDone(machine.perform(.access(.disable), for: .user(.root))))
    #expect(Self.isDone(machine.change(.deleteRole(.root))[0]))
    #expect(machine.view.access.user(.root)?.roles == [])
    #expect(Self.isDone(machine.change(.deleteUser(.root))[0]))
  }

  static let refused: [(AccessRequest, AccessError)] = [
    (.addUser("", verifier: [1]), .userNameEmpty), (.addRole(""), .roleNameEmpty), (.addUser("anna", verifier: [1]), .userExists),
    (.addRole("anna"), .roleExists), (.deleteUser("x"), .userNotFound), (.changePassword("x", verifier: [1]), .userNotFound),
    (.grantRole("anna", toUser: "x"), .userNotFound), (.grantRole("x", toUser: "anna"), .roleNotFound),
    (.revokeRole("x", fromUser: "anna"), .roleNotGranted), (.revokeRole("anna", fromUser: "x"), .userNotFound),
    (.deleteRole("x"), .roleNotFound), (.grantPermission(.read("a"), toRole: "x"), .roleNotFound),
    (.grantPermission(Permission(.read, KeyRange(start: [], end: [0])), toRole: "anna"), .invalidManagement),
    (.grantPermission(.read("b", "b"), toRole: "anna"), .invalidManagement),
    (.grantPermission(.read("b", "a"), toRole: "anna"), .invalidManagement),
    (.grantPermission(.read(String(repeating: "b", count: 4097)), toRole: "anna"), .permissionTooLong),
    (.revokePermission(KeyRange("a", "b"), fromRole: "anna"), .permissionNotGranted),
    (.revokePermission(KeyRange("a"), fromRole: "x"), .roleNotFound),
    (.addUser(AccessName(String(repeating: "n", count: 257)), verifier: nil), .nameTooLong),
    (.addRole(AccessName(String(repeating: "n", count: 257))), .nameTooLong), (.addUser("x", verifier: []), .verifierSize),
    (.changePassword("anna", verifier: [UInt8](repeating: 1, count: 1025)), .verifierSize),
    (.issueToken(TokenGrant(user: "x", digest: digest(1), issuedAt: 0, passwordRevision: 1)), .authenticationFailed),
    (.issueToken(TokenGrant(user: "anna", digest: [1], issuedAt: 0, passwordRevision: 1)), .invalidToken),
    (.issueToken(TokenGrant(user: "anna", digest: digest(1), issuedAt: -1, passwordRevision: 1)), .invalidToken),
    (.revokeToken(digest: [1]), .invalidToken),
  ]

  private static func digest(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 32) }

  @Test(arguments: refused) func whatIsRefusedChangesNothing(request: AccessRequest, error: AccessError) {
    var machine = KeyValueMachine.guarded("anna", roles: ["anna": [.read("a")]])
    let before = machine.view.digest
    #expect(Self.error(machine.perform(.access(request), for: .operator)) == error)
    #expect(Self.error(machine.change(request)[0]) == error)
    #expect(machine.view.digest == before)
  }

  @Test func eachChangeAddsOneToTheRevision() {
    var machine = KeyValueMachine.guarded("anna", roles: ["anna": [.read("a")]])
    var revision = machine.view.access.revision
    let changing: [AccessRequest] = [
      .addUser("x", verifier: nil), .addRole("r"), .grantPermission(.read("a"), toRole: "r"), .grantPermission(.write("a"), toRole: "r"),
      .grantRole("r", toUser: "x"), .revokePermission(KeyRange("a"), fromRole: "r"), .revokeRole("r", fromUser: "x"),
      .changePassword("x", verifier: [1]), .deleteRole("r"), .deleteUser("x"), .disable,
    ]
    for request in changing {
      #expect(Self.isDone(machine.change(request)[0]))
      revision += 1
      #expect(machine.view.access.revision == revision, "\(request)")
    }
    for request in [AccessRequest.disable, .grantRole("anna", toUser: "anna"), .enable, .revokeToken(digest: Self.digest(1))] {
      #expect(Self.isDone(machine.change(request)[0]))
      #expect(machine.view.access.revision == revision, "\(request)")
    }
    #expect(machine.view.revision == 1)
  }

  /// One range has one permission, and a role is gone from all who had it.
  @Test func permissionsOfARole() throws {
    var machine = KeyValueMachine.guarded("anna", roles: ["anna": [.read("b"), .read("a", "c"), .write("a")]])
    machine.change(.grantPermission(.readWrite("a", "c"), toRole: "anna"))
    let access = machine.view.access
    #expect(try access.permissions(of: "anna", for: .operator) == [.write("a"), .readWrite("a", "c"), .read("b")])
    #expect(throws: AccessError.roleNotFound) { try access.permissions(of: .root, for: .operator) }
    machine.change(.deleteRole("anna"))
    #expect(machine.view.access.user("anna")?.roles == [])
    #expect(Self.error(machine.perform(.get("a"), for: .user("anna"))) == .permissionDenied)
  }

  @Test func oneKnowsOneself() throws {
    var machine = KeyValueMachine.guarded("anna", "bert", roles: ["anna": [.read("a")]])
    machine.change(.addRole(.root))
    let access = machine.view.access
    #expect(try access.roles(of: "anna", for: .user("anna")) == ["anna"])
    #expect(try access.permissions(of: "anna", for: .user("anna")) == [.read("a")])
    #expect(throws: AccessError.permissionDenied) { try access.roles(of: "bert", for: .user("anna")) }
    #expect(throws: AccessError.permissionDenied) { try access.permissions(of: "anna", for: .user("bert")) }
    #expect(throws: AccessError.permissionDenied) { try access.userNames(for: .user("anna")) }
    #expect(throws: AccessError.permissionDenied) { try access.roleNames(for: .user("anna")) }
    #expect(throws: AccessError.permissionDenied) { try access.status(for: .user("anna")) }
    #expect(throws: AccessError.userNameEmpty) { try access.userNames(for: .nobody) }
    #expect(throws: AccessError.userNotFound) { try access.userNames(for: .user("x")) }
    #expect(throws: AccessError.userNotFound) { try access.roles(of: "x", for: .user(.root)) }
    #expect(throws: AccessError.roleNotFound) { try access.permissions(of: "x", for: .user(.root)) }
    #expect(try access.permissions(of: .root, for: .user(.root)) == [Permission(.readWrite, .all)])
    #expect(try access.userNames(for: .user(.root)) == ["anna", "bert", "root"])
    #expect(try access.roleNames(for: .operator) == ["anna", "root"])
  }

  // MARK: Sessions

  private static func issue(_ machine: inout KeyValueMachine, _ user: AccessName, _ digest: [UInt8], at time: Int64) -> AccessError? {
    let revision = machine.view.access.user(user)?.passwordRevision ?? 0
    return error(
      machine.change(.issueToken(TokenGrant(user: user, digest: digest, issuedAt: time, passwordRevision: revision)))[0])
  }

  @Test func aTokenIsGoodForItsAge() throws {
    var machine = KeyValueMachine.guarded("anna")
    #expect(Self.issue(&machine, "anna", Self.digest(1), at: 100_000) == nil)
    for now in [100_000 - Limits.tokenSeconds, 100_000, 100_000 + Limits.tokenSeconds] {
      #expect(try machine.view.access.user(ofToken: Self.digest(1), now: now) == "anna")
    }
    for now in [.min, -1, 100_000 - Limits.tokenSeconds - 1, 100_001 + Limits.tokenSeconds, .max] {
      #expect(throws: AccessError.invalidToken) { try machine.view.access.user(ofToken: Self.digest(1), now: now) }
    }
    #expect(throws: AccessError.invalidToken) { try machine.view.access.user(ofToken: Self.digest(2), now: 100_000) }
    machine.change(.revokeToken(digest: Self.digest(1)))
    #expect(throws: AccessError.invalidToken) { try machine.view.access.user(ofToken: Self.digest(1), now: 100_000) }
  }

  /// A clock that was years wrong shuts nobody out for longer than it is.
  @Test func whatIsTooOldGoesWithTheNextToken() {
    var machine = KeyValueMachine.guarded("anna")
    for (number, time) in [(1, 0), (2, 1), (3, Limits.tokenSeconds), (4, 1 << 62)] as [(UInt8, Int64)] {
      #expect(Self.issue(&machine, "anna", Self.digest(number), at: time) == nil)
    }
    #expect(machine.view.access.tokenCount == 1)
    #expect(Self.issue(&machine, "anna", Self.digest(5), at: Limits.tokenSeconds + 1) == nil)
    #expect(machine.view.access.tokenCount == 1)
    #expect(Self.issue(&machine, "anna", Self.digest(6), at: 1) == nil)
    #expect(machine.view.access.tokenCount == 2)
  }

  @Test func sessionsEndWithThePasswordTheUserAndAuthentication() {
    for request in [AccessRequest.changePassword("anna", verifier: [9]), .deleteUser("anna"), .disable] {
      var machine = KeyValueMachine.guarded("anna", "annabel")
      #expect(Self.issue(&machine, "anna", Self.digest(1), at: 5) == nil)
      #expect(Self.issue(&machine, "annabel", Self.digest(2), at: 5) == nil)
      machine.change(request)
      #expect(throws: AccessError.invalidToken) { try machine.view.access.user(ofToken: Self.digest(1), now: 5) }
      #expect(machine.view.access.tokenCount == (request == .disable ? 0 : 1))
    }
  }

  @Test func aPasswordThatWasChangedMeanwhileDoesNotLogIn() throws {
    var machine = KeyValueMachine.guarded("anna")
    let judged = try #require(machine.view.access.user("anna")?.passwordRevision)
    let login = AccessRequest.issueToken(TokenGrant(user: "anna", digest: Self.digest(1), issuedAt: 5, passwordRevision: judged))
    // Other changes do not matter.
    machine.change(.addRole("r"))
    #expect(Self.isDone(machine.change(login)[0]))
    machine.change(.changePassword("anna", verifier: [2]))
    #expect(Self.error(machine.change(login)[0]) == .authenticationFailed)
    // Somebody else by this name.
    machine.change(.deleteUser("anna"), .addUser("anna", verifier: [2]))
    #expect(Self.error(machine.change(login)[0]) == .authenticationFailed)
    machine.change(.addUser("carl", verifier: nil))
    #expect(Self.issue(&machine, "carl", Self.digest(2), at: 5) == .authenticationFailed)
    #expect(Self.error(machine.perform(.access(login), for: .user(.root))) == .permissionDenied)
    #expect(Self.error(machine.perform(.access(login), for: .nobody)) == .userNameEmpty)
    machine.change(.disable)
    #expect(Self.issue(&machine, "anna", Self.digest(2), at: 5) == .notEnabled)
  }

  // MARK: Bounds

  @Test func tokensAreBounded() {
    var machine = KeyValueMachine.guarded("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k")
    func digest(_ number: Int) -> [UInt8] { (0..<32).map { UInt8(truncatingIfNeeded: number >> ($0 % 4 * 8)) } }
    for number in 0...Limits.tokensOfUser { #expect(Self.issue(&machine, "a", digest(number), at: Int64(number)) == nil) }
    #expect(machine.view.access.tokenCount == Limits.tokensOfUser)
    #expect(throws: AccessError.invalidToken) { try machine.view.access.user(ofToken: digest(0), now: 0) }
    for (place, user) in (["b", "c", "d", "e", "f", "g", "h", "i", "j", "k"] as [AccessName]).enumerated() {
      for number in 0..<Limits.tokensOfUser { _ = Self.issue(&machine, user, digest((place + 2) * 10_000 + number), at: 5000) }
    }
    #expect(machine.view.access.tokenCount == Limits.tokens)
    // Those of the first were the oldest.
    #expect((1...Limits.tokensOfUser).allSatisfy { (try? machine.view.access.user(ofToken: digest($0), now: 0)) == nil })
  }

  @Test func usersRolesAndPermissionsAreBounded() {
    var accounts = Accounts()
    func error(_ body: () throws(AccessError) -> Void) -> AccessError? {
      do throws(AccessError) { try body() } catch { return error }
      return nil
    }
    for number in 0..<Limits.users { try? accounts.add(AccessUser(name: AccessName("\(number)"), verifier: nil, passwordRevision: 1)) }
    let user = AccessUser(name: "x", verifier: nil, passwordRevision: 1)
    #expect(error { () throws(AccessError) in try accounts.add(user) } == .tooMany(.users, limit: Limits.users))
    for number in 0..<Limits.roles { try? accounts.add(AccessRole(name: AccessName("\(number)"))) }
    #expect(error { () throws(AccessError) in try accounts.add(AccessRole(name: "x")) } == .tooMany(.roles, limit: Limits.roles))
    for number in 0..<Limits.rolesOfUser { _ = try? accounts.grant(AccessName("\(number)"), to: "0") }
    let tooMany = error { () throws(AccessError) in _ = try accounts.grant(AccessName("999"), to: "0") }
    #expect(tooMany == .tooMany(.rolesOfUser, limit: Limits.rolesOfUser))
  }

  @Test func permissionsAreBounded() {
    var accounts = Accounts()
    func grant(_ number: Int, to role: AccessName) -> AccessError? {
      do throws(AccessError) { try accounts.grant(Permission(.read, KeyRange("\(number)")), to: role) } catch { return error }
      return nil
    }
    for role in 0..<11 { try? accounts.add(AccessRole(name: AccessName("\(role)"))) }
    for number in 0..<Limits.permissionsOfRole { #expect(grant(number, to: "0") == nil) }
    #expect(grant(-1, to: "0") == .tooMany(.permissionsOfRole, limit: Limits.permissionsOfRole))
    // What is there already is replaced.
    #expect(grant(0, to: "0") == nil)
    for role in 1..<10 {
      let ranges = (0..<Limits.permissionsOfRole).map { Permission(.read, KeyRange("\($0)")) }
      accounts.roles[accounts.roles.place(of: AccessName("\(role)")).index].permissions = ranges
    }
    #expect(grant(1, to: "10") == .tooMany(.permissions, limit: Limits.permissions))
    // All ten roles of a user are ten thousand; with the twenty-first it is too much, and taking away goes on.
    for user in 0..<21 { try? accounts.add(AccessUser(name: AccessName("u\(user)"), verifier: nil, passwordRevision: 1)) }
    for user in 0..<20 {
      accounts.users[accounts.users.place(of: AccessName("u\(user)")).index].roles = (0..<10).map { AccessName("\($0)") }
    }
    var copy = accounts
    #expect(throws: AccessError.tooMany(.permissionsInForce, limit: Limits.permissionsInForce)) { _ = try copy.grant("0", to: "u20") }
    #expect(throws: Never.self) { try accounts.revoke("3", from: "u7") }
    #expect(accounts.users[accounts.users.place(of: "u7").index].rights.roles.count == 9)
  }
}
