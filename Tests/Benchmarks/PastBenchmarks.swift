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
