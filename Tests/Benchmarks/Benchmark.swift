/// One thing that is measured: how long an operation takes, as one of many in a row.
struct Benchmark: Sendable {
  let name: String
  /// What is counted, as "entry".
  let operation: String
  /// How many of them make a round.
  let operations: Int
  /// Does about so many operations; what prepares them is not counted.
  let run: @Sendable (Int) throws -> Round

  /// What a round took.
  struct Round {
    let operations: Int
    let duration: Duration

    var nanosecondsPerOperation: Double {
      let (seconds, attoseconds) = duration.components
      return (Double(seconds) * 1e9 + Double(attoseconds) / 1e9) / Double(operations)
    }
  }

  /// The rounds' results, from the fastest to the slowest.
  struct Result {
    let nanoseconds: [Double]

    /// Of an even number of rounds the faster one of the two in the middle.
    var median: Double { nanoseconds[(nanoseconds.count - 1) / 2] }
    var fastest: Double { nanoseconds[0] }
    var slowest: Double { nanoseconds[nanoseconds.count - 1] }
  }

  /// - Precondition: there is at least one round.
  func measure(rounds: Int, operations: Int) throws -> Result {
    // The first one finds cold caches, and memory that the system has not given yet.
    _ = try run(max(1, operations / 10))
    var nanoseconds: [Double] = []
    for _ in 0..<rounds { nanoseconds.append(try run(operations).nanosecondsPerOperation) }
    return Result(nanoseconds: nanoseconds.sorted())
  }
}

/// What was measured did not do what it should: its time means nothing.
struct WrongResult: Error, CustomStringConvertible {
  let description: String

  init(_ what: String) { description = "the benchmark did not do its work: \(what)" }

  static func check(_ isRight: Bool, _ what: @autoclosure () -> String) throws {
    if !isRight { throw WrongResult(what()) }
  }
}

/// One thing that is measured once, and is no operation's time.
struct Figure: Sendable {
  let name: String
  let unit: String
  /// Takes whether it need only be seen to run.
  let measure: @Sendable (Bool) throws -> Double
}
