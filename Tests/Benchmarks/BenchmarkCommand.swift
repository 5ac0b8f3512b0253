import ArgumentParser

@main
struct BenchmarkCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "benchmark", abstract: "Measures the parts of a node in memory, on one core.",
    discussion: """
      Prints the time of one operation: the median of several rounds, and the fastest and the slowest of them. Build it for release, and \
      let nothing else run.
      Exit status 0: all ran; 1: something did not do its work, or no benchmark has such a name; 64: the command line makes no sense.
      """)

  @Option(help: "Only those whose name contains this text.") var filter: String?
  @Option(help: "How many rounds of each.") var rounds = 7
  @Flag(help: "Print a table in Markdown.") var markdown = false
  @Flag(help: "A hundredth of the operations, in one round: to see that all run, not how fast.") var smoke = false

  func validate() throws {
    guard (1...1000).contains(rounds) else { throw ValidationError("--rounds is 1 to 1000") }
  }

  func run() throws {
    let benchmarks = Self.all.filter { $0.name.contains(filter ?? "") || filter == "" }
    let figures = PastBenchmarks.all.filter { $0.name.contains(filter ?? "") || filter == "" }
    guard !benchmarks.isEmpty || !figures.isEmpty else { throw WrongResult("no name contains \(filter ?? "")") }
    if markdown { print("| Benchmark | Per | ns, median | fastest – slowest |\n|---|---|---|---|") }
    for benchmark in benchmarks {
      let operations = smoke ? max(1, benchmark.operations / 100) : benchmark.operations
      let result = try benchmark.measure(rounds: smoke ? 1 : rounds, operations: operations)
      print(markdown ? row(benchmark, result) : line(benchmark, result))
    }
    for figure in figures {
      let value = text(try figure.measure(smoke))
      print(markdown ? "| \(figure.name) | | \(value) \(figure.unit) | |" : "\(padded(figure.name)) \(value) \(figure.unit)")
    }
  }

  static let all =
    CoreBenchmarks.all + ReplicaBenchmarks.all + StateMachineBenchmarks.all + WatchingBenchmarks.all + CodingBenchmarks.all
    + LogBenchmarks.all

  private func row(_ benchmark: Benchmark, _ result: Benchmark.Result) -> String {
    "| \(benchmark.name) | \(benchmark.operation) | \(text(result.median)) | \(text(result.fastest)) – \(text(result.slowest)) |"
  }

  private func line(_ benchmark: Benchmark, _ result: Benchmark.Result) -> String {
    return
      "\(padded(benchmark.name)) \(text(result.median)) ns per \(benchmark.operation) (\(text(result.fastest)) to \(text(result.slowest)))"
  }

  private func padded(_ name: String) -> String { name + String(repeating: " ", count: max(0, 48 - name.count)) }

  /// Three digits that count are more than can be measured again.
  private func text(_ nanoseconds: Double) -> String {
    nanoseconds < 100 ? "\((nanoseconds * 10).rounded() / 10)" : "\(Int(nanoseconds.rounded()))"
  }
}
