import KeyValue
import Replica

/// What a store takes in memory for its keys and their versions, and how long it is held up by forgetting: figures that are no operation's
/// time.
enum PastBenchmarks {
  static let all = [
    Figure(name: "memory of a key, put once", unit: "bytes") { try bytes(keys: $0 ? 10_000 : 1_000_000, versions: 1) },
    Figure(name: "memory of a further version of a key", unit: "bytes") { isSmoke in
      let keys: UInt64 = isSmoke ? 10_000 : 500_000
      return (try bytes(keys: keys, versions: 4) - bytes(keys: keys, versions: 1)) / 3
    },
    Figure(name: "longest command while a million versions are compacted", unit: "µs") {
      try longestPause(versions: $0 ? 10_000 : 1_000_000)
    },
    Figure(name: "one delete of 300,000 keys", unit: "ms") { try deleted(keys: $0 ? 3000 : 300_000, lease: 0) },
    Figure(name: "the end of a lease with 300,000 keys", unit: "ms") { try deleted(keys: $0 ? 3000 : 300_000, lease: 1) },
  ]

  private static func filled(keys: UInt64, versions: Int) -> KeyValueMachine {
    var machine = KeyValueMachine()
    for _ in 0..<versions { for number in 0..<keys { _ = machine.apply([WatchingBenchmarks.put(number)]) } }
    return machine
  }

  /// Of the heap, for each key.
  private static func bytes(keys: UInt64, versions: Int) throws -> Double {
    let before = try HeapMemory.bytes()
    let machine = filled(keys: keys, versions: versions)
    let after = try HeapMemory.bytes()
    try WrongResult.check(machine.view.count == Int(keys), "there are \(machine.view.count) keys")
    return Double(after - before) / Double(keys)
  }

  /// All keys, by one request: the median of five rounds, each of which begins with no tombstone.
  private static func deleted(keys: UInt64, lease: LeaseID) throws -> Double {
    var durations: [Duration] = []
    for _ in 0..<5 {
      var machine = KeyValueMachine()
      func apply(_ request: Request) { _ = machine.apply([Command(index: 1, term: 1, payload: request.encoded()[...])]) }
      apply(.leaseGrant(LeaseGrantRequest(id: 1, timeToLive: 60)))
      for number in 0..<keys {
        apply(.put(PutRequest(key: Array("key-\(10_000_000 + number)".utf8), value: Value(repeating: 1, count: 64), lease: lease)))
      }
      try WrongResult.check(machine.view.count == Int(keys), "there are \(machine.view.count) keys")
      durations.append(
        ContinuousClock().measure { apply(lease == 0 ? .delete(DeleteRequest(range: .all)) : .leaseRevoke(lease)) })
      try WrongResult.check(machine.view.count == 0, "\(machine.view.count) keys are left")
    }
    return Double(durations.sorted()[2].components.attoseconds) / 1e15
  }

  /// Each version of few keys, all compacted at once; then commands until all is forgotten.
  private static func longestPause(versions: Int) throws -> Double {
    let keys: UInt64 = 1000
    var machine = filled(keys: keys, versions: versions / Int(keys))
    let compaction = Request.compaction(CompactionRequest(revision: machine.view.revision)).encoded()
    var (longest, commands) = (Duration.zero, 0)
    let clock = ContinuousClock()
    func apply(_ command: Command) {
      longest = max(longest, clock.measure { _ = machine.apply([command]) })
      commands += 1
    }
    apply(Command(index: 1, term: 1, payload: compaction[...]))
    while machine.view.compactedChangeCount >= Limits.forgottenChanges { apply(WatchingBenchmarks.put(UInt64(commands) % keys)) }
    try WrongResult.check(machine.view.compactRevision > 1 && commands > versions / 100, "\(commands) commands forgot \(versions) versions")
    return Double(longest.components.attoseconds) / 1e12
  }
}
