import Replica
import Testing

@testable import KeyValue
@testable import Simulation

/// The rules of access against a model that knows no intervals, and against every key of a small space.
@Suite struct AccessModelTests {
  /// All keys of up to two bytes of four letters, what comes right after each, and after all that begin with it: wherever a range of such
  /// bounds lacks something, it lacks one of these.
  private static let keys: [Key] = {
    let letters: [UInt8] = [0, 97, 98, 255]
    let short = letters.map { [$0] } + letters.flatMap { first in letters.map { [first, $0] } }
    let ends = Set(short.compactMap { KeyRange(prefix: $0).end }).subtracting(short)
    return short + short.filter { $0.count == 2 }.map { $0 + [0] } + ends.sorted { $0.lexicographicallyPrecedes($1) }
  }()

  private static func mask(_ range: KeyRange) -> UInt64 {
    keys.enumerated().reduce(0) { NaiveAccess.is($1.element, in: range) ? $0 | 1 << UInt64($1.offset) : $0 }
  }

  private struct Trial {
    var generator: Generator
    var machine = KeyValueMachine()
    var model = NaiveStore()
    var masks: [KeyRange: UInt64] = [:]
    /// Which keys each user may read.
    var readable: [AccessName: UInt64] = [:]
    var (permitted, denied) = (0, 0)
    var errors: [String: Int] = [:]

    init(seed: UInt64) {
      generator = Generator(seed: seed)
      let begin: [AccessRequest] = [.addUser(.root, verifier: [1]), .grantRole(.root, toUser: .root), .enable]
      for request in begin { _ = both(.access(request)) }
    }

    mutating func both(_ request: Request) -> String? {
      let command = Command(index: 1, term: 1, payload: request.encoded()[...])
      let output = machine.apply([command])[0]
      if case .failure(let error) = output { errors["\(error)", default: 0] += 1 }
      return model.apply(command, answered: output)
    }

    mutating func mask(_ range: KeyRange) -> UInt64 {
      if let known = masks[range] { return known }
      let mask = AccessModelTests.mask(range)
      masks[range] = mask
      return mask
    }

    mutating func change() -> String? {
      let request = Request.access(generator.accessRequest(machine.view.access))
      if let text = both(generator.chance(20) ? .onBehalf(of: generator.subject(), request) : request) { return text }
      // Mostly it is on.
      if !machine.view.access.isEnabled, generator.chance(70), let text = both(.access(.enable)) { return text }
      readable = [:]
      for (name, user) in model.access.userTable {
        var all: UInt64 = 0
        for role in user.roles {
          for permission in model.access.roleTable[role] ?? [] where permission.kind != .write { all |= mask(permission.range) }
        }
        readable[name] = user.roles.contains(.root) ? .max : all
      }
      return model.access.difference(in: machine.view.access)
    }

    /// Looked up by the store, by the model, and if it is a range for each key.
    mutating func look() -> String? {
      let (request, subject) = (generator.accessibleRequest(), generator.subject())
      var expected: KeyValueError?
      do throws(KeyValueError) { try model.access.check(request, for: subject, in: model) } catch { expected = error }
      var found: KeyValueError?
      do throws(KeyValueError) { try machine.view.check(request, for: subject) } catch { found = error }
      if found == nil { permitted += 1 } else { denied += 1 }
      guard found == expected else { return "\(subject): \(request): \(String(describing: found)), not \(String(describing: expected))" }
      if case .range(let range) = request, case .user(let name) = subject, machine.view.access.isEnabled {
        let mask = mask(range.range)
        let isReadable = readable[name].map { $0 & mask == mask } ?? false
        guard machine.view.access.mayRead(range.range, subject) == isReadable else {
          return "\(subject): \(range.range): not \(isReadable)"
        }
      }
      return nil
    }
  }

  /// A hundred thousand cases in all.
  @Test(arguments: 1...10 as ClosedRange<UInt64>) func agreesWithTheModelAndWithEveryKey(seed: UInt64) {
    var trial = Trial(seed: seed)
    for number in 0..<10_000 {
      let text =
        switch number % 40 {
        case 0, 1: trial.change()
        case 2: trial.both(.onBehalf(of: trial.generator.subject(), trial.generator.accessibleRequest()))
        default: trial.look()
        }
      if let text {
        Issue.record("case \(number): \(text)")
        return
      }
    }
    #expect(trial.model.difference(in: trial.machine.view) == nil)
    #expect(trial.permitted > 1500 && trial.denied > 1500, "\(trial.permitted) \(trial.denied)")
    for error in [AccessError.permissionDenied, .userNotFound, .invalidManagement, .permissionNotGranted, .userExists] {
      #expect(trial.errors["\(KeyValueError.access(error))"] ?? 0 > 0, "\(error)")
    }
  }

  @Test func aSnapshotHasAllOfIt() throws {
    var trial = Trial(seed: 77)
    for _ in 0..<3 {
      var count = 0
      while count < 150 || count < 10_000 && trial.machine.view.access.tokenCount == 0 {
        #expect(trial.change() == nil)
        count += 1
      }
      let restored = try KeyValueMachine(restoring: trial.machine.view.blocks)
      #expect(restored.view.digest == trial.machine.view.digest)
      #expect(trial.model.difference(in: restored.view) == nil)
      trial.machine = restored
      for _ in 0..<300 { #expect(trial.look() == nil) }
    }
    #expect(trial.machine.view.access.tokenCount > 0)
    trial.machine.change(.disable)
    #expect(trial.machine.view.access.tokenCount == 0)
  }

  /// Each way in which users and roles can differ is another fingerprint, and a difference that the model names.
  @Test func namesAnotherAccess() {
    let token = TokenGrant(user: "anna", digest: [UInt8](repeating: 7, count: 32), issuedAt: 9, passwordRevision: 5)
    let changes: [AccessRequest] = [
      .addUser(.root, verifier: [1]), .grantRole(.root, toUser: .root), .addRole("r"), .addUser("anna", verifier: [2]),
      .grantRole("r", toUser: "anna"), .grantPermission(.read("a", "b"), toRole: "r"), .enable, .issueToken(token),
    ]
    var model = NaiveStore()
    var machine = KeyValueMachine()
    for change in changes {
      let request = Request.access(change)
      _ = model.perform(request, size: request.encodedCount)
      machine.perform(request)
    }
    #expect(machine.view.access.user("anna")?.passwordRevision == 5)
    #expect(model.difference(in: machine.view) == nil)
    var digests: Set<UInt64> = [machine.view.digest]
    let others: [AccessRequest] = [
      .addUser("x", verifier: nil), .changePassword("anna", verifier: [3]), .revokeRole("r", fromUser: "anna"), .addRole("s"),
      .grantPermission(.write("a", "b"), toRole: "r"), .grantPermission(.read("a", "c"), toRole: "r"), .disable,
      .revokeToken(digest: token.digest), .deleteUser("anna"), .deleteRole("r"), .revokePermission(KeyRange("a", "b"), fromRole: "r"),
    ]
    for other in others {
      var another = machine
      #expect(another.change(other).allSatisfy { $0 == .success(Response(revision: 1, result: .done)) })
      // What is the same but for that.
      another.state.access.revision = machine.state.access.revision
      #expect(model.difference(in: another.view) != nil, "\(other)")
      #expect(digests.insert(another.view.digest).inserted, "\(other)")
    }
  }
}
