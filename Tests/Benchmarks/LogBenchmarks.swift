import ByteCoding
import Raft
import WriteAheadLog

/// The log on a disk in memory, which costs nearly nothing: what is measured is the log's own work.
enum LogBenchmarks {
  static let all =
    [1, 10, 100, 1000].map { batch in
      Benchmark(name: "log, append and sync, batches of \(batch)", operation: "entry", operations: 50_000) { entries in
        try append(batch: batch, batches: max(1, entries / batch))
      }
    } + [Benchmark(name: "log, recovery", operation: "entry", operations: 50_000) { try recover(entries: $0) }]

  private static let identity = StorageIdentity(node: NodeID(1), cluster: ClusterID(1))

  private static func entries(_ count: Int, from first: LogIndex) -> [Entry] {
    Entry.batch(of: [Bytes](repeating: CoreBenchmarks.payload, count: count), kind: .command, first: first, term: 1)
  }

  private static func append(batch: Int, batches: Int) throws -> Benchmark.Round {
    var (log, _) = try LogStore.open(MemoryDisk(), identity: identity)
    let writes = (0..<batches).map { number in
      let first = LogIndex(number * batch + 1)
      return [LogWrite(sequence: UInt64(number), entries: entries(batch, from: first), commit: first - 1)]
    }
    let duration = try ContinuousClock().measure {
      for write in writes {
        try log.append(write)
        try log.sync()
      }
    }
    try WrongResult.check(log.lastIndex == LogIndex(batch * batches), "the log ends with entry \(log.lastIndex)")
    return Benchmark.Round(operations: batch * batches, duration: duration)
  }

  private static func recover(entries count: Int) throws -> Benchmark.Round {
    let disk = MemoryDisk()
    var (log, _) = try LogStore.open(disk, identity: identity)
    let batches = max(1, count / 100)
    for number in 0..<batches {
      try log.append([LogWrite(sequence: UInt64(number), entries: entries(100, from: LogIndex(number * 100 + 1)))])
      try log.sync()
    }
    log.close()
    var recovered = 0
    let duration = try ContinuousClock().measure { recovered = try LogStore.open(disk, identity: identity).1.entries.count }
    try WrongResult.check(recovered == batches * 100, "\(recovered) of \(batches * 100) entries are recovered")
    return Benchmark.Round(operations: recovered, duration: duration)
  }
}
