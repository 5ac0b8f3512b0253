import ByteCoding
import KeyValue
import Raft
import Replica

/// The key-value store: commands of the log, in batches of a hundred, on 100,000 keys of 16 bytes with values of 100.
enum StateMachineBenchmarks {
  static let all = [
    Benchmark(name: "key-value store, put", operation: "command", operations: 100_000) { commands in
      try apply(commands) { .put(PutRequest(key: key($0), value: value)) }
    },
    Benchmark(name: "key-value store, compare and put", operation: "command", operations: 50_000) { commands in
      try apply(commands) { number in
        let comparison = Comparison(range: KeyRange(key(number)), relation: .greater, operand: .version(0))
        return .transaction(TransactionRequest(comparisons: [comparison], success: [.put(PutRequest(key: key(number), value: value))]))
      }
    },
    Benchmark(name: "key-value store, get", operation: "command", operations: 100_000) { commands in
      try apply(commands) { .range(RangeRequest(range: KeyRange(key($0)))) }
    },
    Benchmark(name: "key-value store, put with a lease", operation: "command", operations: 100_000) { commands in
      try apply(commands) { .put(PutRequest(key: key($0), value: value, lease: LeaseID($0) % leases + 1)) }
    },
    Benchmark(name: "key-value store, put for nobody", operation: "command", operations: 100_000) { commands in
      try apply(commands) { .onBehalf(of: .nobody, .put(PutRequest(key: key($0), value: value))) }
    },
    Benchmark(name: "key-value store, put for a user", operation: "command", operations: 100_000) { commands in
      try apply(commands, to: guarded) { .onBehalf(of: .user("user-500"), .put(PutRequest(key: key($0), value: value))) }
    },
    Benchmark(name: "key-value store, lease kept alive", operation: "question", operations: 200_000) { try keepAlive($0) },
    Benchmark(name: "key-value store, snapshot taken", operation: "pair", operations: 100_000) { _ in try takeSnapshot() },
    Benchmark(name: "key-value store, snapshot restored", operation: "pair", operations: 100_000) { _ in try restoreSnapshot() },
  ]

  private static let keys: UInt64 = 100_000
  private static let leases: LeaseID = 10_000
  private static let value = Value(repeating: 5, count: 100)
  private static let full: KeyValueMachine = {
    var machine = KeyValueMachine()
    for number in 0..<keys { _ = machine.apply([command(.put(PutRequest(key: key(number), value: value)))]) }
    for id in 1...leases { _ = machine.apply([command(.leaseGrant(LeaseGrantRequest(id: id, timeToLive: 10)))]) }
    return machine
  }()

  /// The same with a thousand users, of whom each may write all keys by a hundred permissions.
  private static let guarded: KeyValueMachine = {
    var machine = full
    var requests: [AccessRequest] = [.addUser(.root, verifier: [1]), .grantRole(.root, toUser: .root), .addRole("role")]
    for number in 0..<100 as Range<UInt64> {
      let range = KeyRange(start: key(number * 1000), end: number == 99 ? [0] : Array(key(number * 1000 + 999)) + [0])
      requests.append(.grantPermission(Permission(.readWrite, range), toRole: "role"))
    }
    for number in 0..<1000 {
      requests += [.addUser(AccessName("user-\(number)"), verifier: [1]), .grantRole("role", toUser: AccessName("user-\(number)"))]
    }
    for request in requests + [.enable] { _ = machine.apply([command(.access(request))]) }
    return machine
  }()

  private static func key(_ number: UInt64) -> Key {
    let digits = String(number % keys)
    return Array(("key-" + String(repeating: "0", count: 12 - digits.count) + digits).utf8)
  }

  private static func command(_ request: Request) -> Command { Command(index: 1, term: 1, payload: request.encoded()[...]) }

  private static func apply(
    _ count: Int, to machine: KeyValueMachine = full, _ request: (UInt64) -> Request
  ) throws -> Benchmark.Round {
    var machine = machine
    var random = PseudoRandom(seed: 1)
    let batches = (0..<max(1, count / 100)).map { _ in (0..<100).map { _ in command(request(random.below(keys))) } }
    var succeeded = 0
    let duration = ContinuousClock().measure {
      for batch in batches {
        for case .success in machine.apply(batch) { succeeded += 1 }
      }
    }
    try WrongResult.check(succeeded == batches.count * 100, "\(succeeded) of \(batches.count * 100) commands succeeded")
    return Benchmark.Round(operations: succeeded, duration: duration)
  }

  /// Each of ten thousand leases once a second, with a hundred turns of the leader in each second.
  private static func keepAlive(_ count: Int) throws -> Benchmark.Round {
    var machine = full
    var now = Instant.zero
    for _ in 0..<4 { _ = machine.lead(1, now: now) }
    let questions = (1...leases).map { LeaseQuestion.keepAlive($0).encoded() }
    let expected = LeaseAnswer.lease(remaining: 10, granted: 10).encoded()
    var (kept, expired) = (0, 0)
    let duration = ContinuousClock().measure {
      for number in 0..<count {
        if machine.answer(questions[number % questions.count][...], askedAt: now, now: now) == expected { kept += 1 }
        guard number % 100 == 99 else { continue }
        now = now + .milliseconds(10)
        expired += machine.lead(1, now: now).count
      }
    }
    try WrongResult.check(kept == count && expired == 0, "\(kept) of \(count) leases were kept alive, \(expired) expired")
    return Benchmark.Round(operations: count, duration: duration)
  }

  private static func takeSnapshot() throws -> Benchmark.Round {
    let view = full.view
    var bytes = 0
    let duration = ContinuousClock().measure {
      var blocks = view.makeBlocks()
      while let block = blocks.next() { bytes += block.count }
    }
    try WrongResult.check(bytes > Int(keys) * 116, "the snapshot has \(bytes) bytes")
    return Benchmark.Round(operations: Int(keys), duration: duration)
  }

  private static func restoreSnapshot() throws -> Benchmark.Round {
    let blocks = Array(IteratorSequence(full.view.makeBlocks()))
    var machine = KeyValueMachine()
    let duration = try ContinuousClock().measure { machine = try KeyValueMachine(restoring: blocks) }
    try WrongResult.check(machine.view.revision == full.view.revision, "the restored store has revision \(machine.view.revision)")
    return Benchmark.Round(operations: Int(keys), duration: duration)
  }
}
