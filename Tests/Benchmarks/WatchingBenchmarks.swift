import KeyValue
import Raft
import Replica

/// The store alone, with nobody and with many who watch other keys; what it remembers, and how it forgets.
enum WatchingBenchmarks {
  static let all =
    [0, 10_000].flatMap { watchers in
      [
        Benchmark(name: "store with \(watchers) watchers of other keys, put", operation: "command", operations: 100_000) { commands in
          try changes(commands, watchers: watchers)
        },
        Benchmark(name: "store with \(watchers) watchers of other keys, range", operation: "range of 10", operations: 100_000) { ranges in
          try WatchingBenchmarks.ranges(ranges, watchers: watchers)
        },
      ]
    } + [
      Benchmark(name: "watcher, told of a change", operation: "event", operations: 100_000) { try told($0) }
    ]

  private static let keys: UInt64 = 100_000
  private static let value = Value(repeating: 5, count: 64)

  static func key(_ number: UInt64) -> Key {
    let digits = String(number)
    return Array(("key-" + String(repeating: "0", count: 12 - digits.count) + digits).utf8)
  }

  static func put(_ number: UInt64) -> Command {
    Command(index: 1, term: 1, payload: Request.put(PutRequest(key: key(number), value: value)).encoded()[...])
  }

  private static let full: KeyValueMachine = {
    var machine = KeyValueMachine()
    for number in 0..<keys { _ = machine.apply([put(number)]) }
    return machine
  }()

  /// Half of one key, half of a range.
  private static func watchers(_ count: Int) throws -> Watchers {
    var watchers = Watchers(full.view)
    for number in 0..<count {
      let name = Array("jobs/\(100_000 + number)/".utf8)
      _ = try watchers.add(WatchRequest(range: number % 2 == 0 ? KeyRange(name) : KeyRange(prefix: name)))
    }
    return watchers
  }

  private static func changes(_ count: Int, watchers number: Int) throws -> Benchmark.Round {
    var (machine, watchers) = (full, try watchers(number))
    var random = PseudoRandom(seed: 1)
    let batches = (0..<max(1, count / 100)).map { _ in (0..<100).map { _ in put(random.below(keys)) } }
    var isFinished = true
    let duration = ContinuousClock().measure {
      for batch in batches {
        _ = machine.apply(batch)
        var work = 1_000_000
        isFinished = watchers.advance(to: machine.view, work: &work) && isFinished
      }
    }
    try WrongResult.check(isFinished && watchers.nextReady() == nil, "a watcher of other keys was told")
    try WrongResult.check(watchers.view.revision == Int64(keys) + 1 + Int64(batches.count * 100), "not all was watched")
    return Benchmark.Round(operations: batches.count * 100, duration: duration)
  }

  private static func ranges(_ count: Int, watchers number: Int) throws -> Benchmark.Round {
    let (view, watchers) = (full.view, try watchers(number))
    var random = PseudoRandom(seed: 1)
    let requests = (0..<count).map { _ in
      RangeRequest(range: KeyRange(start: key(random.below(keys - 10)), end: key(keys)), limit: 10)
    }
    var pairs = 0
    let duration = ContinuousClock().measure {
      for request in requests {
        guard case .success(let answer) = view.answer(request), case .range(let range) = answer.result else { continue }
        pairs += range.pairs.count
      }
    }
    try WrongResult.check(pairs == count * 10 && watchers.count == number, "\(pairs) pairs were found")
    return Benchmark.Round(operations: count, duration: duration)
  }

  /// One watcher of everything, told after each batch of a hundred.
  private static func told(_ count: Int) throws -> Benchmark.Round {
    var (machine, watchers) = (full, Watchers(full.view))
    let (id, _) = try watchers.add(WatchRequest(range: .all))
    let batches = (0..<max(1, count / 100)).map { batch in (0..<100).map { put(UInt64(batch * 100 + $0) % keys) } }
    var events = 0
    let duration = ContinuousClock().measure {
      for batch in batches {
        _ = machine.apply(batch)
        var work = 1_000_000
        _ = watchers.advance(to: machine.view, work: &work)
        if case .events(let told, _, _)? = watchers.read(id, bytes: 1 << 20, work: &work) { events += told.count }
      }
    }
    try WrongResult.check(events == batches.count * 100, "\(events) events were told")
    return Benchmark.Round(operations: events, duration: duration)
  }
}
